//! Services as protected resources of OAuth (RFC 9728): what they are called, and where clients read about them.

use super::browser::Site;
use super::destination::RESOURCE_PATH;

/// What the metadata of every service says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// The issuers whose tokens the services take; none: the gateway itself.
    pub authorization_servers: Vec<String>,
    /// The scopes that clients may ask these for.
    pub scopes: Vec<String>,
}

impl ResourceMetadata {
    /// The identifier of the service at this mount: its URL as the client sees it, without a slash at the end.
    pub fn resource(origin: &str, mount: &str) -> String {
        format!("{origin}{}", mount.trim_end_matches('/'))
    }

    /// The URL of the metadata of the service at this mount (section 3.1); `None` where the host is no text, or could not
    /// stand between quotes.
    pub fn url(site: &Site, mount: &str) -> Option<String> {
        let url = site.url(&format!("{RESOURCE_PATH}{}", mount.trim_end_matches('/')))?;
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        url.bytes().all(is_plain).then_some(url)
    }
}

/// Whether the name of an issuer is a URL under which clients can look for its metadata (RFC 8414, section 2).
pub fn is_issuer_url(issuer: &str) -> bool {
    let host = ["https://", "http://"].iter();
    let mut rest = host.filter_map(|scheme| issuer.strip_prefix(scheme));
    rest.next()
        .is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#']))
}

/// The path of an issuer's URL, without a slash at the end; empty where it has none.
pub fn issuer_path(issuer: &str) -> &str {
    let after_host = || {
        let (_, rest) = issuer.split_once("://")?;
        Some(&rest[rest.find('/')?..])
    };
    let path = after_host().unwrap_or_default();
    if is_issuer_url(issuer) {
        path.trim_end_matches('/')
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::wire::Scheme;

    #[test]
    fn the_path_of_an_issuer_is_that_of_its_url() {
        for (issuer, path) in [
            ("gatelatch", ""),
            ("https://id.example.com", ""),
            ("https://id.example.com/", ""),
            ("https://id.example.com/realms/main", "/realms/main"),
            ("https://id.example.com/realms/main/", "/realms/main"),
            ("https://id.example.com/x?y", ""),
            ("urn:x/y", ""),
        ] {
            assert_eq!(issuer_path(issuer), path, "{issuer}");
        }
    }

    #[test]
    fn a_resource_is_the_url_of_its_mount() {
        let site = Site {
            scheme: Scheme::Https,
            host: HeaderValue::from_static("mcp.example.com:8443"),
        };
        let well_known = "https://mcp.example.com:8443/.well-known/oauth-protected-resource";
        for (mount, path) in [("/", ""), ("/mcp", "/mcp"), ("/a/b/", "/a/b")] {
            let url = ResourceMetadata::url(&site, mount);
            assert_eq!(url, Some(format!("{well_known}{path}")));
            let resource = ResourceMetadata::resource("https://x", mount);
            assert_eq!(resource, format!("https://x{path}"));
        }
        let site = Site {
            host: HeaderValue::from_static("a\"b"),
            ..site
        };
        assert_eq!(ResourceMetadata::url(&site, "/"), None);
    }
}
