//! The streams of an HTTP/2 connection, each a task on the connection's own thread.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
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
        Self { next: Rc::default(), ticker, longest }
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
        let mut patience = Patience::new(handover, self.ticker.clone(), self.longest);
        spawn_local(async move {
            let mut stream = pin!(stream);
            poll_fn(|cx| match stream.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                // dropping a stream that is not at its end resets it
                Poll::Pending => patience.poll_over(cx),
            })
            .await;
        });
    }
}
