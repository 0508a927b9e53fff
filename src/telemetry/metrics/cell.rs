//! Single numbers: written by one thread, read by the scrape.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::labels::Label;

/// Takes `Sync` away: a handle may move to another thread, but two threads never write through it at once.
pub(super) type OneWriter = PhantomData<Cell<()>>;

/// A counter with a single writer. A load and a store are enough for one, and cost no locked instruction.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, amount: u64) {
        self.0
            .store(self.read().wrapping_add(amount), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One counter for each value of a label, with a single writer.
#[derive(Debug)]
pub(super) struct Counters<L> {
    cells: Box<[Counter]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Counters<L> {
    pub(super) fn new() -> Self {
        Self {
            cells: L::ALL.iter().map(|_| Counter::default()).collect(),
            label: PhantomData,
        }
    }

    pub(super) fn increment(&self, label: L) {
        self.cells[label.index()].add(1);
    }

    pub(super) fn read(&self, label: L) -> u64 {
        self.cells[label.index()].read()
    }

    pub(super) fn sum(&self) -> u64 {
        self.cells.iter().map(Counter::read).sum()
    }
}

/// One counter for each value of a label, for rare things that any thread may count.
#[derive(Debug)]
pub(super) struct SharedCounters<L> {
    cells: Box<[AtomicU64]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> SharedCounters<L> {
    pub(super) fn new() -> Self {
        Self {
            cells: L::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            label: PhantomData,
        }
    }

    pub(super) fn increment(&self, label: L) {
        self.cells[label.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, label: L) -> u64 {
        self.cells[label.index()].load(Ordering::Relaxed)
    }
}

/// One worker's part of a number that goes up and down.
#[derive(Debug)]
pub struct Gauge {
    level: Arc<Level>,
    writer: OneWriter,
}

/// Counts as one in a [`Gauge`] for as long as it lives. It belongs on the thread of its worker.
#[derive(Debug)]
#[must_use = "it counts only while it lives"]
pub struct GaugeGuard {
    level: Arc<Level>,
    writer: OneWriter,
}

#[derive(Debug, Default)]
pub(super) struct Level(AtomicI64);

impl Gauge {
    pub(super) fn new(level: &Arc<Level>) -> Self {
        Self {
            level: Arc::clone(level),
            writer: PhantomData,
        }
    }

    /// One more.
    pub fn raise(&self) {
        self.level.shift(1);
    }

    /// One less.
    pub fn lower(&self) {
        self.level.shift(-1);
    }

    /// One more, until what it gives is dropped.
    pub fn hold(&self) -> GaugeGuard {
        self.raise();
        GaugeGuard {
            level: Arc::clone(&self.level),
            writer: PhantomData,
        }
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.level.shift(-1);
    }
}

impl Level {
    fn shift(&self, by: i64) {
        self.0
            .store(self.read().wrapping_add(by), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_gauge_falls_back_when_dropped() {
        let level = Arc::new(Level::default());
        let gauge = Gauge::new(&level);
        let (first, second) = (gauge.hold(), gauge.hold());
        assert_eq!(level.read(), 2);
        drop(first);
        assert_eq!(level.read(), 1);
        drop(second);
        assert_eq!(level.read(), 0);
    }
}
