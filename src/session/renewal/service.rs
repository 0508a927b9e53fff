//! The thread that renews, and what workers have of it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use ahash::RandomState;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_local;

use super::gate::ProviderGate;
use super::renewed::{RenewedSession, RenewedSessions};
use super::request::RenewalRequest;
use super::task::{Renewer, Wait};
use crate::ambient;
use crate::session::Sessions;
use crate::session::published::{Published, PublishedView};
use crate::token::SessionId;

/// Requests that wait to be looked at; further ones are dropped, and come again.
const QUEUE: usize = 1024;

/// Sessions that are renewed, or wait for their provider, at a time.
const UNDER_WAY: usize = 1024;

/// Sessions of which it is remembered that they were asked for.
const REMEMBERED: usize = 4096;

/// How often one worker asks for the same session.
const AGAIN: Duration = Duration::from_secs(1);

/// A handle to the service. Clones share it, and its thread ends with the last one.
#[derive(Clone)]
pub struct Renewals {
    queue: Sender<RenewalRequest>,
    renewed: Arc<Published<RenewedSessions>>,
}

/// One worker's end of the service.
pub struct RenewalView {
    queue: Sender<RenewalRequest>,
    renewed: PublishedView<RenewedSessions>,
    asked: RefCell<HashMap<SessionId, Instant>>,
}

impl Renewals {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(sessions: Sessions, hasher: &RandomState) -> io::Result<Self> {
        let (queue, requests) = channel(QUEUE);
        let renewed = Arc::new(Published::new(RenewedSessions::new(hasher)));
        let renewer = Renewer {
            sessions,
            renewed: Arc::clone(&renewed),
        };
        // made here: whatever is missing is missing at the start
        let runtime = || {
            Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
        };
        let run = move || match runtime() {
            Ok(runtime) => runtime.block_on(serve(requests, renewer)),
            Err(error) => tracing::error!(event = "renewals_failed", %error,
                "the system refuses what renews the sessions of providers: they last until they are to be renewed"),
        };
        thread::Builder::new()
            .name("renewals".to_owned())
            .spawn(run)?;
        Ok(Self { queue, renewed })
    }

    /// A view for one thread.
    pub fn view(&self) -> RenewalView {
        RenewalView {
            queue: self.queue.clone(),
            renewed: self.renewed.view(),
            asked: RefCell::default(),
        }
    }
}

impl RenewalView {
    /// What is known of a session beyond its cookie, if anything is. It waits for nobody.
    pub fn find(&self, session: &SessionId) -> Option<Arc<RenewedSession>> {
        self.renewed.look(|renewed| renewed.find(session))
    }

    /// Leaves word that a session is to be renewed, at most once a second for each. It waits for nobody; a word that is lost
    /// is repeated by the next request.
    pub fn request(&self, session: SessionId, request: impl FnOnce() -> RenewalRequest) {
        let (now, mut asked) = (ambient::now(), self.asked.borrow_mut());
        let recently = |at: &Instant| now.saturating_duration_since(*at) < AGAIN;
        if asked.get(&session).is_some_and(recently) {
            return;
        }
        if asked.len() >= REMEMBERED {
            asked.clear();
        }
        asked.insert(session, now);
        let _ = self.queue.try_send(request());
    }
}

/// What is under way.
#[derive(Default)]
struct Progress {
    under_way: HashSet<SessionId>,
    waits: HashMap<SessionId, Instant>,
    gates: HashMap<Box<str>, Rc<ProviderGate>>,
}

async fn serve(mut requests: Receiver<RenewalRequest>, renewer: Renewer) {
    let renewer = Rc::new(renewer);
    let progress = Rc::new(RefCell::new(Progress::default()));
    while let Some(request) = requests.recv().await {
        let session = request.session;
        let Some(gate) = progress.borrow_mut().begin(&request) else {
            continue;
        };
        let (renewer, progress) = (Rc::clone(&renewer), Rc::clone(&progress));
        spawn_local(async move {
            // also where a renewal panics, the session is renewed again
            let ended = UnderWay(progress, session);
            let wait = renewer.renew(request, &gate).await;
            ended.0.borrow_mut().wait(session, wait);
        });
    }
}

struct UnderWay(Rc<RefCell<Progress>>, SessionId);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.borrow_mut().under_way.remove(&self.1);
    }
}

impl Progress {
    /// Begins a renewal, unless the session is being renewed, or is to wait.
    fn begin(&mut self, request: &RenewalRequest) -> Option<Rc<ProviderGate>> {
        let session = request.session;
        let waits = |until: &Instant| ambient::now() < *until;
        let is_wanted = self.under_way.len() < UNDER_WAY
            && !self.waits.get(&session).is_some_and(waits)
            && self.under_way.insert(session);
        let gate = || Rc::new(ProviderGate::new());
        is_wanted.then(|| {
            let gates = self.gates.entry(request.provider.name().into());
            Rc::clone(gates.or_insert_with(gate))
        })
    }

    fn wait(&mut self, session: SessionId, wait: Wait) {
        self.waits.remove(&session);
        if wait == Wait::Done {
            return;
        }
        if self.waits.len() >= REMEMBERED {
            let now = ambient::now();
            self.waits.retain(|_, until| now < *until);
        }
        if self.waits.len() < REMEMBERED {
            self.waits.insert(session, ambient::now() + wait.duration());
        }
    }
}

impl fmt::Debug for Renewals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewals")
    }
}
