//! Finds what an issuer publishes in its metadata.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fetch::{FetchError, FetchOptions, fetch};
use crate::net::{HttpUrl, HttpUrlError};

/// The longest name of an issuer that a message quotes, in characters.
const LONGEST_QUOTED: usize = 200;

/// The metadata of an issuer, which name it as it was asked for.
pub struct IssuerMetadata<'a> {
    members: Map<String, Value>,
    /// Where the issuer itself is.
    url: &'a HttpUrl,
}

/// Why metadata are of no use.
#[derive(Debug)]
pub enum MetadataError {
    /// They cannot be had.
    Fetch(FetchError),
    /// Not an object with these members.
    Malformed(&'static str),
    /// Those of the issuer of this name.
    OtherIssuer(String),
    /// The member is no URL to request.
    Url(&'static str, HttpUrlError),
    /// The member is a URL without TLS.
    Exposed(&'static str),
    /// The member names a machine of a private network.
    Internal(&'static str),
}

/// The URL of the key set of this issuer, whose URL is `url`.
pub(super) async fn discover_keys(
    issuer: &str,
    url: &HttpUrl,
    options: FetchOptions<'_>,
) -> Result<HttpUrl, String> {
    let found = discover(issuer, url, options, |metadata| {
        let keys = metadata.endpoint("jwks_uri")?;
        keys.ok_or(MetadataError::Malformed("`issuer` and `jwks_uri`"))
    });
    found.await.map(|(keys, _)| keys)
}

/// What `read` finds in the metadata of this issuer, whose URL is `url`, and for how long they are good. Metadata of OpenID
/// Connect are preferred to those of OAuth, which are requested where the former are of no use; a server that does not
/// answer is not requested twice.
///
/// # Errors
/// Why there is nothing to read, in words.
pub async fn discover<T>(
    issuer: &str,
    url: &HttpUrl,
    options: FetchOptions<'_>,
    read: impl Fn(&IssuerMetadata<'_>) -> Result<T, MetadataError>,
) -> Result<(T, Duration), String> {
    let mut failures = Vec::new();
    for path in metadata_paths(url) {
        let document = url.with_path(&path).map_err(|error| error.to_string())?;
        let fetched = fetch(&document, options).await;
        let metadata = fetched.map_err(MetadataError::Fetch).and_then(|fetched| {
            let metadata = IssuerMetadata::parse(issuer, url, &fetched.body)?;
            Ok((read(&metadata)?, fetched.lifetime))
        });
        match metadata {
            Ok(found) => return Ok(found),
            Err(error) => {
                let is_unreachable = matches!(error, MetadataError::Fetch(FetchError::Get(_)));
                failures.push(format!("{document}: {error}"));
                if is_unreachable {
                    break;
                }
            }
        }
    }
    Err(failures.join("; "))
}

/// OpenID Connect Discovery 1.0, section 4: after the path of the issuer. RFC 8414, section 3.1: before it.
fn metadata_paths(issuer: &HttpUrl) -> [String; 2] {
    let path = issuer.target().trim_end_matches('/');
    [
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/oauth-authorization-server{path}"),
    ]
}

impl<'a> IssuerMetadata<'a> {
    /// Reads the metadata that were fetched of this issuer, whose URL is `url`.
    ///
    /// # Errors
    /// [`MetadataError`] for what is no object, and for those of another issuer.
    pub fn parse(issuer: &str, url: &'a HttpUrl, body: &[u8]) -> Result<Self, MetadataError> {
        let malformed = MetadataError::Malformed("`issuer` and `jwks_uri`");
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
            return Err(malformed);
        };
        match members.get("issuer").and_then(Value::as_str) {
            Some(name) if name == issuer => Ok(Self { members, url }),
            // another issuer's keys must not verify tokens of this one
            Some(name) => Err(MetadataError::OtherIssuer(name.to_owned())),
            None => Err(malformed),
        }
    }

    /// All of them.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// A member that is the URL of an endpoint; `None` where it is absent, or no text.
    ///
    /// # Errors
    /// [`MetadataError`] for a URL without TLS, but for one of this very machine, and for one that leads from a public
    /// issuer into a network.
    pub fn endpoint(&self, name: &'static str) -> Result<Option<HttpUrl>, MetadataError> {
        let Some(text) = self.members.get(name).and_then(Value::as_str) else {
            return Ok(None);
        };
        let url = HttpUrl::parse(text).map_err(|error| MetadataError::Url(name, error))?;
        if url.is_exposed() {
            return Err(MetadataError::Exposed(name));
        }
        // what is published to everybody does not lead into a network
        if url.is_internal() && !self.url.is_internal() {
            return Err(MetadataError::Internal(name));
        }
        Ok(Some(url))
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => error.fmt(f),
            Self::Malformed(members) => write!(f, "not metadata with {members}"),
            Self::OtherIssuer(name) => {
                let name: String = name.chars().take(LONGEST_QUOTED).collect();
                write!(
                    f,
                    "the metadata are those of the issuer `{}`",
                    name.escape_debug()
                )
            }
            Self::Url(name, error) => write!(f, "`{name}` is {error}"),
            Self::Exposed(name) => write!(f, "`{name}` is not `https://`"),
            Self::Internal(name) => write!(
                f,
                "`{name}` names a machine of a private network, and the issuer does not; write the URL in the configuration instead"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_a_public_issuer_do_not_lead_into_a_network() {
        let read = |issuer: &str, keys: &str| {
            let metadata = serde_json::json!({ "issuer": issuer, "jwks_uri": keys });
            let url = HttpUrl::parse(issuer).unwrap();
            let metadata = IssuerMetadata::parse(issuer, &url, metadata.to_string().as_bytes());
            metadata.unwrap().endpoint("jwks_uri").is_ok()
        };
        let public = "https://idp.example.com";
        assert!(read(public, "https://keys.example.net/keys"));
        for inside in [
            "https://169.254.169.254/",
            "https://10.0.0.1/keys",
            "https://localhost/keys",
            "https://[fd00::1]/keys",
            "http://127.0.0.1/keys",
            "http://keys.example.net/keys",
        ] {
            assert!(!read(public, inside), "{inside}");
        }
        assert!(read("https://10.0.0.2", "https://10.0.0.1/keys"));
        assert!(read("http://localhost:8080", "http://127.0.0.1:8080/keys"));
    }

    #[test]
    fn metadata_are_where_the_specifications_say() {
        for (issuer, openid, oauth) in [
            (
                "https://idp.example.com",
                "/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example.com/",
                "/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example.com/realms/main",
                "/realms/main/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/main",
            ),
            (
                "https://idp.example.com/a/v2.0/",
                "/a/v2.0/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/a/v2.0",
            ),
        ] {
            let paths = metadata_paths(&HttpUrl::parse(issuer).unwrap());
            assert_eq!(paths, [openid, oauth], "{issuer}");
        }
    }
}
