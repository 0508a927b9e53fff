//! Reload: when a file of the configuration changes, or on SIGHUP. A bad file is never applied.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::ambient;
use crate::config::{self, Config, LoadRequest, Loaded, Problem, Severity};
use crate::gateway::{Shared, Snapshot};
use crate::telemetry::events::Events;
use crate::telemetry::metrics::{Metrics, ReloadOutcome};
use crate::users::Hasher;

/// How long the files must be left alone before they are read: editors and deployments write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// Why the configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FilesChanged,
    Signal,
    Stop,
}

/// What a reload changes.
pub(super) struct Target {
    pub(super) shared: Arc<Shared>,
    pub(super) hasher: Hasher,
    pub(super) metrics: Arc<Metrics>,
    pub(super) events: Option<Events>,
}

/// What the present configuration came from, and what only a restart changes.
pub(super) struct Present {
    pub(super) files: Vec<PathBuf>,
    pub(super) digest: [u8; 32],
    pub(super) fixed: Fixed,
}

/// Settings that are used once, at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    listen: Vec<std::net::SocketAddr>,
    admin: Option<std::net::SocketAddr>,
    workers: usize,
    format: config::LogFormat,
}

/// Asks for a reload; dropping it ends the reloads.
pub(super) struct Reloads {
    triggers: Sender<Trigger>,
    thread: Option<JoinHandle<()>>,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            admin: config.admin,
            workers: config.server.workers,
            format: config.log.format,
        }
    }
}

impl Reloads {
    /// Watches the files from now on, on a thread of its own: reading 100,000 users takes a while.
    pub(super) fn start(request: LoadRequest, present: Present, target: Target) -> std::io::Result<Self> {
        let (triggers, received) = channel();
        let watch = Watch::start(&present.files, triggers.clone());
        let reloader = Reloader { request, present, target, watch };
        let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || reloader.run(&received))?;
        Ok(Self { triggers, thread: Some(thread) })
    }

    /// Reads the configuration again, whether or not a file has changed.
    pub(super) fn request(&self) {
        // it fails only where the thread is gone, and then nothing can be done
        let _ = self.triggers.send(Trigger::Signal);
    }
}

impl Drop for Reloads {
    fn drop(&mut self) {
        let _ = self.triggers.send(Trigger::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reloader {
    request: LoadRequest,
    present: Present,
    target: Target,
    watch: Watch,
}

impl Reloader {
    fn run(mut self, triggers: &Receiver<Trigger>) {
        while let Ok(trigger) = triggers.recv() {
            match trigger {
                Trigger::FilesChanged | Trigger::Signal => self.reload(trigger),
                Trigger::Stop => return,
            }
        }
    }

    fn reload(&mut self, trigger: Trigger) {
        let outcome = match config::load(&self.request) {
            Ok(loaded) if loaded.digest == self.present.digest => self.keep(trigger, loaded.files),
            Ok(loaded) => self.apply(loaded),
            Err(problems) => self.refuse(problems.as_slice(), problems.files()),
        };
        self.target.metrics.reload(outcome, ambient::unix_seconds());
    }

    fn keep(&mut self, trigger: Trigger, files: Vec<PathBuf>) -> ReloadOutcome {
        self.watch.follow(&files);
        if trigger == Trigger::Signal {
            tracing::info!("configuration unchanged");
        }
        ReloadOutcome::Unchanged
    }

    fn apply(&mut self, loaded: Loaded) -> ReloadOutcome {
        report(&loaded.warnings);
        if Fixed::of(&loaded.config) != self.present.fixed {
            tracing::warn!(
                "`server.listen`, `server.workers`, `admin.listen` and `log.format` take effect at the next start"
            );
        }
        if let Some(events) = &self.target.events {
            events.set_level(loaded.config.log.level);
        }
        let (services, users) = (loaded.config.services.len(), loaded.config.directory.users().count());
        self.target.shared.replace(Snapshot::new(loaded.config, self.target.hasher.clone()));
        self.watch.follow(&loaded.files);
        self.present.files = loaded.files;
        self.present.digest = loaded.digest;
        tracing::info!(services, users, "configuration reloaded");
        ReloadOutcome::Applied
    }

    fn refuse(&mut self, problems: &[Problem], files: &[PathBuf]) -> ReloadOutcome {
        report(problems);
        tracing::error!("configuration not reloaded: the former one stays in force");
        // a file that is named but missing may be what is repaired next
        let all: Vec<PathBuf> = files.iter().chain(&self.present.files).cloned().collect();
        self.watch.follow(&all);
        ReloadOutcome::Refused
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

/// Watches the folders of files: a file that is replaced by another has another inode, and a Kubernetes ConfigMap is
/// exchanged by renaming `..data` beside its links.
struct Watch {
    watcher: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
    names: Arc<std::sync::Mutex<BTreeSet<OsString>>>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    fn start(files: &[PathBuf], triggers: Sender<Trigger>) -> Self {
        let names: Arc<std::sync::Mutex<BTreeSet<OsString>>> = Arc::default();
        let relevant = Arc::clone(&names);
        let notice = move |changes: DebounceEventResult| {
            if is_relevant(&changes, &relevant.lock().unwrap_or_else(std::sync::PoisonError::into_inner)) {
                let _ = triggers.send(Trigger::FilesChanged);
            }
        };
        let watcher = new_debouncer(QUIET, None, notice)
            .inspect_err(|error| tracing::warn!(%error, "files cannot be watched; reload with SIGHUP"))
            .ok();
        let mut watch = Self { watcher, names, folders: BTreeSet::new() };
        watch.follow(files);
        watch
    }

    /// Watches the folders of these files, and of what they link to.
    fn follow(&mut self, files: &[PathBuf]) {
        let mut names = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for file in files {
            for path in [Some(file.clone()), file.canonicalize().ok()].into_iter().flatten() {
                names.extend(path.file_name().map(OsString::from));
                folders.extend(folder_of(&path));
            }
        }
        *self.names.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = names;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            let _ = watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, folder = %new.display(), "a folder cannot be watched; reload with SIGHUP");
            }
        }
        self.folders = folders;
    }
}

fn folder_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().ok()
}

/// Reading a file is an event too, and must not lead to the next read.
fn is_relevant(changes: &DebounceEventResult, names: &BTreeSet<OsString>) -> bool {
    let Ok(events) = changes else { return true };
    events.iter().filter(|event| !matches!(event.kind, EventKind::Access(_))).any(|event| {
        event
            .paths
            .iter()
            .filter_map(|path| path.file_name())
            .any(|name| names.contains(name) || name.as_encoded_bytes().starts_with(b".."))
    })
}
