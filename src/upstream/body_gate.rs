//! A gate that holds a body back until the upstream sends `100 Continue` (RFC 9110, section 10.1.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Holds a request body back until the upstream sends `100 Continue`. Shared with the callback for interim responses.
#[derive(Debug)]
pub struct BodyGate(Mutex<State>);

#[derive(Debug)]
enum State {
    Shut(Option<Waker>),
    Open,
}

impl BodyGate {
    /// A gate that waits for the upstream's word.
    pub(super) fn shut() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Shut(None))))
    }

    /// Lets the body pass, whatever the upstream has sent.
    pub(super) fn open(&self) {
        if let State::Shut(Some(waker)) = std::mem::replace(&mut *self.state(), State::Open) {
            waker.wake();
        }
    }

    /// Whether the body is still held back.
    pub fn is_shut(&self) -> bool {
        matches!(*self.state(), State::Shut(_))
    }

    /// Ready once the body may pass.
    pub(super) fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        match &mut *self.state() {
            State::Open => Poll::Ready(()),
            State::Shut(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // nothing can panic while it is held
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
