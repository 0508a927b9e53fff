//! Requests by rule.

use std::collections::HashMap;

use super::Metrics;
use super::labels::{Label, RequestOutcome};
use super::sums::OUTCOMES;

/// Requests since the start, by service and rule; an empty rule means none, and an empty service too.
#[derive(Debug, Default)]
pub struct HitCounts(HashMap<Box<str>, HashMap<Box<str>, RuleHits>>);

/// The requests that one rule decided, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleHits([u64; OUTCOMES]);

impl Metrics {
    /// The hits of every rule that has any.
    pub fn hits(&self) -> HitCounts {
        let mut hits = HitCounts::default();
        self.for_each_shard(|shard| {
            for (service, entry) in shard.services().iter() {
                for (rule, cells) in &entry.rules {
                    for (outcome, _, count) in cells.counts() {
                        hits.rule(service, rule).0[outcome.index()] += count;
                    }
                }
            }
        });
        hits
    }
}

impl HitCounts {
    /// The hits of a rule, by its name.
    pub fn of(&self, service: &str, rule: &str) -> RuleHits {
        self.0
            .get(service)
            .and_then(|rules| rules.get(rule))
            .copied()
            .unwrap_or_default()
    }

    /// The hits of all rules of a service, and of its requests that no rule covers.
    pub fn of_service(&self, service: &str) -> RuleHits {
        let mut sum = RuleHits::default();
        for hits in self.0.get(service).into_iter().flat_map(HashMap::values) {
            sum.0
                .iter_mut()
                .zip(hits.0)
                .for_each(|(sum, count)| *sum += count);
        }
        sum
    }

    fn rule(&mut self, service: &str, rule: &str) -> &mut RuleHits {
        if !self.0.contains_key(service) {
            self.0.insert(service.into(), HashMap::new());
        }
        let rules = self.0.get_mut(service).expect("it was just put there");
        if !rules.contains_key(rule) {
            rules.insert(rule.into(), RuleHits::default());
        }
        rules.get_mut(rule).expect("it was just put there")
    }
}

impl RuleHits {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that were refused.
    pub fn denied(&self) -> u64 {
        [RequestOutcome::Unauthenticated, RequestOutcome::Forbidden]
            .iter()
            .map(|outcome| self.0[outcome.index()])
            .sum()
    }

    /// Those that would have been refused, and were only reported.
    pub fn reported(&self) -> u64 {
        self.0[RequestOutcome::Reported.index()]
    }

    /// What became of how many, without the zeros.
    pub fn by_decision(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RequestOutcome::ALL
            .iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| (outcome.text(), count))
    }
}
