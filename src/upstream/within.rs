//! Futures that are waited for until a deadline.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::ambient::Deadline;

/// Waits for something until a deadline has passed; then there is `None`.
pub(super) async fn within<F: Future>(deadline: &Deadline, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => deadline.poll_passed(cx).map(|()| None),
    })
    .await
}
