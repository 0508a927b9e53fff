//! What is counted for one service by one worker.

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cell::{Counter, Counters, OneWriter};
use super::histogram::Histogram;
use super::labels::{Label, RequestOutcome, StatusClass, UpstreamErrorKind};

const OUTCOMES: usize = RequestOutcome::ALL.len();
const CLASSES: usize = StatusClass::ALL.len();

/// A worker's handle for one service, resolved once a load of the configuration: nothing is looked up by name
/// while requests are served.
#[derive(Debug)]
pub struct ServiceMetrics {
    service: Arc<ServiceCells>,
    rules: Box<[Arc<RuleCells>]>,
    no_rule: Arc<RuleCells>,
    writer: OneWriter,
}

/// A service's numbers beside those of its rules. A cache line of their own keeps other workers' cells away.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct ServiceCells {
    pub(super) durations: Histogram,
    pub(super) upstream_errors: Counters<UpstreamErrorKind>,
}

/// A rule's requests by outcome and status class, and those that are over its rate; made when the first one comes, for most rules of a large
/// configuration are hardly ever used.
#[derive(Debug, Default)]
pub(super) struct RuleCells(OnceLock<Box<Grid>>);

#[derive(Debug)]
#[repr(align(64))]
struct Grid {
    requests: [Counter; OUTCOMES * CLASSES],
    rate_limited: Counter,
}

impl ServiceMetrics {
    pub(super) fn new(
        service: Arc<ServiceCells>,
        rules: Box<[Arc<RuleCells>]>,
        no_rule: Arc<RuleCells>,
    ) -> Self {
        Self {
            service,
            rules,
            no_rule,
            writer: PhantomData,
        }
    }

    /// Counts one request that is over.
    ///
    /// `rule` is the place in the list of rules that the handle was made with; `None`, or a place beyond its end,
    /// counts as no rule. `status` 0 means that the client went away before there was an answer. `duration` is
    /// from the end of the request head to the end of the answer.
    pub fn record(
        &self,
        rule: Option<u32>,
        outcome: RequestOutcome,
        status: u16,
        duration: Duration,
    ) {
        self.rule(rule).increment(outcome, StatusClass::of(status));
        self.service.durations.record(duration);
    }

    /// Counts one request that is over the rate of this rule, or without one over that of the service.
    pub fn rate_limited(&self, rule: Option<u32>) {
        self.rule(rule).grid().rate_limited.add(1);
    }

    fn rule(&self, rule: Option<u32>) -> &RuleCells {
        rule.and_then(|index| self.rules.get(index as usize))
            .unwrap_or(&self.no_rule)
    }

    /// Counts one attempt to reach the upstream that failed; a request that is tried again may count several.
    pub fn upstream_error(&self, kind: UpstreamErrorKind) {
        self.service.upstream_errors.increment(kind);
    }
}

/// A worker's handle for one server of an upstream.
#[derive(Debug)]
pub struct ServerMetrics {
    requests: Arc<Counter>,
    writer: OneWriter,
}

impl ServerMetrics {
    pub(super) fn new(requests: &Arc<Counter>) -> Self {
        Self {
            requests: Arc::clone(requests),
            writer: PhantomData,
        }
    }

    /// Counts one request that is sent to it; one that is tried again counts again.
    pub fn request(&self) {
        self.requests.add(1);
    }
}

impl ServiceCells {
    pub(super) fn new() -> Self {
        Self {
            durations: Histogram::default(),
            upstream_errors: Counters::new(),
        }
    }
}

impl RuleCells {
    fn increment(&self, outcome: RequestOutcome, class: StatusClass) {
        self.grid().requests[outcome.index() * CLASSES + class.index()].add(1);
    }

    fn grid(&self) -> &Grid {
        self.0.get_or_init(Box::default)
    }

    pub(super) fn rate_limited(&self) -> u64 {
        self.0.get().map_or(0, |grid| grid.rate_limited.read())
    }

    /// What was counted, without the zeros.
    pub(super) fn counts(&self) -> impl Iterator<Item = (RequestOutcome, StatusClass, u64)> {
        let cells = self.0.get().map_or(&[][..], |grid| &grid.requests[..]);
        let labels = RequestOutcome::ALL
            .iter()
            .flat_map(|outcome| StatusClass::ALL.iter().map(move |class| (outcome, class)));
        let counts = labels
            .zip(cells)
            .map(|((outcome, class), cell)| (*outcome, *class, cell.read()));
        counts.filter(|(_, _, count)| *count > 0)
    }
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| Counter::default()),
            rate_limited: Counter::default(),
        }
    }
}
