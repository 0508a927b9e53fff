//! What a request says about its connection, and about how its answer is framed.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TE};
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::task::yield_now;

use crate::text::list;
use crate::upstream::LeavesRequestUnread;
use crate::wire::FieldPresence;

/// What a request says about its connection, and about how its answer is framed.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    version: Version,
    pub(super) has_body: bool,
    /// Whether the client wants to use the connection for another request (RFC 9112, section 9.3).
    persists: bool,
    is_head: bool,
    /// Whether the client takes trailers.
    pub(super) takes_trailers: bool,
    /// Whether it may leave HTTP.
    pub(super) may_leave: bool,
    /// Whether hyper alone knows how it was framed: it takes a `Content-Length` away that stands beside
    /// `Transfer-Encoding`, and closes the connection behind the answer (RFC 9112, section 6.1).
    pub(super) has_coding: bool,
}

impl Asked {
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        let (headers, present) = (request.headers(), FieldPresence::of(request.headers()));
        let says = |option| {
            present.has(FieldPresence::CONNECTION) && list::names(headers, CONNECTION, option)
        };
        let version = request.version();
        Self {
            version,
            has_body: !request.body().is_end_stream(),
            persists: match version {
                Version::HTTP_10 => says("keep-alive"),
                _ => !says("close"),
            },
            is_head: request.method() == Method::HEAD,
            takes_trailers: present.has(FieldPresence::TE) && list::names(headers, TE, "trailers"),
            may_leave: request.extensions().get::<OnUpgrade>().is_some(),
            has_coding: present.has(FieldPresence::TRANSFER_ENCODING),
        }
    }

    /// A head that asks for the same without asking for anything: hyper frames an answer to it as one to the request.
    pub(super) fn head(self) -> Bytes {
        let method = if self.is_head { "HEAD" } else { "GET" };
        let (version, connection) = match (self.version, self.persists) {
            (Version::HTTP_10, true) => ("1.0", "Connection: keep-alive\r\n"),
            (Version::HTTP_10, false) => ("1.0", ""),
            (_, true) => ("1.1", ""),
            (_, false) => ("1.1", "Connection: close\r\n"),
        };
        let trailers = if self.takes_trailers {
            "TE: trailers\r\n"
        } else {
            ""
        };
        format!("{method} / HTTP/{version}\r\n{connection}{trailers}\r\n").into()
    }

    /// Nobody reads the body behind an answer of the gateway: hyper drains what is there, or ends the connection with this
    /// answer and says so, once it was polled in between (RFC 9112, section 9.6).
    pub(super) async fn let_hyper_look(self, is_own: bool) {
        if self.has_body && is_own {
            yield_now().await;
        }
    }

    /// Says where no other answer follows on this connection, and returns whether that is so as far as it is known before
    /// hyper has read the body (RFC 9112, section 9.6).
    pub(super) fn settle<B: Body>(
        self,
        response: &mut Response<B>,
        is_own: bool,
        ends: bool,
    ) -> bool {
        let is_old = self.version == Version::HTTP_10;
        // the end of the connection is that of the answer (RFC 9112, section 6.3)
        let is_unmeasured = || {
            !self.is_head
                && !response.headers().contains_key(CONTENT_LENGTH)
                && response.body().size_hint().exact().is_none()
        };
        let is_last = ends
            || !self.persists
            || is_old && (self.has_body && is_own || is_unmeasured())
            || response.extensions().get::<LeavesRequestUnread>().is_some();
        if is_last {
            if is_old {
                // else hyper adds `keep-alive` where the client has asked for it
                *response.version_mut() = self.version;
            }
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        is_last
    }
}
