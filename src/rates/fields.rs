//! What clients are told of rates: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), lists of
//! structured fields (RFC 9651). The names of the policies are `rule` and `service`: those of rules are for operators.

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
        let mut list = FieldText::default();
        let levels = [
            (LimitedBy::Rule, self.rule),
            (LimitedBy::Service, self.service),
        ];
        for (by, level) in levels {
            if let Some(BucketLevel { remaining, next }) = level {
                list.item(by, [(b'r', remaining), (b't', next)]);
            }
        }
        list.value()
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
    let mut list = FieldText::default();
    for (by, limit) in [(LimitedBy::Rule, rule), (LimitedBy::Service, service)] {
        if let Some(limit) = limit.filter(|limit| limit.mode == Mode::Enforce) {
            list.item(by, quota(limit.rate));
        }
    }
    list.value()
}

/// The whole bucket, and the time in which it fills, in seconds, rounded up.
fn quota(rate: Rate) -> [(u8, u32); 2] {
    let nanos = rate.per().as_nanos() * u128::from(rate.bucket());
    let window = nanos.div_ceil(u128::from(rate.requests()) * 1_000_000_000);
    let window = u32::try_from(window).unwrap_or(u32::MAX);
    [(b'q', rate.bucket()), (b'w', window)]
}

/// A list of two items at most. It is written for every answer that counts: without the heap, and without the machinery of
/// `format!`.
struct FieldText {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl FieldText {
    /// `"rule";r=4294967295;t=4294967295, "service";r=4294967295;t=4294967295`
    const LONGEST: usize = 69;

    /// Appends `"rule";r=3;t=12`.
    fn item(&mut self, by: LimitedBy, parameters: [(u8, u32); 2]) {
        if self.length > 0 {
            self.text(b", ");
        }
        self.text(b"\"");
        self.text(by.as_str().as_bytes());
        self.text(b"\"");
        for (name, number) in parameters {
            self.text(&[b';', name, b'=']);
            self.number(number);
        }
    }

    fn number(&mut self, mut number: u32) {
        let (mut digits, mut start) = ([0; 10], 10);
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text(&digits[start..]);
    }

    fn text(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        self.bytes[self.length..end].copy_from_slice(text);
        self.length = end;
    }

    /// `None` where there is nothing to say.
    fn value(&self) -> Option<HeaderValue> {
        let text = Some(&self.bytes[..self.length]).filter(|text| !text.is_empty());
        HeaderValue::from_bytes(text?).ok()
    }
}

impl Default for FieldText {
    fn default() -> Self {
        Self {
            bytes: [0; Self::LONGEST],
            length: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_list_has_room() {
        let level = BucketLevel {
            remaining: u32::MAX,
            next: u32::MAX,
        };
        let levels = EnforcedLevels {
            rule: Some(level),
            service: Some(level),
        };
        let text = "\"rule\";r=4294967295;t=4294967295, \"service\";r=4294967295;t=4294967295";
        assert_eq!(text.len(), FieldText::LONGEST);
        assert_eq!(levels.value().expect("there are levels"), text);
        assert_eq!(EnforcedLevels::default().value(), None);
    }
}
