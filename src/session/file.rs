//! `state: file:PATH`: the state that one process keeps across restarts, in one file.
//!
//! The file is a journal of what memory holds: it is read at the start only. Every answer waits until what it says is
//! on the disk, so nothing that was answered is lost, whenever the process or the machine stops.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use ahash::RandomState;
use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition,
};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Duration, sleep};

use super::attempt::{Account, Subject};
use super::browser::{BrowserSession, OnceKey};
use super::factors::StoredFactors;
use super::health::StoreHealth;
use super::job::Job;
use super::known::KNOWN_FOR;
use super::local::{BATCH, Local, StoredChange, publish};
use super::reply::StoreUnavailable;
use super::revocations::Revocations;
use crate::ambient;
use crate::token::SessionId;

/// Families as JSON, by session.
const FAMILIES: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("families");
/// Ended sessions, with the second from which the revocation can be dropped.
const ENDED: TableDefinition<'_, [u8; 16], u64> = TableDefinition::new("ended");
/// Held subjects, with the millisecond of their release.
const HELD: TableDefinition<'_, &str, u64> = TableDefinition::new("held");

/// Known networks as JSON, by account, with the millisecond of the last good login from one of them.
const KNOWN: TableDefinition<'_, [u8; 16], (u64, &[u8])> = TableDefinition::new("known_networks");

/// Browsers' sessions as JSON, by session.
const BROWSERS: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("browsers");
/// What was used that is good once, with the second from which it is refused anyway.
const USED: TableDefinition<'_, [u8; 16], u64> = TableDefinition::new("used");

/// Second factors as JSON, by person.
const FACTORS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("factors");

/// When the file was last opened, in milliseconds: a write that shows whether it can be written at all.
const OPENED: TableDefinition<'_, (), u64> = TableDefinition::new("opened");

/// Pages that redb keeps in memory, in bytes. All that is read is read once.
const CACHE: usize = 4 << 20;

/// The open file.
pub(super) struct FileStore {
    path: PathBuf,
    hasher: RandomState,
    /// `None` after a failure, until it is opened again.
    database: Option<Database>,
}

/// Why the file cannot be used.
#[derive(Debug)]
pub(super) enum FileError {
    /// Another process has it.
    Taken,
    /// It cannot be opened or made.
    Open(io::Error),
    /// It cannot be read or written.
    Database(redb::Error),
}

impl FileStore {
    /// Opens or creates the file, which only its owner may read, and reads it.
    pub(super) fn open(
        path: &Path,
        revocations: &Revocations,
        hasher: RandomState,
    ) -> Result<(Self, Local), FileError> {
        let mut store = Self {
            path: path.to_owned(),
            hasher,
            database: None,
        };
        let local = store.reopen(revocations)?;
        Ok((store, local))
    }

    /// Reopens the file and reads it. It is usable only where it can be written.
    pub(super) fn reopen(&mut self, revocations: &Revocations) -> Result<Local, FileError> {
        // the lock of the former handle would be in the way
        self.database = None;
        let database = open(&self.path)?;
        let mut local = Local::new(&self.hasher);
        read(&database, &mut local, revocations)?;
        self.database = Some(database);
        Ok(local)
    }

    /// Writes changes down, all or none, and waits until they are on the disk.
    pub(super) fn write(&mut self, changes: &[StoredChange]) -> Result<(), FileError> {
        if changes.is_empty() {
            return Ok(());
        }
        let Some(database) = &self.database else {
            return Err(FileError::Database(redb::Error::PreviousIo));
        };
        let written = write(database, changes);
        if written.is_err() {
            self.database = None;
        }
        Ok(written?)
    }
}

fn open(path: &Path) -> Result<Database, FileError> {
    let fresh = !path.exists();
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let file = options.open(path).map_err(FileError::Open)?;
    let refused = |error: DatabaseError| {
        let taken = matches!(error, DatabaseError::DatabaseAlreadyOpen);
        if taken {
            FileError::Taken
        } else {
            FileError::Database(error.into())
        }
    };
    let backend = FileBackend::new(file).map_err(refused)?;
    let database = Builder::new()
        .set_cache_size(CACHE)
        .create_with_backend(backend)
        .map_err(refused)?;
    try_to_write(&database)?;
    if fresh {
        // a new file is on the disk only when its folder is
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(FileError::Open)?;
    }
    Ok(database)
}

fn read(
    database: &Database,
    local: &mut Local,
    revocations: &Revocations,
) -> Result<(), redb::Error> {
    let (now, millis) = (ambient::unix_seconds(), ambient::unix_millis());
    let transaction = database.begin_read()?;
    for entry in transaction.open_table(FAMILIES)?.iter()? {
        let (session, family) = entry?;
        // what an older version cannot read is a session that has to log in again
        if let Ok(family) = serde_json::from_slice(family.value()) {
            local.restore(
                StoredChange::Keep(SessionId::from_bytes(session.value()), family),
                millis,
            );
        }
    }
    let mut ended = Vec::new();
    for entry in transaction.open_table(ENDED)?.iter()? {
        let (session, until) = entry?;
        ended.push((SessionId::from_bytes(session.value()), until.value()));
    }
    ended.retain(|(_, until)| *until > now);
    revocations.add(&ended);
    for entry in transaction.open_table(HELD)?.iter()? {
        let (key, until) = entry?;
        let (subject, until) = (Subject::parse(key.value()), until.value());
        if let Some(subject) = subject.filter(|_| until > millis) {
            local.restore(StoredChange::Hold(subject, until), millis);
        }
    }
    for entry in transaction.open_table(KNOWN)?.iter()? {
        let (account, known) = entry?;
        let (_, text) = known.value();
        // an unreadable entry is replaced at the next successful login
        if let Ok(known) = serde_json::from_slice(text) {
            let account = Account::from_bytes(account.value());
            local.restore(StoredChange::Know(account, known), millis);
        }
    }
    read_browsers(&transaction, local, revocations)
}

fn read_browsers(
    transaction: &ReadTransaction,
    local: &mut Local,
    revocations: &Revocations,
) -> Result<(), redb::Error> {
    let (now, millis) = (ambient::unix_seconds(), ambient::unix_millis());
    for entry in transaction.open_table(BROWSERS)?.iter()? {
        let (session, text) = entry?;
        let session = SessionId::from_bytes(session.value());
        let record = BrowserSession::from_json(text.value());
        if let Some(record) = record.filter(|_| !revocations.contains(&session)) {
            local.restore(StoredChange::KeepBrowser(session, record), millis);
        }
    }
    for entry in transaction.open_table(USED)?.iter()? {
        let (key, until) = entry?;
        let (key, until) = (OnceKey::from_bytes(key.value()), until.value());
        if until > now {
            local.restore(StoredChange::Use(key, until), millis);
        }
    }
    for entry in transaction.open_table(FACTORS)?.iter()? {
        let (subject, text) = entry?;
        let factors = StoredFactors::from_json(subject.value(), text.value());
        local.restore(StoredChange::KeepFactors(factors), millis);
    }
    Ok(())
}

fn try_to_write(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction
        .open_table(OPENED)?
        .insert((), ambient::unix_millis())?;
    transaction.open_table(FAMILIES)?;
    transaction.open_table(ENDED)?;
    transaction.open_table(HELD)?;
    transaction.open_table(BROWSERS)?;
    transaction.open_table(USED)?;
    transaction.open_table(FACTORS)?;
    let oldest = ambient::unix_millis().saturating_sub(KNOWN_FOR);
    transaction
        .open_table(KNOWN)?
        .retain(|_, (last_used, _)| last_used > oldest)?;
    transaction.commit()?;
    Ok(())
}

fn write(database: &Database, changes: &[StoredChange]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut families = transaction.open_table(FAMILIES)?;
        let mut ended = transaction.open_table(ENDED)?;
        let mut held = transaction.open_table(HELD)?;
        let mut known = transaction.open_table(KNOWN)?;
        let mut browsers = transaction.open_table(BROWSERS)?;
        let mut used = transaction.open_table(USED)?;
        let mut factors = transaction.open_table(FACTORS)?;
        for change in changes {
            match change {
                StoredChange::Keep(session, family) => {
                    let text = serde_json::to_vec(family)
                        .expect("a family has nothing that JSON cannot say");
                    families.insert(session.as_bytes(), &*text)?;
                }
                StoredChange::Forget(session) => drop(families.remove(session.as_bytes())?),
                StoredChange::Revoke(session, until) => {
                    drop(ended.insert(session.as_bytes(), until)?)
                }
                StoredChange::Hold(subject, until) => drop(held.insert(&*subject.key(), until)?),
                StoredChange::Release(subject) => drop(held.remove(&*subject.key())?),
                StoredChange::Know(account, networks) => {
                    let text = serde_json::to_vec(networks)
                        .expect("networks have nothing that JSON cannot say");
                    known.insert(account.as_bytes(), (networks.last_used(), &*text))?;
                }
                StoredChange::KeepBrowser(session, record) => {
                    browsers.insert(session.as_bytes(), &*record.to_json())?;
                }
                StoredChange::ForgetBrowser(session) => drop(browsers.remove(session.as_bytes())?),
                StoredChange::Use(key, until) => drop(used.insert(key.as_bytes(), until)?),
                StoredChange::KeepFactors(kept) => {
                    factors.insert(&*kept.subject, &*kept.to_json())?;
                }
                StoredChange::ForgetFactors(subject) => drop(factors.remove(&**subject)?),
                StoredChange::Purge(now) => {
                    ended.retain(|_, until| until > *now)?;
                    used.retain(|_, until| until > *now)?;
                    held.retain(|_, until| until / 1000 >= *now)?;
                }
            }
        }
    }
    // the default durability: it returns when the disk has it
    transaction.commit()?;
    Ok(())
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => {
                f.write_str("another process uses it; replicas share a `redis://`, not a file")
            }
            Self::Open(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {}

impl From<redb::Error> for FileError {
    fn from(error: redb::Error) -> Self {
        Self::Database(error)
    }
}

/// How often a file that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Serves `file:` until the last sender is gone. What is answered is on the disk.
pub(super) async fn serve_file(
    mut jobs: Receiver<Job>,
    mut store: FileStore,
    mut local: Local,
    revocations: Arc<Revocations>,
    health: &StoreHealth,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let answers: Vec<_> = batch
            .drain(..)
            .map(|job| local.perform(job, &revocations))
            .collect();
        let changes = std::mem::take(&mut local.changes);
        let written = store.write(&changes);
        if written.is_ok() {
            publish(&changes, &revocations);
        }
        let kept = written.as_ref().copied().map_err(|_| StoreUnavailable);
        answers.into_iter().for_each(|answer| answer(kept));
        if let Err(error) = written {
            health.lost(&error);
            // memory has unwritten changes: the file is authoritative
            local = match mend(&mut jobs, &mut store, &revocations).await {
                Some(local) => local,
                None => return,
            };
            health.found();
        }
    }
}

/// Refuses everything until the file can be read and written again; `None` once the last sender is gone.
async fn mend(
    jobs: &mut Receiver<Job>,
    store: &mut FileStore,
    revocations: &Revocations,
) -> Option<Local> {
    loop {
        let pause = sleep(RETRY);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                job = jobs.recv() => job?.refuse(),
            }
        }
        let reopened: Result<Local, FileError> = store.reopen(revocations);
        if let Ok(local) = reopened {
            return Some(local);
        }
    }
}
