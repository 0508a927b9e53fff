//! Which requests are the gateway's own.

use http::Method;

use super::PortalSettings;
use super::docs::Asset;

/// One of the gateway's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `{prefix}/login` and the token paths: a token for a name and a password, from a form or JSON; the sign-in page.
    Login,
    /// `{prefix}/logout`: the end of a session.
    Logout,
    /// `{prefix}/token`: the same as a token endpoint (RFC 6749, section 4.3).
    Token,
    /// `{prefix}/me`: who the caller is.
    Me,
    /// `{prefix}/docs`: Swagger UI.
    Docs,
    /// `{prefix}/docs/…`: a file of Swagger UI.
    Asset(Asset),
    /// `{prefix}/openapi.json`: the description of these endpoints.
    OpenApi,
    /// Anything else under the prefix. It is answered with 404 and never forwarded.
    Unknown,
}

impl Endpoint {
    /// Whether it takes a name and a password.
    pub fn is_login(self) -> bool {
        match self {
            Self::Login | Self::Token => true,
            Self::Logout | Self::Me | Self::Docs | Self::Asset(_) | Self::OpenApi | Self::Unknown => false,
        }
    }

    /// Whether it writes or ends the session cookie itself.
    pub fn sets_session(self) -> bool {
        match self {
            Self::Login | Self::Logout => true,
            Self::Token | Self::Me | Self::Docs | Self::Asset(_) | Self::OpenApi | Self::Unknown => false,
        }
    }

    /// Whether the endpoint knows the method. The unknown one answers every method alike.
    pub(super) fn takes(self, method: &Method) -> bool {
        match self {
            Self::Login => matches!(*method, Method::GET | Method::HEAD | Method::POST),
            Self::Token | Self::Logout => method == Method::POST,
            Self::Me | Self::Docs | Self::Asset(_) | Self::OpenApi => method == Method::GET || method == Method::HEAD,
            Self::Unknown => true,
        }
    }

    /// The value of `Allow` (RFC 9110, section 10.2.1).
    pub(super) fn allow(self) -> &'static str {
        match self {
            Self::Login => "GET, HEAD, POST",
            Self::Token | Self::Logout => "POST",
            Self::Me | Self::Docs | Self::Asset(_) | Self::OpenApi => "GET, HEAD",
            Self::Unknown => "",
        }
    }
}

/// Names under the prefix compare byte for byte. Other methods at a token path are the services'.
pub(super) fn find(settings: &PortalSettings, method: &Method, path: &str) -> Option<Endpoint> {
    if method == Method::POST && settings.token_paths.iter().any(|token_path| token_path == path) {
        return Some(Endpoint::Login);
    }
    match path.strip_prefix(&settings.prefix)? {
        "/login" => Some(Endpoint::Login),
        "/logout" => Some(Endpoint::Logout),
        "/token" => Some(Endpoint::Token),
        "/me" => Some(Endpoint::Me),
        "/docs" => Some(Endpoint::Docs),
        "/openapi.json" => Some(Endpoint::OpenApi),
        rest if rest.is_empty() || rest.starts_with('/') => {
            let asset = rest.strip_prefix("/docs/").and_then(Asset::named);
            Some(asset.map_or(Endpoint::Unknown, Endpoint::Asset))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_under_the_prefix_is_the_gateways() {
        let token_paths = vec!["/token".to_owned(), "/api/v1/login".to_owned()];
        let settings = PortalSettings { token_paths, ..PortalSettings::default() };
        let cases = [
            (Method::POST, "/auth/login", Some(Endpoint::Login)),
            (Method::GET, "/auth/login", Some(Endpoint::Login)),
            (Method::POST, "/auth/token", Some(Endpoint::Token)),
            (Method::POST, "/auth/logout", Some(Endpoint::Logout)),
            (Method::GET, "/auth/me", Some(Endpoint::Me)),
            (Method::GET, "/auth/docs", Some(Endpoint::Docs)),
            (Method::GET, "/auth/docs/start.js", Some(Endpoint::Asset(Asset::Start))),
            (Method::GET, "/auth/docs/../me", Some(Endpoint::Unknown)),
            (Method::GET, "/auth/openapi.json", Some(Endpoint::OpenApi)),
            (Method::GET, "/auth", Some(Endpoint::Unknown)),
            (Method::GET, "/auth/", Some(Endpoint::Unknown)),
            (Method::POST, "/auth/login/", Some(Endpoint::Unknown)),
            (Method::POST, "/auth/Login", Some(Endpoint::Unknown)),
            (Method::GET, "/auth/me/x", Some(Endpoint::Unknown)),
            (Method::GET, "/auth/mex", Some(Endpoint::Unknown)),
            (Method::GET, "/authors", None),
            (Method::GET, "/authlogin", None),
            (Method::GET, "/Auth/me", None),
            (Method::GET, "/x/auth/me", None),
            (Method::GET, "/", None),
            (Method::POST, "/token", Some(Endpoint::Login)),
            (Method::POST, "/api/v1/login", Some(Endpoint::Login)),
            (Method::GET, "/token", None),
            (Method::OPTIONS, "/token", None),
            (Method::POST, "/token/", None),
            (Method::POST, "/tokens", None),
        ];
        for (method, path, expected) in cases {
            assert_eq!(find(&settings, &method, path), expected, "{method} {path}");
        }
    }
}
