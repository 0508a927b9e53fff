//! What the gateway says of itself as an authorization server (RFC 8414), and of the services behind it as protected
//! resources (RFC 9728). Both are public, and pages of any origin may read them: that is how clients in browsers find out
//! where to log in.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL,
};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use super::Portal;
use super::rejection::no_such_endpoint;
use crate::wire::{self, Intake, RESOURCE_PATH, ResourceMetadata};

/// RFC 8414, section 2.
#[derive(Serialize)]
struct ServerDocument<'a> {
    issuer: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: [&'a str; 3],
    grant_types_supported: [&'a str; 3],
    /// There is no authorization endpoint, so there are no responses of it.
    response_types_supported: [&'a str; 0],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'a str; 2],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'a str; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
}

/// RFC 9728, section 2.
#[derive(Serialize)]
struct ResourceDocument<'a> {
    resource: String,
    authorization_servers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'a [String],
    bearer_methods_supported: [&'a str; 1],
}

impl Portal {
    /// The metadata of the gateway. Its issuer is that of its tokens where that is a URL, else the origin that was asked: it
    /// must be the one that the client has put the well-known path into (RFC 8414, section 3.3).
    pub(super) fn describe_server(&self, intake: &Intake) -> Response<Bytes> {
        let prefix = &self.settings.own.prefix;
        let Some(origin) = intake.site.url("") else {
            return no_such_endpoint();
        };
        let at = |name: &str| format!("{origin}{prefix}/{name}");
        let keys = || format!("{origin}{}", wire::JWKS_PATH);
        let methods = ["client_secret_basic", "client_secret_post"];
        let with_none = [methods[0], methods[1], "none"];
        let document = ServerDocument {
            issuer: self.issuer_url(&origin),
            token_endpoint: at("token"),
            token_endpoint_auth_methods_supported: with_none,
            grant_types_supported: ["password", "refresh_token", "client_credentials"],
            response_types_supported: [],
            introspection_endpoint: at("introspect"),
            introspection_endpoint_auth_methods_supported: methods,
            revocation_endpoint: at("revoke"),
            revocation_endpoint_auth_methods_supported: with_none,
            jwks_uri: self.settings.has_public_keys.then(keys),
        };
        public(wire::json(StatusCode::OK, &document))
    }

    fn issuer_url(&self, origin: &str) -> String {
        let issuer = self.issuer.name();
        if wire::is_issuer_url(issuer) {
            issuer.to_owned()
        } else {
            origin.to_owned()
        }
    }

    /// The metadata of the service at the path that stands behind the well-known one. `mount`: where that service is.
    pub(super) fn describe_resource(
        &self,
        intake: &Intake,
        mount: &dyn Fn(&str) -> Option<String>,
    ) -> Response<Bytes> {
        let Some(metadata) = &self.settings.resource_metadata else {
            return no_such_endpoint();
        };
        let path = intake.head.uri.path();
        let below = path.strip_prefix(RESOURCE_PATH).unwrap_or_default();
        let asked = if below.is_empty() { "/" } else { below };
        let (Some(mount), Some(origin)) = (mount(asked), intake.site.url("")) else {
            return no_such_endpoint();
        };
        let own = [self.issuer_url(&origin)];
        let document = ResourceDocument {
            resource: ResourceMetadata::resource(&origin, &mount),
            authorization_servers: if metadata.authorization_servers.is_empty() {
                &own
            } else {
                &metadata.authorization_servers
            },
            scopes_supported: &metadata.scopes,
            bearer_methods_supported: ["header"],
        };
        public(wire::json(StatusCode::OK, &document))
    }
}

/// The answer to a page that asks whether it may send a field of its own, as MCP's clients do.
pub(super) fn preflight() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn is_preflight(method: &Method) -> bool {
    method == Method::OPTIONS
}

/// Readable for everybody. It names the host that was asked, so no cache keeps it for long.
fn public(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
