//! Where the browser is sent (OpenID Connect Core 1.0, section 3.1.2.1; RFC 7636, section 4.3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::settings::ProviderSettings;
use crate::net::HttpUrl;
use crate::text::form;

/// What a sign-in asks of the provider.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationRequest<'a> {
    /// Where the browser comes back to.
    pub redirect_uri: &'a str,
    /// What the answer must say again.
    pub state: &'a str,
    /// What the ID token must say.
    pub nonce: &'a str,
    /// The [`code_challenge`] of the verifier that the code will be redeemed with.
    pub code_challenge: &'a str,
    /// `none`, `login`, `consent` or `select_account`; `None`: the provider chooses.
    pub prompt: Option<&'a str>,
    /// Who is expected.
    pub login_hint: Option<&'a str>,
    /// How many seconds ago the person may have signed in at the provider.
    pub max_age: Option<u64>,
    /// The ways to authenticate that would be enough, the most wanted first; empty: the provider chooses.
    pub acr_values: &'a [Box<str>],
}

/// The challenge of a verifier (RFC 7636, section 4.2: `S256`).
pub fn code_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The URL of a request at this authorization endpoint, whose query stays.
pub(super) fn url(
    endpoint: &HttpUrl,
    settings: &ProviderSettings,
    request: &AuthorizationRequest<'_>,
) -> String {
    let mut query = String::new();
    let acr_values = (!request.acr_values.is_empty()).then(|| request.acr_values.join(" "));
    let max_age = request.max_age.map(|seconds| seconds.to_string());
    for (name, value) in [
        ("response_type", Some("code")),
        ("client_id", Some(&*settings.client.id)),
        ("redirect_uri", Some(request.redirect_uri)),
        ("scope", Some(&*settings.scopes.join(" "))),
        ("state", Some(request.state)),
        ("nonce", Some(request.nonce)),
        ("code_challenge", Some(request.code_challenge)),
        ("code_challenge_method", Some("S256")),
        ("prompt", request.prompt),
        ("login_hint", request.login_hint),
        ("max_age", max_age.as_deref()),
        ("acr_values", acr_values.as_deref()),
    ] {
        if let Some(value) = value {
            form::push(&mut query, name, value);
        }
    }
    with_query(endpoint, &query)
}

/// The URL with further pairs in its query.
pub(super) fn with_query(endpoint: &HttpUrl, query: &str) -> String {
    let separator = if endpoint.target().contains('?') {
        '&'
    } else {
        '?'
    };
    format!("{endpoint}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let challenge = code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
