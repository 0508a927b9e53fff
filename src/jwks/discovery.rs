//! Finds the key set of an issuer by its metadata.

use std::fmt;

use serde::Deserialize;

use super::fetch::{FetchError, FetchOptions, fetch};
use crate::net::{HttpUrl, HttpUrlError};

/// The longest name of an issuer that a message quotes, in characters.
const LONGEST_QUOTED: usize = 200;

/// What is read of the metadata; everything else is the affair of clients.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Why the metadata lead to no key set.
#[derive(Debug)]
enum MetadataError {
    Fetch(FetchError),
    Malformed,
    OtherIssuer(String),
    Url(HttpUrlError),
    Exposed,
    Internal,
}

/// The URL of the key set of this issuer, whose URL is `url`. Metadata of OpenID Connect are preferred to those of OAuth,
/// which are requested where the former are of no use; a server that does not answer is not requested twice.
pub(super) async fn discover(
    issuer: &str,
    url: &HttpUrl,
    options: FetchOptions<'_>,
) -> Result<HttpUrl, String> {
    let mut failures = Vec::new();
    for path in metadata_paths(url) {
        let document = url.with_path(&path).map_err(|error| error.to_string())?;
        match key_set(issuer, url, &document, options).await {
            Ok(keys) => return Ok(keys),
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

async fn key_set(
    issuer: &str,
    url: &HttpUrl,
    document: &HttpUrl,
    options: FetchOptions<'_>,
) -> Result<HttpUrl, MetadataError> {
    let fetched = fetch(document, options).await;
    read(issuer, url, &fetched.map_err(MetadataError::Fetch)?.body)
}

fn read(issuer: &str, url: &HttpUrl, body: &[u8]) -> Result<HttpUrl, MetadataError> {
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| MetadataError::Malformed)?;
    // another issuer's keys must not verify tokens of this one
    if metadata.issuer != issuer {
        return Err(MetadataError::OtherIssuer(metadata.issuer));
    }
    let keys = HttpUrl::parse(&metadata.jwks_uri).map_err(MetadataError::Url)?;
    if keys.is_exposed() {
        return Err(MetadataError::Exposed);
    }
    // what is published to everybody does not lead into a network
    if keys.is_internal() && !url.is_internal() {
        return Err(MetadataError::Internal);
    }
    Ok(keys)
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => error.fmt(f),
            Self::Malformed => f.write_str("not metadata with `issuer` and `jwks_uri`"),
            Self::OtherIssuer(name) => {
                let name: String = name.chars().take(LONGEST_QUOTED).collect();
                write!(
                    f,
                    "the metadata are those of the issuer `{}`",
                    name.escape_debug()
                )
            }
            Self::Url(error) => write!(f, "`jwks_uri` is {error}"),
            Self::Exposed => f.write_str("`jwks_uri` is not `https://`"),
            Self::Internal => {
                f.write_str("`jwks_uri` names a machine of a private network, and the issuer does not; write `jwks` instead")
            }
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
            read(issuer, &url, metadata.to_string().as_bytes()).is_ok()
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
