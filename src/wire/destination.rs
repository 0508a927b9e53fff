//! Where a request goes, before anybody asks who sends it. Simulated requests share this code.

use http::{Method, Uri};

use super::bad_request::BadRequest;
use crate::access::{NoDestination, RequestPath, Router, ServicePath};

/// Where the public keys are shown; the gateway's own at the root of every host (RFC 8615).
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// Where clients read what the gateway is as an authorization server (RFC 8414); the gateway's own on every host.
pub const SERVER_METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// Where clients read which authorization servers a service trusts (RFC 9728), at and under this path; the gateway's own on
/// every host, where `auth.resource_metadata` is set.
pub const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource";

/// Where Envoy asks over gRPC; the gateway's own on every host.
pub const AUTHORIZATION_PATH: &str = "/envoy.service.auth.v3.Authorization";

/// Which requests are the gateway's own: those of the public keys, those of Envoy's external authorization, and these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPaths {
    /// Everything at and under this path is the gateway's; without a trailing slash. Default `/auth`.
    pub prefix: String,
    /// Further exact paths whose `POST` answers like the login. Default: none.
    pub token_paths: Vec<String>,
    /// The path of the issuer of the gateway's tokens, where that is a URL; it stands behind the well-known path of its
    /// metadata (RFC 8414, section 3.1). Default: none.
    pub issuer_path: String,
    /// Whether the gateway answers for its services as protected resources. Default: no.
    pub describes_resources: bool,
}

/// Who answers a request, and its path in the reading that counts for whoever answers.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The gateway itself, before any rule.
    Own(RequestPath),
    /// A service, by its rules.
    Service(ServicePath),
}

impl Default for OwnPaths {
    fn default() -> Self {
        Self {
            prefix: "/auth".to_owned(),
            token_paths: Vec::new(),
            issuer_path: String::new(),
            describes_resources: false,
        }
    }
}

impl OwnPaths {
    /// Whether the gateway itself answers. Names compare byte for byte; other methods at a token path are the services'.
    pub fn holds(&self, method: &Method, path: &str) -> bool {
        let under = |prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.prefixes().any(under)
            || self.is_server_metadata(path)
            || self.is_token_path(method, path)
    }

    /// Whether the gateway's metadata is there. An authorization server behind the gateway keeps those of its other issuers.
    pub fn is_server_metadata(&self, path: &str) -> bool {
        let below = path.strip_prefix(SERVER_METADATA_PATH);
        below.is_some_and(|below| below.is_empty() || below == self.issuer_path)
    }

    /// Finds out who answers a request for this host (lower-case, without port and trailing dot) and this path as sent.
    ///
    /// # Errors
    /// [`NoDestination`] where nobody does.
    pub fn resolve(
        &self,
        router: &Router,
        method: &Method,
        host: &str,
        sent: &str,
    ) -> Result<Destination, NoDestination> {
        let reading = router.read(sent).map_err(NoDestination::Path)?;
        if self.holds(method, reading.path().as_str()) {
            return Ok(Destination::Own(reading.into_path()));
        }
        router.route(host, reading).map(Destination::Service)
    }

    /// Everything at and under these paths is the gateway's, whatever the method.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        let resources = self.describes_resources.then_some(RESOURCE_PATH);
        [&*self.prefix, JWKS_PATH, AUTHORIZATION_PATH]
            .into_iter()
            .chain(resources)
    }

    /// Exact paths that are the gateway's, whatever the method.
    pub fn exact(&self) -> impl Iterator<Item = String> {
        let paths = ["", &*self.issuer_path].map(|below| format!("{SERVER_METADATA_PATH}{below}"));
        paths.into_iter()
    }

    /// Whether this is a request to one of the token paths.
    pub fn is_token_path(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && self.token_paths.iter().any(|token_path| token_path == path)
    }
}

/// Checks the method and the length of a request target.
///
/// # Errors
/// [`BadRequest`] for CONNECT and TRACE, for a standard method in other case, and for too long a target.
pub fn check_request_line(method: &Method, uri: &Uri) -> Result<(), BadRequest> {
    check_method(method)?;
    if uri
        .path_and_query()
        .is_some_and(|target| target.as_str().len() > BadRequest::TARGET_BYTES)
    {
        return Err(BadRequest::TargetTooLong);
    }
    Ok(())
}

pub(super) fn check_method(method: &Method) -> Result<(), BadRequest> {
    const STANDARD: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE",
    ];
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(BadRequest::MethodNotAllowed);
    }
    let name = method.as_str();
    match STANDARD
        .iter()
        .find(|standard| standard.eq_ignore_ascii_case(name))
    {
        Some(standard) if *standard != name => Err(BadRequest::MethodCase(standard)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_under_the_prefix_is_the_gateways() {
        let token_paths = vec!["/token".to_owned(), "/api/v1/login".to_owned()];
        let own = OwnPaths {
            token_paths,
            ..OwnPaths::default()
        };
        for (method, path, expected) in [
            (Method::GET, "/auth", true),
            (Method::GET, "/auth/", true),
            (Method::POST, "/auth/login", true),
            (Method::GET, "/auth/me/x", true),
            (Method::GET, "/authors", false),
            (Method::GET, "/authlogin", false),
            (Method::GET, "/Auth/me", false),
            (Method::GET, "/x/auth/me", false),
            (Method::GET, "/", false),
            (Method::POST, "/token", true),
            (Method::POST, "/api/v1/login", true),
            (Method::GET, "/token", false),
            (Method::OPTIONS, "/token", false),
            (Method::POST, "/token/", false),
            (Method::POST, "/tokens", false),
            (Method::GET, "/.well-known/jwks.json", true),
            (Method::PUT, "/.well-known/jwks.json/x", true),
            (Method::GET, "/.well-known/jwks.jsonx", false),
            (Method::GET, "/.well-known/other", false),
            (
                Method::POST,
                "/envoy.service.auth.v3.Authorization/Check",
                true,
            ),
            (
                Method::POST,
                "/envoy.service.auth.v3.Authorizations/Check",
                false,
            ),
        ] {
            assert_eq!(own.holds(&method, path), expected, "{method} {path}");
        }
    }
}
