//! HTTP as data, without sockets: what a request says, and what may pass on.

mod accepted;
mod bad_request;
mod basic;
mod browser;
mod cache_control;
mod cookie;
mod cors;
mod credential;
mod destination;
mod destination_field;
mod ext_authz;
mod field_presence;
mod fields;
mod forwarded;
mod framing;
mod host;
mod http2;
mod identity;
mod intake;
mod interim;
mod location;
mod original_request;
mod peer;
mod problem;
mod resource_metadata;
mod response_fields;
mod socket_token;
mod upgrade;

pub use accepted::{AcceptedCredentials, CredentialKind};
pub use bad_request::{AuthScheme, BadRequest, BadTarget};
pub use basic::{BASIC_CHALLENGE, BasicCredentials};
pub(crate) use browser::only;
pub use browser::{
    CROSS_ORIGIN, ForeignOrigin, Site, accepts_html, is_navigation, is_of_page, is_safe, is_seen,
    is_zero_weight,
};
pub use cache_control::{CacheMode, CacheRisk};
pub use cookie::{GatewayCookies, SameSite, SecureCookie, SessionCookie, add_renewal};
pub use cors::{Answered, Cors, Origins, announced_method};
pub use credential::{Credential, CredentialSource, is_api_key};
pub use destination::{
    AUTHORIZATION_PATH, Destination, JWKS_PATH, OwnPaths, RESOURCE_PATH, SERVER_METADATA_PATH,
    check_request_line,
};
pub use destination_field::{DESTINATION, DestinationField, same_service};
pub use ext_authz::{
    CheckedRequest, DescribedRequest, GrpcError, HeaderChanges, called_method, deny, grpc_success,
    grpc_timeout,
};
pub use field_presence::FieldPresence;
pub use fields::{
    CONNECTION_FIELDS, FieldFilter, announce_trailers, filter_trailers, keep_alive_timeout,
    remove_hop_by_hop, trailer_is_harmless, via,
};
pub(crate) use fields::{Nominated, retain_fields};
pub use forwarded::{
    ForwardedClient, ForwardedFields, ForwardedInfo, StatedScheme, TrustedProxies,
};
pub use framing::{ResponseFraming, settle_response};
pub use host::Host;
pub use identity::{Authorization, IdentityField, IdentityHeader, IdentitySettings};
pub use intake::{Intake, Target};
pub use interim::Interim;
pub use location::LocationRewrite;
pub use original_request::{ForwardAuthHeaders, ForwardAuthProxy, OriginalError, OriginalRequest};
pub use peer::{Peer, Scheme};
pub use problem::{BEARER_CHALLENGE, Challenges, drop_body, forbid_storing, json, problem};
pub use resource_metadata::{ResourceMetadata, is_issuer_url, issuer_path};
pub use response_fields::ResponseFields;
pub use socket_token::{offered_bearer, own_protocols, with_socket_token};
pub use upgrade::{Upgrade, UpgradeForm};
