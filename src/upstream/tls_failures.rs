//! Failed TLS handshakes with one server: all of them counted, few of them reported.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::net::TlsFailure;

/// Milliseconds from one report of a kind to the next while it goes on.
const REPORT_EVERY: u64 = 10 * 60 * 1000;

/// The failed handshakes with one server, by kind.
#[derive(Debug, Default)]
pub(super) struct TlsFailureLog([KindLog; TlsFailure::ALL.len()]);

#[derive(Debug, Default)]
struct KindLog {
    count: AtomicU64,
    /// When it was reported; 0: never.
    reported_at: AtomicU64,
}

impl TlsFailureLog {
    /// Counts one at `now`, in milliseconds of the process; whether it is to be reported.
    pub(super) fn note(&self, failure: TlsFailure, now: u64) -> bool {
        let kind = &self.0[failure as usize];
        kind.count.fetch_add(1, Relaxed);
        let last = kind.reported_at.load(Relaxed);
        (last == 0 || now.saturating_sub(last) >= REPORT_EVERY)
            && kind
                .reported_at
                .compare_exchange(last, now, Relaxed, Relaxed)
                .is_ok()
    }

    /// How many there were, by the name of the kind.
    pub(super) fn counts(&self) -> [(&'static str, u64); TlsFailure::ALL.len()] {
        TlsFailure::ALL.map(|kind| (kind.label(), self.0[kind as usize].count.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_reported_once_in_a_while_and_counted_always() {
        let log = TlsFailureLog::default();
        let note = |kind, now| log.note(kind, now);
        assert!(note(TlsFailure::Expired, 1));
        assert!(!note(TlsFailure::Expired, REPORT_EVERY));
        assert!(note(TlsFailure::WrongName, 2), "another kind");
        assert!(note(TlsFailure::Expired, REPORT_EVERY + 1), "it goes on");
        let counts: Vec<_> = log.counts().into_iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counts, [("expired", 3), ("wrong_name", 1)]);
    }
}
