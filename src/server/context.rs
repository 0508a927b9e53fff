//! What the connections of one worker share.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::ambient::Ticker;
use crate::gateway::Worker;

/// The open connections of the whole process.
pub(super) type OpenConnections = Arc<AtomicUsize>;

/// What the connections of one worker share.
pub(super) struct Context {
    pub(super) gateway: Rc<Worker>,
    pub(super) ticker: Ticker,
    all_open: OpenConnections,
    open: Cell<usize>,
    draining: Cell<bool>,
    closed: Notify,
}

/// One open connection; dropping it counts it out.
pub(super) struct OpenConnection(Rc<Context>);

impl Context {
    pub(super) fn new(gateway: Worker, ticker: Ticker, all_open: OpenConnections) -> Self {
        let gateway = Rc::new(gateway);
        Self { gateway, ticker, all_open, open: Cell::new(0), draining: Cell::new(false), closed: Notify::new() }
    }

    /// Counts a connection in; `None` where the process has as many as it may have.
    pub(super) fn open(self: &Rc<Self>, limit: usize) -> Option<OpenConnection> {
        if self.all_open.fetch_add(1, Ordering::Relaxed) >= limit {
            self.all_open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.open.set(self.open.get() + 1);
        Some(OpenConnection(Rc::clone(self)))
    }

    /// Whether connections end after the answer they are giving.
    pub(super) fn drains(&self) -> bool {
        self.draining.get()
    }

    /// Lets every connection end after the answer it is giving, and waits for the last one.
    pub(super) async fn drain(&self) {
        self.draining.set(true);
        self.ticker.wake_all();
        while self.open.get() > 0 {
            self.closed.notified().await;
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.all_open.fetch_sub(1, Ordering::Relaxed);
        self.0.open.set(self.0.open.get() - 1);
        self.0.closed.notify_one();
    }
}
