//! The last minutes, kept by the gateway itself, so that a page that is opened now shows the past at once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::metrics::{LOGINS, Latency, Metrics, OUTCOMES, Sums};

/// From one sample to the next.
pub const STEP: Duration = Duration::from_secs(2);

/// Samples that are kept: 15 minutes of them, in less than 200 KiB.
pub const KEPT: usize = 450;

/// What happened between two looks at the counters.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its end, in milliseconds since 1970.
    pub at: u64,
    /// How long it was, in seconds.
    pub span: f64,
    /// Requests that ended, by outcome, in the order of [`super::metrics::RequestOutcome::EVERY`].
    pub outcomes: [u64; OUTCOMES],
    /// Those of them that were answered with 500 to 599.
    pub server_errors: u64,
    /// How long those for services took.
    pub latency: Latency,
    /// Logins that ended, in the order of [`super::metrics::LoginOutcome::EVERY`].
    pub logins: [u64; LOGINS],
    /// Attempts to reach an upstream that failed.
    pub upstream_errors: u64,
    /// Client connections that were open at its end.
    pub connections: u64,
}

/// Samples that follow each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// The number of the first one; the first of the process has 0.
    pub first: u64,
    /// The oldest first.
    pub samples: Vec<Sample>,
}

/// The samples of the last 15 minutes.
pub struct History {
    metrics: Arc<Metrics>,
    kept: Mutex<Kept>,
}

struct Kept {
    before: (Instant, Sums),
    samples: VecDeque<Sample>,
    /// The number of the next sample.
    next: u64,
}

impl History {
    /// Nothing so far; the first sample begins now.
    pub fn new(metrics: Arc<Metrics>, now: Instant) -> Self {
        let before = (now, metrics.sums());
        Self {
            metrics,
            kept: Mutex::new(Kept {
                before,
                samples: VecDeque::new(),
                next: 0,
            }),
        }
    }

    /// Ends the present sample; `at` is the wall clock, in milliseconds since 1970.
    pub fn sample(&self, now: Instant, at: u64) {
        let sums = self.metrics.sums();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let span = now.saturating_duration_since(kept.before.0).as_secs_f64();
        let sample = Sample::between(&kept.before.1, &sums, span, at);
        kept.before = (now, sums);
        if kept.samples.len() >= KEPT {
            kept.samples.pop_front();
        }
        kept.samples.push_back(sample);
        kept.next += 1;
    }

    /// The samples from this number on, as far as they are kept.
    pub fn since(&self, number: u64) -> Stretch {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.next - kept.samples.len() as u64;
        // a number that has not come yet is one of a former process
        let first = if number > kept.next {
            oldest
        } else {
            number.max(oldest)
        };
        let skipped = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        Stretch {
            first,
            samples: kept.samples.iter().skip(skipped).cloned().collect(),
        }
    }
}

impl Sample {
    /// Counters only grow, but for those of services that a reload has taken away.
    fn between(before: &Sums, after: &Sums, span: f64, at: u64) -> Self {
        Self {
            at,
            span,
            outcomes: differences(&before.outcomes, &after.outcomes),
            server_errors: after.server_errors.saturating_sub(before.server_errors),
            latency: differences(&before.latency, &after.latency),
            logins: differences(&before.logins, &after.logins),
            upstream_errors: after.upstream_errors.saturating_sub(before.upstream_errors),
            connections: after.connections,
        }
    }
}

fn differences<const N: usize>(before: &[u64; N], after: &[u64; N]) -> [u64; N] {
    std::array::from_fn(|index| after[index].saturating_sub(before[index]))
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("History")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;
    use crate::telemetry::metrics::{LoginOutcome, RequestOutcome};

    #[test]
    fn a_sample_is_what_happened_in_between() {
        let metrics = Metrics::new();
        let shard = metrics.shard();
        let (jobs, portal) = (shard.service("jobs", &["a"]), shard.portal());
        let count = |status| {
            jobs.record(
                Some(0),
                RequestOutcome::Allowed,
                status,
                Duration::from_millis(4),
            )
        };
        count(200);
        let start = ambient::now();
        let history = History::new(Arc::clone(&metrics), start);
        count(200);
        count(502);
        portal.record(None, RequestOutcome::Gateway, 200, Duration::from_secs(1));
        metrics.login(LoginOutcome::Invalid);
        history.sample(start + STEP, 1000);
        history.sample(start + 2 * STEP, 3000);
        let Stretch { first, samples } = history.since(0);
        assert_eq!((first, samples.len()), (0, 2));
        let of = |sample: &Sample, outcome| {
            sample.outcomes[RequestOutcome::EVERY
                .iter()
                .position(|o| *o == outcome)
                .unwrap()]
        };
        assert_eq!(
            (
                of(&samples[0], RequestOutcome::Allowed),
                of(&samples[0], RequestOutcome::Gateway)
            ),
            (2, 1)
        );
        assert_eq!(
            (
                samples[0].server_errors,
                samples[0].latency.iter().sum::<u64>()
            ),
            (1, 2)
        );
        assert_eq!(
            (samples[0].logins.iter().sum::<u64>(), samples[0].span),
            (1, 2.0)
        );
        assert_eq!(
            (of(&samples[1], RequestOutcome::Allowed), samples[1].at),
            (0, 3000)
        );
    }

    #[test]
    fn it_keeps_a_quarter_of_an_hour_and_no_more() {
        let start = ambient::now();
        let history = History::new(Metrics::new(), start);
        for second in 0..KEPT as u64 + 10 {
            history.sample(start, second);
        }
        let whole = history.since(0);
        assert_eq!(
            (whole.first, whole.samples.len(), whole.samples[0].at),
            (10, KEPT, 10)
        );
        let rest = history.since(KEPT as u64 + 9);
        assert_eq!((rest.first, rest.samples.len()), (KEPT as u64 + 9, 1));
        assert_eq!(history.since(KEPT as u64 + 10).samples, []);
        assert_eq!(
            history.since(u64::MAX),
            whole,
            "whoever asks has known another process"
        );
    }
}
