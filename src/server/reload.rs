//! Reload: when a file of the configuration changes, or on SIGHUP. A bad file is never applied.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::file_watch::{Coverage, FileWatch};
use super::manager::{self, ManagerWaits, Reread};
use super::reseal::reseal;
use super::retired_snapshots::RetiredSnapshots;
use super::tls::ListenerTls;
use super::{operators, sinks};
use crate::admin::Loads;
use crate::ambient;
use crate::config::{self, Config, LoadRequest, Loaded, Problem, Problems, Severity};
use crate::gateway::{CurrentSnapshot, ProcessState, Snapshot, audit_changes};
use crate::session::StateSettings;
use crate::telemetry::audit::AuditSink;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::{Metrics, ReloadOutcome};
use crate::users::{PasswordChanges, PasswordOrder};

/// How long the files must be left alone before they are read: editors and deployments write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// How long a file that never rests is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Why the configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FilesChanged,
    /// Files were read before they were watched, and may have changed in between.
    NewlyWatched,
    Signal,
    Stop,
}

impl Trigger {
    fn asked(self) -> ManagerWaits {
        match self {
            Self::Signal => ManagerWaits::Yes,
            Self::FilesChanged | Self::NewlyWatched | Self::Stop => ManagerWaits::No,
        }
    }
}

/// What the thread is told.
enum Word {
    Reload(Trigger),
    /// Somebody has chosen another password: the user list is changed, and read again.
    Change(PasswordOrder),
}

/// Both ends of what the thread is told. They are made before it: what it replaces holds the sending end.
pub(super) struct ReloadQueue {
    words: Sender<Word>,
    received: Receiver<Word>,
}

impl ReloadQueue {
    pub(super) fn new() -> Self {
        let (words, received) = channel();
        Self { words, received }
    }

    /// Where people's changes of their passwords go.
    pub(super) fn password_changes(&self) -> PasswordChanges {
        let words = self.words.clone();
        PasswordChanges::new(move |order| {
            // whoever waits hears of it where the thread is gone: the order is dropped
            let _ = words.send(Word::Change(order));
        })
    }
}

/// The parts of the process that a reload replaces.
pub(super) struct ReloadTarget {
    pub(super) shared: Arc<CurrentSnapshot>,
    /// `None` where clients are served in the clear.
    pub(super) tls: Option<Arc<ListenerTls>>,
    pub(super) process_state: ProcessState,
    pub(super) metrics: Arc<Metrics>,
    /// The state that operators see.
    pub(super) loads: Arc<Loads>,
    pub(super) events: Option<Events>,
}

/// The files of the configuration in force, and the settings that only a restart changes.
pub(super) struct LoadedFiles {
    pub(super) files: Vec<PathBuf>,
    pub(super) digest: [u8; 32],
    pub(super) fixed: Fixed,
}

/// Settings that are used once, at the start.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    listen: Vec<config::Listen>,
    tls: Transport,
    admin: Option<std::net::SocketAddr>,
    workers: usize,
    format: config::LogFormat,
    state: StateSettings,
    audit: Option<AuditSink>,
}

/// How clients are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Clear,
    Tls,
}

/// Asks for a reload; dropping it ends the reloads.
pub(super) struct Reloads {
    words: Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            tls: if config.server.tls.is_some() {
                Transport::Tls
            } else {
                Transport::Clear
            },
            admin: config.admin,
            workers: config.server.workers,
            format: config.log.format,
            state: config.state.clone(),
            audit: config.log.audit.clone(),
        }
    }

    /// What is another in `new`, as it is called in the configuration.
    fn changed(&self, new: &Self) -> Vec<&'static str> {
        let all = [
            ("`server.listen`", self.listen != new.listen),
            ("whether there is a `server.tls`", self.tls != new.tls),
            ("`admin.listen`", self.admin != new.admin),
            ("`server.workers`", self.workers != new.workers),
            ("`log.format`", self.format != new.format),
            ("`state`", self.state != new.state),
            ("`log.audit`", self.audit != new.audit),
        ];
        let changed = all.into_iter().filter(|(_, differs)| *differs);
        changed.map(|(name, _)| name).collect()
    }
}

impl Reloads {
    /// Watches the files from now on, on a thread of its own: reading 100,000 users takes a while.
    pub(super) fn start(
        queue: ReloadQueue,
        request: LoadRequest,
        present: LoadedFiles,
        target: ReloadTarget,
    ) -> std::io::Result<Self> {
        let ReloadQueue { words, received } = queue;
        let changes = words.clone();
        let watch = FileWatch::start(move || {
            // it fails only where the thread is gone
            let _ = changes.send(Word::Reload(Trigger::FilesChanged));
        });
        let last = Last::Accepted;
        let mut reloader = Reloader {
            request,
            present,
            target,
            watch,
            words: words.clone(),
            last,
            retired_snapshots: RetiredSnapshots::new(),
        };
        reloader.follow(&[]);
        let thread = std::thread::Builder::new()
            .name("reload".to_owned())
            .spawn(move || reloader.run(&received))?;
        Ok(Self {
            words,
            thread: Some(thread),
        })
    }

    /// Reads the configuration again, whether or not a file has changed.
    pub(super) fn request(&self) {
        // it fails only where the thread is gone, and then nothing can be done
        let _ = self.words.send(Word::Reload(Trigger::Signal));
    }
}

impl Drop for Reloads {
    fn drop(&mut self) {
        let _ = self.words.send(Word::Reload(Trigger::Stop));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) struct Reloader {
    pub(super) request: LoadRequest,
    present: LoadedFiles,
    target: ReloadTarget,
    watch: FileWatch,
    words: Sender<Word>,
    last: Last,
    retired_snapshots: RetiredSnapshots<Snapshot>,
}

/// What became of the files when they were last read.
#[derive(Debug, PartialEq, Eq)]
enum Last {
    Accepted,
    Refused(Problems),
}

impl Last {
    fn refuses(&self, problems: &Problems) -> bool {
        matches!(self, Self::Refused(known) if known == problems)
    }

    fn reread(&self) -> Reread {
        match self {
            Self::Accepted => Reread::Accepted,
            Self::Refused(problems) => Reread::Refused {
                problems: problems.as_slice().len(),
            },
        }
    }
}

impl Reloader {
    fn run(mut self, words: &Receiver<Word>) {
        let mut orders = Vec::new();
        while let Some(word) = self.next(words) {
            let trigger = match word {
                Word::Reload(trigger @ (Trigger::FilesChanged | Trigger::NewlyWatched)) => {
                    Some(settle(trigger, words, &mut orders))
                }
                Word::Reload(trigger) => Some(trigger),
                Word::Change(order) => {
                    orders.push(order);
                    None
                }
            };
            if trigger == Some(Trigger::Stop) {
                return;
            }
            if let Some(trigger) = trigger {
                self.reload(trigger);
            }
            for order in orders.drain(..) {
                self.change_password(order);
            }
            self.retired_snapshots.after_reading();
        }
    }

    /// Tidies up while nothing else is to do.
    fn next(&mut self, words: &Receiver<Word>) -> Option<Word> {
        while let Some(pause) = self.retired_snapshots.pause() {
            match words.recv_timeout(pause) {
                Ok(word) => return Some(word),
                Err(RecvTimeoutError::Timeout) => self.retired_snapshots.clear(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        words.recv().ok()
    }

    fn reload(&mut self, trigger: Trigger) {
        if let (Trigger::Signal, Some(audit)) = (trigger, &self.target.process_state.audit) {
            audit.reopen();
        }
        let (asked, before) = (trigger.asked(), self.last.reread());
        if asked == ManagerWaits::Yes {
            manager::reloading();
        }
        self.load(trigger);
        let now = self.last.reread();
        if asked == ManagerWaits::Yes || now != before {
            manager::reread(now, asked);
        }
    }

    fn load(&mut self, trigger: Trigger) {
        if trigger != Trigger::Signal && self.holds_what_is_in_force() {
            return self.keep(trigger, &[]);
        }
        match config::load(&self.request) {
            Ok(loaded) if loaded.digest == self.present.digest => self.keep(trigger, &loaded.files),
            Ok(loaded) => self.apply(loaded),
            // the same problems are reported once
            Err(problems) if trigger == Trigger::NewlyWatched && self.last.refuses(&problems) => {
                self.follow(problems.files());
            }
            Err(problems) => self.refuse(problems),
        }
    }

    /// Whether the files are those of the configuration in force, so that none of them has to be read as one: a long user
    /// list takes seconds, and as much memory again.
    fn holds_what_is_in_force(&self) -> bool {
        let files = &self.present.files;
        let is_new = |path: &PathBuf| !files.contains(path) && path.try_exists().unwrap_or(true);
        self.last == Last::Accepted
            && !self.optional().iter().any(is_new)
            && config::are_unchanged(files, &self.present.digest)
    }

    /// What is read where it is there.
    fn optional(&self) -> [PathBuf; 2] {
        [".env", "users.yaml"].map(|name| self.request.path.with_file_name(name))
    }

    fn count(&self, outcome: ReloadOutcome) {
        self.target.metrics.reload(outcome, ambient::unix_seconds());
    }

    /// Watches the files that were read, and those that would have been read if they were there.
    fn follow(&mut self, files: &[PathBuf]) {
        let optional = self.optional();
        // where reading has stopped early, what was read for the present configuration still counts
        if self
            .watch
            .follow(files.iter().chain(&self.present.files).chain(&optional))
            == Coverage::Grown
        {
            // it ends: what is watched already does not grow again
            let _ = self.words.send(Word::Reload(Trigger::NewlyWatched));
        }
    }

    fn keep(&mut self, trigger: Trigger, files: &[PathBuf]) {
        self.follow(files);
        let repaired = std::mem::replace(&mut self.last, Last::Accepted) != Last::Accepted;
        // a second look that finds nothing is no reload
        if repaired || trigger != Trigger::NewlyWatched {
            self.count(ReloadOutcome::Unchanged);
            self.target.loads.unchanged(ambient::unix_seconds());
        }
        if repaired {
            tracing::info!("configuration repaired: the files hold again what is in force");
        } else if trigger == Trigger::Signal {
            tracing::info!("configuration unchanged");
        }
    }

    pub(super) fn apply(&mut self, loaded: Loaded) {
        report(&loaded.warnings);
        let changed = self.present.fixed.changed(&Fixed::of(&loaded.config));
        if changed.is_empty() {
            self.target.loads.needs_no_restart();
        } else {
            self.target.loads.needs_restart();
            let changed = changed.join(", ");
            tracing::warn!("these changes take effect at the next start: {changed}");
        }
        if let Some(events) = &self.target.events {
            events.set_level(loaded.config.log.level);
        }
        if let (Some(tls), Some(settings)) = (&self.target.tls, &loaded.config.server.tls) {
            tls.replace(settings);
        }
        let (services, users) = (loaded.config.services.len(), loaded.config.directory.len());
        let load = operators::load(&loaded);
        operators::show_keys(&loaded.config, &self.target.metrics);
        let snapshot = Snapshot::new(loaded.config, &self.target.process_state);
        let former = self.target.shared.replace(snapshot);
        if let Some(sealer) = self.target.shared.current().sealer_after(&former) {
            reseal(self.target.process_state.sessions.clone(), sealer);
        }
        self.target.loads.applied(load);
        if let Some(audit) = &self.target.process_state.audit {
            sinks::applied(audit, &loaded.digest, (services, users));
            audit_changes(
                audit,
                &former,
                &self.target.shared.current(),
                ambient::wall_clock(),
            );
        }
        self.retired_snapshots.retire(former);
        self.present.digest = loaded.digest;
        self.present.files.clone_from(&loaded.files);
        self.follow(&loaded.files);
        self.last = Last::Accepted;
        self.count(ReloadOutcome::Applied);
        tracing::info!(services, users, "configuration reloaded");
    }

    fn refuse(&mut self, problems: Problems) {
        report(problems.as_slice());
        if let Some(audit) = &self.target.process_state.audit {
            sinks::refused(audit, problems.as_slice());
        }
        self.follow(problems.files());
        self.target
            .loads
            .refused(problems.as_slice().to_vec(), ambient::unix_seconds());
        self.last = Last::Refused(problems);
        self.count(ReloadOutcome::Refused);
        tracing::error!("configuration not reloaded: the former one stays in force");
    }
}

/// Waits until the files are unchanged for a moment, or somebody waits for a change of a password; gives the next action.
fn settle(first: Trigger, words: &Receiver<Word>, orders: &mut Vec<PasswordOrder>) -> Trigger {
    let (mut trigger, latest) = (first, ambient::now() + LONGEST_WAIT);
    loop {
        let left = latest.saturating_duration_since(ambient::now());
        if left.is_zero() {
            return trigger;
        }
        match words.recv_timeout(QUIET.min(left)) {
            Ok(Word::Change(order)) => {
                orders.push(order);
                return trigger;
            }
            Ok(Word::Reload(Trigger::FilesChanged)) => trigger = Trigger::FilesChanged,
            Ok(Word::Reload(Trigger::NewlyWatched)) => {}
            Ok(Word::Reload(Trigger::Signal)) => return Trigger::Signal,
            Ok(Word::Reload(Trigger::Stop)) | Err(RecvTimeoutError::Disconnected) => {
                return Trigger::Stop;
            }
            Err(RecvTimeoutError::Timeout) => return trigger,
        }
    }
}

/// Logs problems one by one.
pub(super) fn report(problems: &[Problem]) {
    for problem in problems {
        let code = problem.code.as_str();
        match problem.severity {
            Severity::Error => tracing::error!(code, "{problem}"),
            Severity::Warning => tracing::warn!(code, "{problem}"),
        }
    }
}
