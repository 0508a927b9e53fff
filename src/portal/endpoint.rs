//! Which requests are the gateway's own.

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Response, StatusCode};

use super::docs::Asset;
use super::passkey::PasskeyEndpoint;
use crate::oidc::ProviderName;
use crate::wire::{self, JWKS_PATH, OwnPaths, RESOURCE_PATH};

/// One of the gateway's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalEndpoint {
    /// `{prefix}/login` and the token paths: a token for a name and a password, from a form or JSON; the sign-in page.
    Login,
    /// `{prefix}/login/{provider}`: to an OpenID provider.
    LoginWith,
    /// `{prefix}/callback/{provider}`: back from it.
    Callback,
    /// `{prefix}/backchannel/{provider}`: sessions that the provider has ended.
    Backchannel,
    /// `{prefix}/token`: the same as a token endpoint (RFC 6749, section 4.3).
    Token,
    /// `{prefix}/introspect`: whether a token is good, and whose (RFC 7662).
    Introspect,
    /// `{prefix}/revoke`: the end of a token (RFC 7009).
    Revoke,
    /// `/.well-known/oauth-authorization-server`: what the gateway is as an authorization server (RFC 8414).
    ServerMetadata,
    /// `/.well-known/oauth-protected-resource`, and below it: which authorization servers a service trusts (RFC 9728).
    ResourceMetadata,
    /// `{prefix}/refresh`: new tokens for a refresh token.
    Refresh,
    /// `{prefix}/logout`: the end of a session.
    Logout,
    /// `{prefix}/me`: who the caller is.
    Me,
    /// `{prefix}/account`: the same for people, who may change something there.
    Account,
    /// `{prefix}/passkey/…`: half of a ceremony with a key, in JSON, for the pages' script.
    Passkey(PasskeyEndpoint),
    /// `/.well-known/jwks.json`: the public keys that tokens are verified with.
    Keys,
    /// `{prefix}/docs`: Swagger UI.
    Docs,
    /// `{prefix}/docs/…`: a file of Swagger UI.
    Asset(Asset),
    /// `{prefix}/openapi.json`: the description of these endpoints.
    OpenApi,
    /// Anything else under the prefix. It is answered with 404 and never forwarded.
    Unknown,
}

impl PortalEndpoint {
    /// Whether it writes or ends the session cookie itself.
    pub fn sets_session(self) -> bool {
        matches!(self, Self::Login | Self::Logout | Self::Callback)
            || matches!(self, Self::Passkey(half) if half.signs_in())
    }

    /// Whether it says who the caller is, whichever credential a service would accept.
    pub fn identifies(self) -> bool {
        matches!(self, Self::Me | Self::Account)
    }

    /// Whether the endpoint supports the method. The unknown one treats every method alike.
    pub(super) fn takes(self, method: &Method) -> bool {
        let mut supported = self.methods().split(", ");
        self == Self::Unknown || supported.any(|one| one == method.as_str())
    }

    /// The methods that it supports, as the value of `Allow` (RFC 9110, section 10.2.1).
    fn methods(self) -> &'static str {
        match self {
            Self::Login | Self::Account => "GET, HEAD, POST",
            Self::Token | Self::Refresh | Self::Logout | Self::Backchannel => "POST",
            Self::Introspect | Self::Revoke | Self::Passkey(_) => "POST",
            Self::ServerMetadata | Self::ResourceMetadata => "GET, HEAD, OPTIONS",
            // a look at the head must not spend the code
            Self::Callback => "GET",
            Self::Me | Self::Keys | Self::Docs | Self::Asset(_) | Self::OpenApi => "GET, HEAD",
            Self::LoginWith => "GET, HEAD",
            Self::Unknown => "",
        }
    }

    /// 405, with the methods that the endpoint supports.
    pub(super) fn refuse_method(self) -> Response<Bytes> {
        let mut response = wire::problem(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
        let allow = HeaderValue::from_static(self.methods());
        response.headers_mut().insert(ALLOW, allow);
        response
    }
}

/// Which endpoint a request is for that is the gateway's own. Names under the prefix compare byte for byte.
pub(super) fn find(own: &OwnPaths, method: &Method, path: &str) -> PortalEndpoint {
    match path {
        _ if own.is_token_path(method, path) => return PortalEndpoint::Login,
        JWKS_PATH => return PortalEndpoint::Keys,
        _ if own.is_server_metadata(path) => return PortalEndpoint::ServerMetadata,
        _ if path.starts_with(RESOURCE_PATH) && own.describes_resources => {
            return PortalEndpoint::ResourceMetadata;
        }
        _ => {}
    }
    let rest = path.strip_prefix(&own.prefix);
    rest.and_then(|rest| named(&NAMED, |name| name == rest).or_else(|| below(rest)))
        .unwrap_or(PortalEndpoint::Unknown)
}

/// Those below the prefix.
const NAMED: [(&str, PortalEndpoint); 10] = [
    ("/login", PortalEndpoint::Login),
    ("/token", PortalEndpoint::Token),
    ("/introspect", PortalEndpoint::Introspect),
    ("/revoke", PortalEndpoint::Revoke),
    ("/refresh", PortalEndpoint::Refresh),
    ("/logout", PortalEndpoint::Logout),
    ("/me", PortalEndpoint::Me),
    ("/account", PortalEndpoint::Account),
    ("/docs", PortalEndpoint::Docs),
    ("/openapi.json", PortalEndpoint::OpenApi),
];

/// Those with the name of a provider behind their own.
const OF_PROVIDERS: [(&str, PortalEndpoint); 3] = [
    ("/login/", PortalEndpoint::LoginWith),
    ("/callback/", PortalEndpoint::Callback),
    ("/backchannel/", PortalEndpoint::Backchannel),
];

fn named(
    endpoints: &[(&str, PortalEndpoint)],
    is_it: impl Fn(&str) -> bool,
) -> Option<PortalEndpoint> {
    let found = endpoints.iter().find(|(name, _)| is_it(name));
    found.map(|(_, endpoint)| *endpoint)
}

/// An endpoint with a name behind its own. Which providers there are, only the configuration in force says.
fn below(rest: &str) -> Option<PortalEndpoint> {
    let is_name = |name: &str| ProviderName::parse(name).is_some();
    if let Some(name) = rest.strip_prefix("/docs/") {
        return Asset::named(name).map(PortalEndpoint::Asset);
    }
    if let Some(name) = rest.strip_prefix("/passkey/") {
        return PasskeyEndpoint::named(name).map(PortalEndpoint::Passkey);
    }
    named(&OF_PROVIDERS, |before| {
        rest.strip_prefix(before).is_some_and(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_byte_for_byte() {
        let token_paths = vec!["/token".to_owned(), "/api/v1/login".to_owned()];
        let own = OwnPaths {
            token_paths,
            issuer_path: "/realms/main".to_owned(),
            describes_resources: true,
            ..OwnPaths::default()
        };
        let cases = [
            (Method::POST, "/auth/login", PortalEndpoint::Login),
            (Method::GET, "/auth/login", PortalEndpoint::Login),
            (Method::POST, "/auth/token", PortalEndpoint::Token),
            (Method::POST, "/auth/refresh", PortalEndpoint::Refresh),
            (Method::POST, "/auth/logout", PortalEndpoint::Logout),
            (Method::POST, "/auth/logout/", PortalEndpoint::Unknown),
            (Method::GET, "/auth/me", PortalEndpoint::Me),
            (Method::GET, "/auth/account", PortalEndpoint::Account),
            (Method::GET, "/auth/account/", PortalEndpoint::Unknown),
            (Method::GET, "/auth/login/corp", PortalEndpoint::LoginWith),
            (Method::POST, "/auth/login/corp", PortalEndpoint::LoginWith),
            (
                Method::GET,
                "/auth/callback/corp-2",
                PortalEndpoint::Callback,
            ),
            (
                Method::POST,
                "/auth/backchannel/corp",
                PortalEndpoint::Backchannel,
            ),
            (Method::POST, "/auth/backchannel", PortalEndpoint::Unknown),
            (Method::GET, "/auth/callback/Corp", PortalEndpoint::Unknown),
            (Method::GET, "/auth/callback/corp/", PortalEndpoint::Unknown),
            (Method::GET, "/auth/callback/a/b", PortalEndpoint::Unknown),
            (Method::GET, "/auth/callback/", PortalEndpoint::Unknown),
            (Method::GET, "/auth/callback", PortalEndpoint::Unknown),
            (Method::GET, "/auth/docs", PortalEndpoint::Docs),
            (
                Method::GET,
                "/auth/docs/start.js",
                PortalEndpoint::Asset(Asset::Start),
            ),
            (
                Method::POST,
                "/auth/passkey/sign-in/start",
                PortalEndpoint::Passkey(PasskeyEndpoint::StartSignIn),
            ),
            (
                Method::GET,
                "/auth/passkey/registration/finish",
                PortalEndpoint::Passkey(PasskeyEndpoint::FinishRegistration),
            ),
            (
                Method::POST,
                "/auth/passkey/sign-in",
                PortalEndpoint::Unknown,
            ),
            (Method::POST, "/auth/passkey", PortalEndpoint::Unknown),
            (Method::GET, "/auth/docs/../me", PortalEndpoint::Unknown),
            (Method::GET, "/auth/openapi.json", PortalEndpoint::OpenApi),
            (Method::GET, "/auth", PortalEndpoint::Unknown),
            (Method::GET, "/auth/", PortalEndpoint::Unknown),
            (Method::POST, "/auth/login/", PortalEndpoint::Unknown),
            (Method::POST, "/auth/Login", PortalEndpoint::Unknown),
            (Method::GET, "/auth/me/x", PortalEndpoint::Unknown),
            (Method::GET, "/auth/mex", PortalEndpoint::Unknown),
            (Method::GET, "/.well-known/jwks.json", PortalEndpoint::Keys),
            (Method::POST, "/.well-known/jwks.json", PortalEndpoint::Keys),
            (
                Method::GET,
                "/.well-known/jwks.json/",
                PortalEndpoint::Unknown,
            ),
            (Method::POST, "/auth/introspect", PortalEndpoint::Introspect),
            (Method::POST, "/auth/revoke", PortalEndpoint::Revoke),
            (
                Method::GET,
                "/.well-known/oauth-authorization-server",
                PortalEndpoint::ServerMetadata,
            ),
            (
                Method::GET,
                "/.well-known/oauth-authorization-server/realms/main",
                PortalEndpoint::ServerMetadata,
            ),
            (
                Method::GET,
                "/.well-known/oauth-authorization-server/realms/other",
                PortalEndpoint::Unknown,
            ),
            (
                Method::GET,
                "/.well-known/oauth-protected-resource/mcp",
                PortalEndpoint::ResourceMetadata,
            ),
            (Method::POST, "/token", PortalEndpoint::Login),
            (Method::POST, "/api/v1/login", PortalEndpoint::Login),
        ];
        for (method, path, expected) in cases {
            assert_eq!(find(&own, &method, path), expected, "{method} {path}");
        }
    }
}
