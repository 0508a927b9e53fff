//! Step 8: the answer's body, which knows when the request is over.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body::{Body, Frame, SizeHint};

use super::record::RequestRecord;
use super::tunnel::Tunnel;
use crate::telemetry::access_log::Aborted;
use crate::telemetry::metrics::UpstreamErrorKind;
use crate::upstream::{AnswerFault, ResponseBody};
use crate::wire::grpc_success;

/// What becomes of a request.
pub struct Reply {
    /// The answer.
    pub response: Response<ReplyBody>,
    /// Where client and upstream leave HTTP with this answer: what comes behind it.
    pub tunnel: Option<Box<Tunnel>>,
    /// Whether the gateway itself answers, and may have left the request's body unread.
    pub is_own: bool,
}

impl Reply {
    /// An answer of the gateway's own.
    pub(super) fn own(response: Response<ReplyBody>) -> Self {
        Self {
            response,
            tunnel: None,
            is_own: true,
        }
    }
}

/// What the operator adds to every answer on a service's paths.
pub(super) fn add_own_fields(record: &RequestRecord, fields: &mut HeaderMap) {
    let Some(service) = record.service() else {
        return;
    };
    if let (Some(cors), Some(verdict)) = (&service.cors, &record.facts.cors) {
        cors.apply(verdict, fields);
    }
    if let (Some(limits), Some(levels)) = (&service.limits, &record.facts.levels) {
        limits.tell(record.facts.rule, levels, fields);
    }
    service.response_fields.apply(fields);
}

/// The body of an answer. When it is dropped, the request is written down.
pub struct ReplyBody {
    source: Source,
    taken: Taken,
    /// `None` where the request is not over with this body: bytes of another protocol follow.
    record: Option<Box<RequestRecord>>,
}

/// What becomes of the pieces that are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// As far as is known the client gets them all.
    Wholly,
    /// It does not.
    Partly,
}

enum Source {
    /// The gateway's own words; `None` once they are handed over.
    Own(Option<Bytes>),
    /// An answer of gRPC, and what stands behind it; each `None` once it is handed over.
    Call(Option<Bytes>, Option<HeaderMap>),
    /// The upstream's.
    Upstream(ResponseBody),
    /// The upstream's, of which the beginning was read already; `None` once that is handed over.
    Begun(Option<Bytes>, ResponseBody),
}

impl ReplyBody {
    pub(super) fn own(response: Response<Bytes>, record: Box<RequestRecord>) -> Response<Self> {
        response.map(|bytes| {
            Self::new(
                Source::Own(Some(bytes).filter(|bytes| !bytes.is_empty())),
                record,
            )
        })
    }

    /// With the trailers of a call that has an answer.
    pub(super) fn call(response: Response<Bytes>, record: Box<RequestRecord>) -> Response<Self> {
        let trailers = Some(grpc_success());
        response.map(|bytes| Self::new(Source::Call(Some(bytes), trailers), record))
    }

    pub(super) fn upstream(
        response: Response<ResponseBody>,
        record: Box<RequestRecord>,
    ) -> Response<Self> {
        response.map(|body| Self::new(Source::Upstream(body), record))
    }

    /// `begun` comes before what is left of the body.
    pub(super) fn begun(
        begun: Bytes,
        response: Response<ResponseBody>,
        record: Box<RequestRecord>,
    ) -> Response<Self> {
        response.map(|body| {
            Self::new(
                Source::Begun(Some(begun).filter(|begun| !begun.is_empty()), body),
                record,
            )
        })
    }

    /// No body, and not the end of the request.
    pub(super) fn none() -> Self {
        Self {
            source: Source::Own(None),
            taken: Taken::Wholly,
            record: None,
        }
    }

    fn new(source: Source, mut record: Box<RequestRecord>) -> Self {
        // the body of an answer to HEAD is never asked for
        if record.facts.method == Method::HEAD {
            record.aborted = None;
        }
        Self {
            source,
            taken: Taken::Wholly,
            record: Some(record),
        }
    }

    /// Says that the client has not taken all that was handed over, though it may have been the whole body.
    pub fn break_off(&mut self) {
        self.taken = Taken::Partly;
    }

    fn note(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, AnswerFault>>>) {
        let Some(record) = &mut self.record else {
            return;
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                record.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                // the last piece: hyper does not ask for more behind it
                if frame.is_trailers() {
                    record.aborted = None;
                }
            }
            Poll::Ready(Some(Err(error))) => {
                record.aborted = Some(Aborted::Upstream);
                record.facts.reason = Some(format!("the upstream's answer broke off: {error}"));
                record.metrics().upstream_error(match error {
                    AnswerFault::Broken(_) => UpstreamErrorKind::Reset,
                    AnswerFault::TimedOut => UpstreamErrorKind::ResponseTimeout,
                });
            }
            Poll::Ready(None) => record.aborted = None,
            Poll::Pending => {}
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = AnswerFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let polled = match &mut self.source {
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Call(bytes, trailers) => {
                let data = bytes.take().map(Frame::data);
                let frame = data.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            Source::Upstream(body) | Source::Begun(None, body) => Pin::new(body).poll_frame(cx),
            Source::Begun(begun, _) => {
                Poll::Ready(begun.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        };
        self.note(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_none(),
            Source::Call(bytes, trailers) => bytes.is_none() && trailers.is_none(),
            Source::Upstream(body) | Source::Begun(None, body) => body.is_end_stream(),
            Source::Begun(Some(_), _) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Upstream(body) | Source::Begun(None, body) => body.size_hint(),
            // what was announced counts as long as the whole of it is still to come
            Source::Begun(Some(begun), body) => match body.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(rest + begun.len() as u64),
                None => SizeHint::default(),
            },
            Source::Call(..) => SizeHint::default(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        let whole = self.is_end_stream();
        let Some(record) = &mut self.record else {
            return;
        };
        match self.taken {
            Taken::Wholly if whole => record.aborted = None,
            Taken::Wholly => {}
            Taken::Partly => record.aborted = record.aborted.or(Some(Aborted::Client)),
        }
    }
}
