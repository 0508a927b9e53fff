//! Connections to other servers: names, addresses, TLS, and a small bounded GET and POST.
//!
//! [`Dialer`] is the only maker of a connection that the gateway opens, and [`TlsSettings`] the only maker of what rustls
//! needs on the client's side. Names are resolved without the C library: a static binary must not load its modules.

mod address;
mod bounded;
mod dial;
mod error;
mod pieces;
mod pinned;
mod race;
mod stream;
mod tls;
mod url;

pub use address::ServerAddress;
pub use bounded::{BoundedRequest, BoundedRequestError, get, post, post_json};
pub use dial::Dialer;
pub use error::{DialAttempt, DialAttempts, DialError, TlsFailure};
pub use pieces::in_one_piece;
pub use stream::DialedStream;
pub use tls::{
    Alpn, ClientIdentity, TlsError, TlsSettings, TrustRoots, certificates, private_key,
    system_roots,
};
pub use url::{HttpUrl, HttpUrlError};
