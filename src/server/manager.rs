//! Notifies a service manager such as systemd (`sd_notify(3)`), if there is one.

use std::time::Duration;

use sd_notify::NotifyState;

/// What an end takes beyond what the configuration allows for: workers are cut off and the access log is written.
const END_MARGIN: Duration = Duration::from_secs(5);

/// The gateway listens and serves with its configuration.
pub(super) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status(SERVING)]);
}

/// The start waits for this store, and may do so for at least `at_most` more.
pub(super) fn waiting(store: &str, at_most: Duration) {
    let patience = format!("EXTEND_TIMEOUT_USEC={}", at_most.as_micros());
    let status = format!("not listening yet: waiting for the state store at {store}");
    tell(&[NotifyState::Custom(&patience), NotifyState::Status(&status)]);
}

/// A reload starts that the manager, or another sender of SIGHUP, has requested.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // the manager tells by the time that the answer is not that to an earlier signal
        Ok(now) => tell(&[
            NotifyState::Reloading,
            now,
            NotifyState::Status("reading the configuration again"),
        ]),
        Err(error) => tracing::warn!(%error, "the monotonic clock cannot be read"),
    }
}

/// What became of a configuration that was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reread {
    /// It is in force.
    Accepted,
    /// It has so many problems, and the former one stays in force.
    Refused { problems: usize },
}

/// Whether the service manager waits for the outcome of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ManagerWaits {
    /// It was notified that a reload runs.
    Yes,
    /// The reload follows a change of files, of which it was not notified.
    No,
}

/// A reload is over. The gateway is as ready as before, whatever became of it.
pub(super) fn reread(outcome: Reread, asked: ManagerWaits) {
    let status = match outcome {
        Reread::Accepted => SERVING.to_owned(),
        Reread::Refused { problems } => {
            format!(
                "serving with the former configuration: the files were refused (problems: {problems}), see the log"
            )
        }
    };
    match asked {
        ManagerWaits::Yes => tell(&[NotifyState::Ready, NotifyState::Status(&status)]),
        ManagerWaits::No => tell(&[NotifyState::Status(&status)]),
    }
}

/// The end has begun, and takes at most so long: the manager does not lose patience before.
pub(super) fn stopping(at_most: Duration) {
    let patience = format!("EXTEND_TIMEOUT_USEC={}", (at_most + END_MARGIN).as_micros());
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("draining"),
        NotifyState::Custom(&patience),
    ]);
}

/// Nothing is stuck.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long the manager waits for a sign of life; `None` where it does not.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero())
}

const SERVING: &str = "serving";

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how the gateway is");
    }
}
