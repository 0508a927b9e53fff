//! The rates of one service, ready for requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use super::bucket::{Bucket, seconds};
use super::fields::{EnforcedLevels, Policies};
use super::limit::{Limit, LimitedBy};
use super::rate::{CountedBy, Rate, ServiceRates};
use super::table::{Key, RateTable};
use crate::access::{AccessSubject, Mode, Policy, RuleId, Subjects};

/// The rates of one service and of its rules.
#[derive(Debug)]
pub struct ServiceLimits {
    table: Arc<RateTable>,
    service: Option<Limit>,
    /// By rule id.
    rules: Box<[Option<Limit>]>,
    policies: Policies,
}

/// What the rates say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RateOutcome {
    /// What is left for the caller; of rates that only report nothing is said.
    pub levels: EnforcedLevels,
    /// Set where there is no room for the request.
    pub refusal: Option<RateRefusal>,
}

/// There is no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRefusal {
    /// Which rate has none.
    pub limit: LimitedBy,
    /// Whose requests that rate counts together.
    pub by: CountedBy,
    /// Seconds until there is room, at least 1.
    pub retry_after: u32,
    /// Whether the request is refused, or only reported.
    pub mode: Mode,
}

/// A limit that applies to a request, with the bucket of its caller.
#[derive(Clone, Copy)]
struct Applied<'l> {
    by: LimitedBy,
    limit: &'l Limit,
    key: Key,
}

impl ServiceLimits {
    /// The rates of the service of this name, whose buckets lie in that table; `None` where there are none. A bucket
    /// belongs to the service, the rule's path and methods, and whom the rate counts: while these stay it lives on
    /// through a reload, whatever else becomes of the rate.
    pub fn new(
        table: &Arc<RateTable>,
        (name, policy): (&str, &Policy),
        rates: &ServiceRates,
    ) -> Option<Self> {
        if rates.is_empty() {
            return None;
        }
        table.open();
        let limit = |rate: Rate, mode, of: (&str, &str)| Limit {
            rate,
            mode,
            bucket: Bucket::of(rate),
            seed: table.key((name, of, rate.by())),
        };
        let service = rates
            .service
            .map(|rate| limit(rate, policy.mode_of(None), ("", "")));
        let rules = (0..).zip(policy.rules()).map(|(id, rule)| {
            let methods = format!("{:?}", rule.methods);
            let of = (rule.pattern.source(), &*methods);
            Some(limit(rates.of_rule(id)?, rule.mode, of))
        });
        let rules: Box<[_]> = rules.collect();
        Some(Self {
            table: Arc::clone(table),
            policies: Policies::new(service.as_ref(), &rules),
            service,
            rules,
        })
    }

    /// Counts a request that this rule decides, or none. Both rates are tested before either counts it; it counts for
    /// neither where it is refused.
    pub fn count(
        &self,
        rule: Option<RuleId>,
        subject: &AccessSubject,
        now: Instant,
    ) -> RateOutcome {
        let of_rule = rule.and_then(|id| self.rules.get(id.0 as usize)?.as_ref());
        let applied = [
            (LimitedBy::Rule, of_rule),
            (LimitedBy::Service, self.service.as_ref()),
        ];
        let applied = applied.map(|(by, limit)| {
            limit.map(|limit| Applied {
                by,
                limit,
                key: self
                    .table
                    .key((limit.seed, Whom::of(limit.rate.by(), subject))),
            })
        });
        self.count_all(&applied, self.table.moment(now))
    }

    fn count_all(&self, applied: &[Option<Applied<'_>>; 2], now: u64) -> RateOutcome {
        // one alone is tested by what charges it
        if applied.iter().all(Option::is_some)
            && let refused = self.refuse(applied, now)
            && refused.refusal.is_some()
        {
            return refused;
        }
        let mut outcome = RateOutcome {
            levels: EnforcedLevels::default(),
            refusal: None,
        };
        let mut charged: Option<&Applied<'_>> = None;
        for one in applied.iter().flatten() {
            match (self.charge(one, now), one.limit.mode) {
                (Ok(taken), mode) => {
                    charged = Some(one);
                    if mode == Mode::Enforce {
                        outcome.levels.set(one.by, one.limit.bucket.level(taken));
                    }
                }
                (Err(taken), Mode::Report) => {
                    outcome.refusal = outcome.refusal.or(Some(one.refusal(taken)));
                }
                // somebody was faster since it was tested
                (Err(taken), Mode::Enforce) => {
                    if let Some(before) = charged {
                        self.table.give_back(before.limit.bucket, before.key, now);
                    }
                    return RateOutcome {
                        refusal: Some(one.refusal(taken)),
                        ..self.refuse(applied, now)
                    };
                }
            }
        }
        outcome
    }

    /// What there is to say where one of the rates that are enforced has no room, after which time all of them have.
    fn refuse(&self, applied: &[Option<Applied<'_>>; 2], now: u64) -> RateOutcome {
        let mut outcome = RateOutcome {
            levels: EnforcedLevels::default(),
            refusal: None,
        };
        let enforced = applied.iter().flatten();
        for one in enforced.filter(|one| one.limit.mode == Mode::Enforce) {
            let taken = self.table.taken(one.limit.bucket, one.key, now);
            outcome.levels.set(one.by, one.limit.bucket.level(taken));
            let longest = outcome.refusal.map_or(0, |refusal| refusal.retry_after);
            let refusal = one.refusal(taken);
            if one.limit.bucket.take(taken).is_none() && refusal.retry_after > longest {
                outcome.refusal = Some(refusal);
            }
        }
        outcome
    }

    fn charge(&self, one: &Applied<'_>, now: u64) -> Result<u64, u64> {
        self.table.charge(one.limit.bucket, one.key, now)
    }

    /// Writes what clients are told of the rates of a request.
    pub fn tell(&self, rule: Option<RuleId>, levels: &EnforcedLevels, fields: &mut HeaderMap) {
        self.policies.tell(rule, levels, fields);
    }
}

impl Applied<'_> {
    fn refusal(&self, taken: u64) -> RateRefusal {
        RateRefusal {
            limit: self.by,
            by: self.limit.rate.by(),
            retry_after: seconds(self.limit.bucket.wait(taken)).max(1),
            mode: self.limit.mode,
        }
    }
}

/// Whose bucket it is.
#[derive(Hash)]
enum Whom<'s> {
    /// Two issuers may call two people `alice`; the user list is one of them.
    User(&'s str, Subjects),
    V4(u32),
    /// A /64: what one customer has.
    V6(u64),
    UnknownAddress,
    Everybody,
}

impl<'s> Whom<'s> {
    fn of(by: CountedBy, subject: &'s AccessSubject) -> Self {
        match (by, subject.identity()) {
            (CountedBy::Service, _) => Self::Everybody,
            (CountedBy::User, Some(identity)) => Self::User(&identity.subject, identity.subjects),
            (CountedBy::User, None) | (CountedBy::Address, _) => {
                match subject
                    .address()
                    .known()
                    .map(|address| address.to_canonical())
                {
                    Some(IpAddr::V4(address)) => Self::V4(address.into()),
                    Some(IpAddr::V6(address)) => Self::V6((u128::from(address) >> 64) as u64),
                    None => Self::UnknownAddress,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
