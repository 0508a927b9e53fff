//! A bounded pool of threads that check and hash passwords, so that a storm of logins slows nothing else.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io, thread};

use tokio::sync::oneshot;

use super::password::{Password, PasswordHash, check};
use crate::ambient;

/// The size of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherSettings {
    /// Threads; default half of the cores, at least 1.
    pub threads: NonZeroUsize,
    /// Checks that may wait, for each thread; default 64.
    pub queue_per_thread: NonZeroUsize,
}

/// A handle to the pool. Its threads end with the last handle.
#[derive(Clone)]
pub struct Hasher {
    queue: SyncSender<Job>,
}

/// So many checks are waiting that no further one is taken, or the check broke off. Trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// What a candidate is checked against.
pub(super) struct PasswordCheck {
    /// The user's hash, if there is one.
    pub(super) hash: Option<PasswordHash>,
    /// Whether a match counts.
    pub(super) enabled: bool,
    /// Checked as well where the candidate is refused.
    pub(super) padding: Vec<PasswordHash>,
    /// It is checked in any case, so that the work does not tell whether the candidate is right.
    pub(super) hides_match: bool,
}

enum Job {
    Check {
        candidate: Password,
        against: PasswordCheck,
        answer: oneshot::Sender<bool>,
    },
    Hash {
        password: Password,
        cost: u32,
        answer: oneshot::Sender<Option<String>>,
    },
}

/// What a thread does with a hash: one run. An argument, so that tests can count and stop runs.
type Check = dyn Fn(&Password, &PasswordHash) -> bool + Send + Sync;

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the system gives no further thread; those that were started end.
    pub fn start(settings: HasherSettings) -> io::Result<Self> {
        Self::start_with(settings, Arc::new(check))
    }

    pub(crate) fn start_with(settings: HasherSettings, check: Arc<Check>) -> io::Result<Self> {
        let threads = settings.threads.get();
        let (queue, jobs) = sync_channel(threads.saturating_mul(settings.queue_per_thread.get()));
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..threads {
            let (jobs, check) = (Arc::clone(&jobs), Arc::clone(&check));
            thread::Builder::new()
                .name(format!("hasher-{index}"))
                .spawn(move || work(&jobs, &*check))?;
        }
        Ok(Self { queue })
    }

    /// Whether `candidate` is the password of an enabled user. The padding of a refusal is part of the same job: it waits
    /// in the queue once. A check whose future is dropped while it waits is not run.
    ///
    /// # Errors
    /// [`Busy`], at once where the queue is full.
    pub(super) async fn verify(
        &self,
        candidate: Password,
        against: PasswordCheck,
    ) -> Result<bool, Busy> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Job::Check {
                candidate,
                against,
                answer,
            })
            .map_err(|_| Busy)?;
        answered.await.map_err(|_| Busy)
    }

    /// The bcrypt hash of a password that somebody chose.
    ///
    /// # Errors
    /// [`Busy`], at once where the queue is full, and where bcrypt takes no such password or cost.
    pub async fn hash(&self, password: Password, cost: u32) -> Result<String, Busy> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Hash {
            password,
            cost,
            answer,
        };
        self.queue.try_send(job).map_err(|_| Busy)?;
        answered.await.ok().flatten().ok_or(Busy)
    }
}

impl Job {
    /// A panic drops the sender of the answer, and whoever waits for it learns that the job broke off. What nobody waits
    /// for is not done.
    fn run(self, check: &Check) {
        match self {
            Self::Check { answer, .. } if answer.is_closed() => {}
            Self::Check {
                candidate,
                against,
                answer,
            } => drop(answer.send(against.run(&candidate, check))),
            Self::Hash { answer, .. } if answer.is_closed() => {}
            Self::Hash {
                password,
                cost,
                answer,
            } => drop(answer.send(ambient::hash_password(password.as_str(), cost).ok())),
        }
    }
}

impl PasswordCheck {
    fn run(&self, candidate: &Password, check: &Check) -> bool {
        let matches = self
            .hash
            .as_ref()
            .is_some_and(|hash| check(candidate, hash));
        let accepted = matches && self.enabled;
        if !accepted || self.hides_match {
            for dummy in &self.padding {
                check(candidate, dummy);
            }
        }
        accepted
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, check: &Check) {
    ambient::stand_back();
    while let Some(job) = next(jobs) {
        // the panic has said so itself
        let _ = catch_unwind(AssertUnwindSafe(|| job.run(check)));
    }
}

/// Waits for the next job; `None` once the last handle is gone.
fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}

impl Default for HasherSettings {
    fn default() -> Self {
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = NonZeroUsize::new(cores.get() / 2).unwrap_or(NonZeroUsize::MIN);
        Self {
            threads,
            queue_per_thread: NonZeroUsize::MIN.saturating_add(63),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many passwords wait to be checked")
    }
}

impl std::error::Error for Busy {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use tokio::task::{spawn_local, yield_now};

    use super::*;

    fn settings(threads: usize, queue: usize) -> HasherSettings {
        let number = |number| NonZeroUsize::new(number).unwrap();
        HasherSettings {
            threads: number(threads),
            queue_per_thread: number(queue),
        }
    }

    fn password() -> Password {
        Password::from("x".to_owned())
    }

    fn against(hash: PasswordHash) -> PasswordCheck {
        PasswordCheck {
            hash: Some(hash),
            enabled: true,
            padding: Vec::new(),
            hides_match: false,
        }
    }

    fn hash() -> PasswordCheck {
        against(PasswordHash::dummy(4))
    }

    fn block_on(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn passwords_are_checked() {
        block_on(async {
            let hasher = Hasher::start(settings(2, 1)).unwrap();
            let hash = PasswordHash::parse(&bcrypt::hash("secret", 4).unwrap()).unwrap();
            assert_eq!(
                hasher
                    .verify(Password::from("secret".to_owned()), against(hash.clone()))
                    .await,
                Ok(true)
            );
            assert_eq!(hasher.verify(password(), against(hash)).await, Ok(false));
        });
    }

    #[test]
    fn a_full_queue_is_busy_at_once_and_abandoned_checks_are_not_run() {
        let (started, starts) = channel();
        let (release, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let check = move |_: &Password, _: &PasswordHash| {
            counted.fetch_add(1, Ordering::SeqCst);
            started.send(()).unwrap();
            gate.lock().unwrap().recv().is_ok()
        };
        block_on(async move {
            let hasher = Hasher::start_with(settings(1, 2), Arc::new(check)).unwrap();
            let verify = |hasher: &Hasher| {
                let hasher = hasher.clone();
                spawn_local(async move { hasher.verify(password(), hash()).await })
            };
            let running = verify(&hasher);
            yield_now().await;
            starts.recv().unwrap();
            let (abandoned, waiting) = (verify(&hasher), verify(&hasher));
            yield_now().await;
            assert_eq!(hasher.verify(password(), hash()).await, Err(Busy));
            abandoned.abort();
            yield_now().await;
            release.send(()).unwrap();
            release.send(()).unwrap();
            assert_eq!(running.await.unwrap(), Ok(true));
            assert_eq!(waiting.await.unwrap(), Ok(true));
            assert_eq!(runs.load(Ordering::SeqCst), 2);
        });
    }

    #[test]
    fn a_check_that_panics_ends_neither_the_thread_nor_the_waiting() {
        let check = |_: &Password, hash: &PasswordHash| {
            assert_ne!(hash.cost(), 5, "on purpose");
            true
        };
        block_on(async move {
            let hasher = Hasher::start_with(settings(1, 1), Arc::new(check)).unwrap();
            assert_eq!(
                hasher
                    .verify(password(), against(PasswordHash::dummy(5)))
                    .await,
                Err(Busy)
            );
            assert_eq!(hasher.verify(password(), hash()).await, Ok(true));
        });
    }

    #[test]
    fn the_threads_end_with_the_last_handle() {
        let (alive, all_gone) = channel::<()>();
        let check = move |_: &Password, _: &PasswordHash| {
            let _ = &alive;
            true
        };
        let hasher = Hasher::start_with(settings(3, 1), Arc::new(check)).unwrap();
        drop(hasher.clone());
        drop(hasher);
        // Every thread holds the sender; the channel closes when the last has ended.
        assert!(all_gone.recv().is_err());
    }
}
