//! How many sessions of one provider are renewed at a time, and when it is tried again after it was away.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ambient;

/// Requests to one provider at a time.
const AT_ONCE: usize = 8;

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The way to one provider. After a failure it is shut for a while, and then lets one through at a time until that succeeds.
pub(super) struct ProviderGate {
    places: Arc<Semaphore>,
    failures: Cell<u32>,
    opens_at: Cell<Option<Instant>>,
    is_tried: Cell<bool>,
}

/// A place at the provider.
pub(super) struct Passage {
    gate: Rc<ProviderGate>,
    is_try: bool,
    _place: OwnedSemaphorePermit,
}

impl ProviderGate {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            failures: Cell::new(0),
            opens_at: Cell::new(None),
            is_tried: Cell::new(false),
        }
    }

    /// A place, as soon as there is one; `None` where the gate is shut.
    pub(super) async fn pass(self: &Rc<Self>) -> Option<Passage> {
        if self.is_shut() {
            return None;
        }
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        // who waited may have waited for a failure
        if self.is_shut() {
            return None;
        }
        let is_try = self.failures.get() > 0;
        if is_try {
            self.is_tried.set(true);
        }
        Some(Passage {
            gate: Rc::clone(self),
            is_try,
            _place: place,
        })
    }

    fn is_shut(&self) -> bool {
        let rests = self.opens_at.get().is_some_and(|at| ambient::now() < at);
        rests || self.is_tried.get()
    }
}

impl Passage {
    /// The provider has answered; says whether it had been away.
    pub(super) fn succeeded(&self) -> bool {
        self.gate.opens_at.set(None);
        self.gate.failures.replace(0) > 0
    }

    /// The provider is away; says whether it was there before.
    pub(super) fn failed(&self) -> bool {
        let gate = &self.gate;
        let before = gate.failures.get();
        // those that were on their way when it went count as one failure
        if before == 0 || self.is_try {
            let doubled = FIRST_PAUSE * 2_u32.saturating_pow(before.min(16));
            let pause = doubled.min(LONGEST_PAUSE);
            gate.failures.set(before.saturating_add(1));
            gate.opens_at.set(Some(ambient::now() + pause));
        }
        before == 0
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.is_try {
            self.gate.is_tried.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pauses(gate: &Rc<ProviderGate>, failures: usize) -> Vec<u64> {
        let mut pauses = Vec::new();
        for _ in 0..failures {
            gate.opens_at.set(None);
            let passage = gate.pass().await.unwrap();
            let before = ambient::now();
            passage.failed();
            let pause = gate.opens_at.get().unwrap() - before;
            pauses.push(pause.as_secs());
        }
        pauses
    }

    #[tokio::test]
    async fn a_provider_that_is_away_is_tried_by_one_with_growing_pauses() {
        let gate = Rc::new(ProviderGate::new());
        let mut many = Vec::new();
        for _ in 0..AT_ONCE {
            many.push(gate.pass().await.unwrap());
        }
        assert!(many[0].failed(), "it was there before");
        assert!(!many[1].failed() && gate.failures.get() == 1);
        many.clear();
        assert!(gate.pass().await.is_none(), "it is shut");
        gate.opens_at.set(None);
        let one = gate.pass().await.unwrap();
        assert!(gate.pass().await.is_none(), "one tries");
        drop(one);
        assert_eq!(pauses(&gate, 8).await, [2, 4, 8, 16, 32, 60, 60, 60]);
        gate.opens_at.set(None);
        let one = gate.pass().await.unwrap();
        assert!(one.succeeded() && !one.succeeded());
        drop(one);
        assert!(gate.pass().await.is_some() && gate.pass().await.is_some());
        assert_eq!(pauses(&gate, 1).await, [1]);
    }
}
