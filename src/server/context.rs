//! What the connections of one worker share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::capacity::Room;
use super::rejections::Rejections;
use super::stream::Stream;
use super::terms::Terms;
use super::tls::ListenerTls;
use super::turned_away::TurnedAway;
use crate::ambient::Ticker;
use crate::gateway::{Snapshot, TrustGeneration, Worker};

/// The open connections of the whole process.
pub(super) type OpenConnections = Arc<AtomicUsize>;

/// How long a kept connection stays open when the gateway drains: the next request of a busy client is on its way, and
/// closing at once would lose it.
const LINGER: Duration = Duration::from_millis(500);

/// What becomes of connections when they have nothing to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// They are kept.
    Serving,
    /// They are kept a moment longer, and the next answer of each is its last.
    LastAnswers,
    /// They are closed.
    Closing,
}

/// What the connections of one worker share.
pub(super) struct Context {
    pub(super) gateway: Rc<Worker>,
    pub(super) ticker: Ticker,
    pub(super) rejections: Rejections,
    tls: Option<Arc<ListenerTls>>,
    /// Those of the connection that was accepted last.
    terms: RefCell<Option<Rc<Terms>>>,
    pub(super) turned_away: TurnedAway,
    all_open: OpenConnections,
    pub(super) room: Arc<Room>,
    open: Cell<usize>,
    phase: Cell<Phase>,
    /// Which settings identify the clients of connections that are accepted now.
    trust: Cell<TrustGeneration>,
    closed: Notify,
}

/// One open connection; dropping it counts it out.
pub(super) struct OpenConnection(Rc<Context>);

impl Context {
    pub(super) fn new(
        gateway: Worker,
        ticker: Ticker,
        tls: Option<Arc<ListenerTls>>,
        all_open: OpenConnections,
        room: Arc<Room>,
    ) -> Self {
        let gateway = Rc::new(gateway);
        Self {
            rejections: Rejections::new(Rc::clone(&gateway)),
            gateway,
            ticker,
            tls,
            terms: RefCell::default(),
            turned_away: TurnedAway::default(),
            all_open,
            room,
            open: Cell::new(0),
            phase: Cell::new(Phase::Serving),
            trust: Cell::default(),
            closed: Notify::new(),
        }
    }

    /// What a connection must be accepted with; a unix socket never leaves the machine, and has no need of TLS.
    pub(super) fn tls_of(&self, stream: &Stream) -> Option<TlsAcceptor> {
        match stream {
            Stream::Tcp(_) => self.tls.as_deref().map(ListenerTls::acceptor),
            Stream::Unix(_) | Stream::Tls(_) => None,
        }
    }

    /// The terms of a new connection.
    pub(super) fn terms(&self, snapshot: &Snapshot) -> Rc<Terms> {
        let mut terms = self.terms.borrow_mut();
        match &*terms {
            Some(terms) if terms.are_those_of(snapshot) => Rc::clone(terms),
            Some(_) | None => {
                let server = snapshot.server();
                let frugal = self.room.frugal;
                let new = Terms::new(server, snapshot.trust(), frugal);
                Rc::clone(terms.insert(Rc::new(new)))
            }
        }
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

    /// Whether an answer that begins now is the last one of a connection with these terms.
    pub(super) fn ends(&self, terms: &Terms) -> bool {
        self.phase.get() != Phase::Serving || self.is_outdated(terms)
    }

    /// Whether a connection with these terms is closed while it waits for a request. Where its terms are outdated, a
    /// request that is on its way would be refused.
    pub(super) fn closes_idle(&self, terms: &Terms) -> bool {
        self.closes_all_idle() || self.is_outdated(terms)
    }

    /// Whether every connection that waits for a request is closed.
    pub(super) fn closes_all_idle(&self) -> bool {
        self.phase.get() == Phase::Closing
    }

    /// Whether a client might be another one by the settings in force now. The worker is asked, which may not have been
    /// notified yet of a reload that is over.
    fn is_outdated(&self, terms: &Terms) -> bool {
        terms.trust < self.gateway.trust()
    }

    /// Takes note of the snapshot in force: connections that were accepted under other trust end after the answer that
    /// they are giving.
    pub(super) fn follow(&self, snapshot: &Snapshot) {
        if self.trust.replace(snapshot.trust()) != snapshot.trust() {
            self.ticker.wake_all();
        }
    }

    /// Lets every connection end after the answer it is giving, and waits for the last one.
    pub(super) async fn drain(&self) {
        self.phase.set(Phase::LastAnswers);
        // HTTP/2 connections receive GOAWAY before their next request
        self.ticker.wake_all();
        if timeout(LINGER, self.all_closed()).await.is_err() {
            self.phase.set(Phase::Closing);
            self.ticker.wake_all();
            self.all_closed().await;
        }
    }

    async fn all_closed(&self) {
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
