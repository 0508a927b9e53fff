//! One connection that many requests wait for: it is opened once, and goes on being opened when one of them goes away.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::rc::Rc;

use tokio::sync::Notify;

use super::error::ForwardError;

/// Opens one connection at a time. `T` is the result that all waiters share (single flight).
pub(super) struct SingleFlight<T>(RefCell<Option<Rc<Opening<T>>>>);

struct Opening<T> {
    outcome: OnceCell<Result<T, ForwardError>>,
    over: Notify,
}

/// Ends an opening, by a panic too: nobody is left waiting.
struct Opener<T> {
    opening: Rc<Opening<T>>,
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(RefCell::new(None))
    }
}

impl<T: Clone + 'static> SingleFlight<T> {
    /// Waits for the connection that is being opened, or begins to open it.
    pub(super) async fn pass<F>(&self, open: impl FnOnce() -> F) -> Result<T, ForwardError>
    where
        F: Future<Output = Result<T, ForwardError>> + 'static,
    {
        let opening = self.join(open);
        let over = opening.over.notified();
        if opening.outcome.get().is_none() {
            over.await;
        }
        match opening.outcome.get() {
            Some(Ok(opened)) => Ok(opened.clone()),
            Some(Err(error)) => Err(error.echo()),
            None => Err(interrupted()),
        }
    }

    fn join<F>(&self, open: impl FnOnce() -> F) -> Rc<Opening<T>>
    where
        F: Future<Output = Result<T, ForwardError>> + 'static,
    {
        let mut current = self.0.borrow_mut();
        if let Some(opening) = current.as_ref().filter(|opening| !opening.is_over()) {
            return Rc::clone(opening);
        }
        let opening = Rc::new(Opening {
            outcome: OnceCell::new(),
            over: Notify::new(),
        });
        *current = Some(Rc::clone(&opening));
        let (opener, opened) = (
            Opener {
                opening: Rc::clone(&opening),
            },
            open(),
        );
        tokio::task::spawn_local(async move { opener.end(opened.await) });
        opening
    }
}

impl<T> Opening<T> {
    fn is_over(&self) -> bool {
        self.outcome.get().is_some()
    }
}

impl<T> Opener<T> {
    fn end(self, outcome: Result<T, ForwardError>) {
        // it is set once: the opener ends here
        let _ = self.opening.outcome.set(outcome);
    }
}

impl<T> Drop for Opener<T> {
    fn drop(&mut self) {
        self.opening.outcome.get_or_init(|| Err(interrupted()));
        self.opening.over.notify_waiters();
    }
}

fn interrupted() -> ForwardError {
    ForwardError::Opening("it was given up while it was opened".to_owned())
}

#[cfg(test)]
mod tests;
