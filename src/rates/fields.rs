//! What clients are told of rates: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), lists of
//! structured fields (RFC 9651). The names of the policies are `rule` and `service`: those of rules are for operators.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::bucket::BucketLevel;
use super::limit::{Limit, LimitedBy};
use super::rate::Rate;
use crate::access::{Mode, RuleId};

/// What is left for the caller.
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How much a caller may send.
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of the buckets of a request, of those rates that are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforcedLevels {
    /// Of the rule's rate.
    pub rule: Option<BucketLevel>,
    /// Of the service's rate.
    pub service: Option<BucketLevel>,
}

/// The values of `RateLimit-Policy`.
#[derive(Debug)]
pub(super) struct Policies {
    /// By rule id.
    rules: Box<[Option<HeaderValue>]>,
    without_rule: Option<HeaderValue>,
}

impl EnforcedLevels {
    pub(super) fn set(&mut self, by: LimitedBy, level: BucketLevel) {
        match by {
            LimitedBy::Rule => self.rule = Some(level),
            LimitedBy::Service => self.service = Some(level),
        }
    }

    /// The value of `RateLimit`; `None` where there is nothing to say. `t` is the time until there is room for one more.
    fn value(&self) -> Option<HeaderValue> {
        let mut text = String::with_capacity(64);
        let levels = [
            (LimitedBy::Rule, self.rule),
            (LimitedBy::Service, self.service),
        ];
        for (by, level) in levels {
            if let Some(BucketLevel { remaining, next }) = level {
                item(&mut text, by, [("r", remaining), ("t", next)]);
            }
        }
        (!text.is_empty()).then(|| HeaderValue::try_from(text).ok())?
    }
}

impl Policies {
    pub(super) fn new(service: Option<&Limit>, rules: &[Option<Limit>]) -> Self {
        let rules = rules.iter();
        Self {
            rules: rules.map(|rule| policy(rule.as_ref(), service)).collect(),
            without_rule: policy(None, service),
        }
    }

    /// Adds both fields to those of an answer. An upstream may have limits of its own: its items stay.
    pub(super) fn tell(
        &self,
        rule: Option<RuleId>,
        levels: &EnforcedLevels,
        fields: &mut HeaderMap,
    ) {
        let policy = match rule {
            Some(id) => self.rules.get(id.0 as usize).and_then(Option::as_ref),
            None => self.without_rule.as_ref(),
        };
        if let (Some(policy), Some(value)) = (policy, levels.value()) {
            fields.append(RATELIMIT_POLICY, policy.clone());
            fields.append(RATELIMIT, value);
        }
    }
}

fn policy(rule: Option<&Limit>, service: Option<&Limit>) -> Option<HeaderValue> {
    let mut text = String::new();
    for (by, limit) in [(LimitedBy::Rule, rule), (LimitedBy::Service, service)] {
        if let Some(limit) = limit.filter(|limit| limit.mode == Mode::Enforce) {
            item(&mut text, by, quota(limit.rate));
        }
    }
    (!text.is_empty()).then(|| HeaderValue::try_from(text).ok())?
}

/// The whole bucket, and the time in which it fills, in seconds, rounded up.
fn quota(rate: Rate) -> [(&'static str, u32); 2] {
    let nanos = rate.per().as_nanos() * u128::from(rate.bucket());
    let window = nanos.div_ceil(u128::from(rate.requests()) * 1_000_000_000);
    let window = u32::try_from(window).unwrap_or(u32::MAX);
    [("q", rate.bucket()), ("w", window)]
}

/// Appends `"rule";r=3;t=12` to a list.
fn item(list: &mut String, by: LimitedBy, parameters: [(&'static str, u32); 2]) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    let [(first, one), (second, other)] = parameters;
    write!(list, "\"{}\";{first}={one};{second}={other}", by.as_str())
        .expect("writing to a string cannot fail");
}
