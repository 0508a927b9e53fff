//! What is known of a provider's endpoints (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2).

use serde_json::Value;

use crate::jwks::{IssuerMetadata, MetadataError};
use crate::net::HttpUrl;
use crate::token::Algorithm;

/// The endpoints of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEndpoints {
    /// Where browsers are sent.
    pub authorization: HttpUrl,
    /// Where codes and refresh tokens are redeemed.
    pub token: HttpUrl,
    /// Where further claims are.
    pub userinfo: Option<HttpUrl>,
    /// Where the keys are.
    pub jwks: HttpUrl,
    /// Where browsers are sent to sign out.
    pub end_session: Option<HttpUrl>,
    /// How a secret is sent to the token endpoint.
    pub secret_method: SecretMethod,
}

/// How a client's secret is sent (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretMethod {
    /// In `Authorization`.
    #[default]
    Basic,
    /// In the form.
    Post,
}

/// What the metadata of a provider say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// Where the provider answers.
    pub endpoints: ProviderEndpoints,
    /// Whether `iss` is in every answer (RFC 9207, section 3).
    pub(super) always_names_issuer: bool,
    /// The algorithms of ID tokens, without those of shared secrets; empty: they are not named.
    pub(super) algorithms: Vec<Algorithm>,
}

impl ProviderMetadata {
    /// Reads what the provider says about itself as one of OpenID Connect.
    ///
    /// # Errors
    /// [`MetadataError`] for an endpoint that is missing, or leads into the clear or into a network.
    pub fn read(metadata: &IssuerMetadata<'_>) -> Result<Self, MetadataError> {
        let required = |name| {
            let missing = "`issuer`, `authorization_endpoint`, `token_endpoint` and `jwks_uri`";
            let endpoint = metadata.endpoint(name)?;
            endpoint.ok_or(MetadataError::Malformed(missing))
        };
        let members = metadata.members();
        let always_names_issuer = members.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            endpoints: ProviderEndpoints {
                authorization: required("authorization_endpoint")?,
                token: required("token_endpoint")?,
                jwks: required("jwks_uri")?,
                userinfo: metadata.endpoint("userinfo_endpoint")?,
                end_session: metadata.endpoint("end_session_endpoint")?,
                secret_method: secret_method(members.get("token_endpoint_auth_methods_supported")),
            },
            always_names_issuer: always_names_issuer == Some(&Value::Bool(true)),
            algorithms: algorithms(members.get("id_token_signing_alg_values_supported")),
        })
    }
}

impl ProviderMetadata {
    /// The algorithms that tokens may be signed with: those that are configured, else those that the metadata name, else
    /// every one that the provider has a key for. None of them has a shared secret.
    pub(super) fn accepted_algorithms(&self, configured: &[Algorithm]) -> Vec<Algorithm> {
        let named = [configured, &self.algorithms];
        let named = named.into_iter().find(|named| !named.is_empty());
        let named = named.unwrap_or(&Algorithm::ALL);
        let pairs = named.iter().filter(|algorithm| !algorithm.is_symmetric());
        pairs.copied().collect()
    }
}

impl From<ProviderEndpoints> for ProviderMetadata {
    fn from(endpoints: ProviderEndpoints) -> Self {
        Self {
            endpoints,
            always_names_issuer: false,
            algorithms: Vec::new(),
        }
    }
}

fn names(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str)
}

/// `client_secret_basic`, unless only the other one is there; it is the default of both specifications.
fn secret_method(supported: Option<&Value>) -> SecretMethod {
    let has = |method| names(supported).any(|name| name == method);
    if has("client_secret_post") && !has("client_secret_basic") {
        SecretMethod::Post
    } else {
        SecretMethod::Basic
    }
}

/// A shared secret is in more hands than those of the provider: who has the client's could sign with it.
fn algorithms(supported: Option<&Value>) -> Vec<Algorithm> {
    let known = names(supported).filter_map(Algorithm::named);
    known
        .filter(|algorithm| !algorithm.is_symmetric())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_provider_says_how_it_takes_a_secret() {
        let method = |list: Value| secret_method(Some(&list));
        assert_eq!(secret_method(None), SecretMethod::Basic);
        assert_eq!(method(json!(["client_secret_post"])), SecretMethod::Post);
        assert_eq!(
            method(json!(["private_key_jwt", "client_secret_post"])),
            SecretMethod::Post
        );
        assert_eq!(
            method(json!(["client_secret_post", "client_secret_basic"])),
            SecretMethod::Basic
        );
        assert_eq!(method(json!(["private_key_jwt"])), SecretMethod::Basic);
        assert_eq!(method(json!("client_secret_post")), SecretMethod::Basic);
    }

    #[test]
    fn algorithms_of_shared_secrets_are_never_a_providers() {
        let read = |list: Value| algorithms(Some(&list));
        assert_eq!(
            read(json!(["HS256", "none", "RS256", "ES256K", "ES512", 7])),
            [Algorithm::Rs256, Algorithm::Es512]
        );
        assert_eq!(read(json!(["HS256"])), []);
        assert_eq!(algorithms(None), []);
    }
}
