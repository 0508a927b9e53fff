//! Several ways to the same place: the first that works wins (after RFC 8305, section 5).

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::sleep;

/// How long one attempt is given before the next one is begun beside it.
const HEAD_START: Duration = Duration::from_millis(250);

type Attempt<F> = Pin<Box<F>>;

/// Begins the attempts one after the other: the next one when the last has failed, or has not ended for a while.
/// The first success ends all others; otherwise the last failure is returned. `None` where there is nothing to attempt.
pub(super) async fn race<T, E, F>(attempts: impl IntoIterator<Item = F>) -> Option<Result<T, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = attempts.into_iter();
    let mut running: Vec<Attempt<F>> = Vec::new();
    let mut failure = None;
    loop {
        match waiting.next() {
            Some(next) => running.push(Box::pin(next)),
            None if running.is_empty() => return failure.map(Err),
            None => {}
        }
        let more = waiting.size_hint().1 != Some(0);
        match step(&mut running, more).await {
            Step::Won(value) => return Some(Ok(value)),
            Step::Lost(error) => failure = Some(error),
            Step::Slow => {}
        }
    }
}

/// What happened next.
enum Step<T, E> {
    Won(T),
    Lost(E),
    /// Nothing, for a while.
    Slow,
}

async fn step<T, E, F>(running: &mut Vec<Attempt<F>>, more: bool) -> Step<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut head_start = pin!(sleep(HEAD_START));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = poll_any(running, cx) {
            return Poll::Ready(match outcome {
                Ok(value) => Step::Won(value),
                Err(error) => Step::Lost(error),
            });
        }
        if more {
            head_start.as_mut().poll(cx).map(|()| Step::Slow)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Polls all attempts; one that has ended is taken out.
fn poll_any<F: Future>(running: &mut Vec<Attempt<F>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    for index in 0..running.len() {
        if let Poll::Ready(outcome) = running[index].as_mut().poll(cx) {
            drop(running.remove(index));
            return Poll::Ready(outcome);
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
