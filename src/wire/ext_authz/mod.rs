//! Envoy's external authorization over gRPC: `envoy.service.auth.v3.Authorization/Check`.

mod checked_request;
mod grpc;
mod message;
mod reader;
mod verdict;
mod writer;

pub use checked_request::{CheckedRequest, DescribedRequest};
pub use grpc::{GrpcError, success as grpc_success, timeout as grpc_timeout};
pub use verdict::{HeaderChanges, deny};

use super::destination::AUTHORIZATION_PATH;

/// The method of the service that a path, as sent, calls; `None` where it calls none.
pub fn called_method(path: &str) -> Option<&str> {
    path.strip_prefix(AUTHORIZATION_PATH)?.strip_prefix('/')
}
