//! The body of a client's request, and what becomes of it where nobody reads it to its end.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::within::within;
use crate::ambient::Ticker;

/// How long what a client still sends is taken in and thrown away.
const MOMENT: Duration = Duration::from_secs(1);

/// The body of a client's request.
///
/// Of HTTP/2, one that is given up is taken in for a moment: h2 resets the stream as soon as the body is dropped, and clients
/// such as curl 7.88 drop an answer whose reset comes with it. The reset is NO_ERROR then, and releases a client that
/// still writes (RFC 9113, section 8.1). Of HTTP/1.1, the connection sees to the same.
pub struct ClientBody {
    /// Taken when it is dropped.
    incoming: Option<Incoming>,
    /// Only where it is to be taken in.
    ticker: Option<Ticker>,
    /// To be set when all of it was received.
    received: Option<Rc<Cell<bool>>>,
}

impl ClientBody {
    /// Of a request over HTTP/1.1. `received` is set when all of it was received.
    pub fn http1(incoming: Incoming, received: Option<Rc<Cell<bool>>>) -> Self {
        Self {
            incoming: Some(incoming),
            ticker: None,
            received,
        }
    }

    /// Of a request over HTTP/2.
    pub fn http2(incoming: Incoming, ticker: &Ticker) -> Self {
        let late = !incoming.is_end_stream();
        Self {
            incoming: Some(incoming),
            ticker: late.then(|| ticker.clone()),
            received: None,
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        let is_over = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => incoming.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if is_over && let Some(received) = &self.received {
            received.set(true);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let exact = || SizeHint::with_exact(0);
        self.incoming.as_ref().map_or_else(exact, Body::size_hint)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        let Some(ticker) = self.ticker.take() else {
            return;
        };
        if let Some(incoming) = self.incoming.take()
            && !incoming.is_end_stream()
            // not where the thread ends
            && Handle::try_current().is_ok()
        {
            tokio::task::spawn_local(take_in(incoming, ticker));
        }
    }
}

async fn take_in(mut incoming: Incoming, ticker: Ticker) {
    let deadline = ticker.deadline();
    deadline.arm(MOMENT);
    within(&deadline, async {
        while let Some(Ok(_)) = incoming.frame().await {}
    })
    .await;
}
