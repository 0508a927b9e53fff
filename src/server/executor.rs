//! The streams of an HTTP/2 connection, each a task on the connection's own thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::task::spawn_local;

use super::timed_body::{Handover, Patience};
use crate::ambient::Ticker;

/// Runs the streams of one connection.
#[derive(Clone)]
pub(super) struct StreamExecutor {
    next: Rc<RefCell<Option<Rc<Handover>>>>,
    ticker: Ticker,
    longest: Duration,
}

impl StreamExecutor {
    /// Streams whose client leaves a piece for longer than this are reset.
    pub(super) fn new(ticker: Ticker, longest: Duration) -> Self {
        Self {
            next: Rc::default(),
            ticker,
            longest,
        }
    }

    /// For the stream that is started next: hyper calls the service, and executes the stream right after it.
    pub(super) fn announce(&self) -> Rc<Handover> {
        let handover = Rc::new(Handover::default());
        *self.next.borrow_mut() = Some(Rc::clone(&handover));
        handover
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let Some(handover) = self.next.borrow_mut().take() else {
            // an upgraded stream, whose bytes are not an answer's
            spawn_local(stream);
            return;
        };
        let patience = Patience::new(handover, self.ticker.clone(), self.longest);
        spawn_local(Watched { stream, patience });
    }
}

pin_project! {
    /// A stream that is given up when its client does not take a piece in time. An `async` block would hold the stream twice,
    /// before its first poll and after it, and every stream is moved several times on its way to its task.
    struct Watched<F> {
        #[pin]
        stream: F,
        patience: Patience,
    }
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        match this.stream.poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            // dropping a stream that is not at its end resets it
            Poll::Pending => this.patience.poll_over(cx),
        }
    }
}
