//! The body of a client's request, and what becomes of it where nobody reads it to its end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::attempt::within;
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
}

impl ClientBody {
    /// Of a request over HTTP/1.1.
    pub fn http1(incoming: Incoming) -> Self {
        Self {
            incoming: Some(incoming),
            ticker: None,
        }
    }

    /// Of a request over HTTP/2.
    pub fn http2(incoming: Incoming, ticker: &Ticker) -> Self {
        let late = !incoming.is_end_stream();
        Self {
            incoming: Some(incoming),
            ticker: late.then(|| ticker.clone()),
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
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
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
