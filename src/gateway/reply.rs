//! Step 8: the answer's body, which knows when the request is over.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};

use super::record::Record;
use crate::telemetry::access_log::Aborted;
use crate::telemetry::metrics::UpstreamErrorKind;
use crate::upstream::ResponseBody;

/// The body of an answer. When it is dropped, the request is written down.
pub struct ReplyBody {
    source: Source,
    record: Box<Record>,
}

enum Source {
    /// The gateway's own words; `None` once they are handed over.
    Own(Option<Bytes>),
    /// The upstream's.
    Upstream(ResponseBody),
    /// The upstream's, of which the beginning was read already; `None` once that is handed over.
    Begun(Option<Bytes>, ResponseBody),
}

impl ReplyBody {
    pub(super) fn own(response: Response<Bytes>, record: Record) -> Response<Self> {
        response.map(|bytes| Self::new(Source::Own(Some(bytes).filter(|bytes| !bytes.is_empty())), record))
    }

    pub(super) fn upstream(response: Response<ResponseBody>, record: Record) -> Response<Self> {
        response.map(|body| Self::new(Source::Upstream(body), record))
    }

    /// `begun` comes before what is left of the body.
    pub(super) fn begun(begun: Bytes, response: Response<ResponseBody>, record: Record) -> Response<Self> {
        response.map(|body| Self::new(Source::Begun(Some(begun).filter(|begun| !begun.is_empty()), body), record))
    }

    fn new(source: Source, mut record: Record) -> Self {
        // the body of an answer to HEAD is never asked for
        if record.method == Method::HEAD {
            record.aborted = None;
        }
        Self { source, record: Box::new(record) }
    }

    fn count(&mut self, frame: &Frame<Bytes>) {
        self.record.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = match &mut self.source {
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Upstream(body) | Source::Begun(None, body) => Pin::new(body).poll_frame(cx),
            Source::Begun(begun, _) => Poll::Ready(begun.take().map(|bytes| Ok(Frame::data(bytes)))),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.count(frame),
            Poll::Ready(Some(Err(error))) => {
                self.record.aborted = Some(Aborted::Upstream);
                self.record.reason = Some(format!("the upstream's answer broke off: {error}"));
                self.record.metrics().upstream_error(UpstreamErrorKind::Reset);
            }
            Poll::Ready(None) => self.record.aborted = None,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_none(),
            Source::Upstream(body) | Source::Begun(None, body) => body.is_end_stream(),
            Source::Begun(Some(_), _) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Upstream(body) | Source::Begun(None, body) => body.size_hint(),
            Source::Begun(Some(_), _) => SizeHint::default(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.record.aborted = None;
        }
    }
}
