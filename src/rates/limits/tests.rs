//! Which bucket a request takes from, and what two rates do together.

use std::time::Duration;

use super::*;
use crate::access::{CaseRule, Identity, Methods, Pattern, Requirement, Rule};
use crate::ambient;

fn rate(requests: u32, by: CountedBy) -> Rate {
    Rate::new(requests, Duration::from_secs(60), 0, by).expect("it is in range")
}

struct Limits {
    limits: ServiceLimits,
    started: Instant,
}

/// A service whose only rule is `/jobs`.
fn limits(service: Option<(Rate, Mode)>, rule: Option<(Rate, Mode)>) -> Limits {
    let started = ambient::now();
    let table = Arc::new(RateTable::new(started, ambient::hash_state()));
    Limits {
        limits: on(&table, service, rule),
        started,
    }
}

fn on(
    table: &Arc<RateTable>,
    service: Option<(Rate, Mode)>,
    rule: Option<(Rate, Mode)>,
) -> ServiceLimits {
    let jobs = Rule {
        name: "jobs".into(),
        pattern: Pattern::parse("/jobs").expect("it is one"),
        methods: Methods::All,
        requirement: Requirement::Anyone,
        mode: rule.map_or(Mode::Enforce, |(_, mode)| mode),
    };
    let policy = Policy::build(vec![jobs], CaseRule::Sensitive).expect("nothing ties");
    let policy = policy.with_unruled(service.map_or(Mode::Enforce, |(_, mode)| mode));
    let rates = ServiceRates {
        service: service.map(|(rate, _)| rate),
        rules: vec![rule.map(|(rate, _)| rate)],
    };
    ServiceLimits::new(table, ("app", &policy), &rates).expect("there are rates")
}

impl Limits {
    fn ask(&self, rule: Option<u32>, subject: &AccessSubject, second: u64) -> RateOutcome {
        let now = self.started + Duration::from_secs(second);
        self.limits.count(rule.map(RuleId), subject, now)
    }

    fn passes(&self, rule: Option<u32>, subject: &AccessSubject, tries: u32) -> u32 {
        let passed = (0..tries).filter(|_| self.ask(rule, subject, 1).refusal.is_none());
        u32::try_from(passed.count()).expect("it is at most `tries`")
    }
}

fn from(address: &str) -> AccessSubject {
    let address: IpAddr = address.parse().expect("it is an address");
    AccessSubject::anonymous(address)
}

fn user(name: &str, subjects: Subjects, address: &str) -> AccessSubject {
    let identity = Identity {
        subject: name.into(),
        subjects,
        ..Identity::default()
    };
    let address: IpAddr = address.parse().expect("it is an address");
    AccessSubject::known(identity.into(), address)
}

const ENFORCE: Mode = Mode::Enforce;

#[test]
fn who_is_counted_together() {
    let alice = |address| user("alice", Subjects::Users, address);
    let unknown = || AccessSubject::anonymous(None);
    let same = [
        (CountedBy::User, alice("192.0.2.1"), alice("2001:db8::1")),
        (CountedBy::User, from("192.0.2.1"), from("::ffff:192.0.2.1")),
        (
            CountedBy::User,
            from("2001:db8::1"),
            from("2001:db8::ffff:0:0:1"),
        ),
        (CountedBy::User, unknown(), unknown()),
        (CountedBy::Address, alice("192.0.2.1"), from("192.0.2.1")),
        (CountedBy::Service, alice("192.0.2.1"), from("192.0.2.9")),
    ];
    for (by, one, other) in same {
        let limits = limits(Some((rate(1, by), ENFORCE)), None);
        assert_eq!(limits.passes(None, &one, 2), 1, "{by:?} {one:?}");
        assert_eq!(
            limits.passes(None, &other, 2),
            0,
            "{by:?} {one:?} {other:?}"
        );
    }
    let apart = [
        (
            CountedBy::User,
            alice("192.0.2.1"),
            user("bob", Subjects::Users, "192.0.2.1"),
        ),
        (
            CountedBy::User,
            alice("192.0.2.1"),
            user("alice", Subjects::Foreign, "192.0.2.1"),
        ),
        (CountedBy::User, alice("192.0.2.1"), from("192.0.2.1")),
        (
            CountedBy::User,
            from("2001:db8:0:1::1"),
            from("2001:db8:0:2::1"),
        ),
        (CountedBy::User, from("0.0.0.0"), unknown()),
        (CountedBy::Address, alice("192.0.2.1"), alice("192.0.2.2")),
    ];
    for (by, one, other) in apart {
        let limits = limits(Some((rate(1, by), ENFORCE)), None);
        assert_eq!(limits.passes(None, &one, 2), 1, "{by:?} {one:?}");
        assert_eq!(
            limits.passes(None, &other, 2),
            1,
            "{by:?} {one:?} {other:?}"
        );
    }
}

#[test]
fn what_one_rate_refuses_counts_for_neither() {
    let by = CountedBy::User;
    let limits = limits(Some((rate(5, by), ENFORCE)), Some((rate(2, by), ENFORCE)));
    let caller = from("192.0.2.1");
    assert_eq!(limits.passes(Some(0), &caller, 50), 2);
    assert_eq!(
        limits.passes(None, &caller, 50),
        3,
        "the service has three left"
    );
    let refused = limits.ask(Some(0), &caller, 1);
    let refusal = refused.refusal.expect("both are empty");
    assert_eq!(
        (refusal.limit, refusal.retry_after),
        (LimitedBy::Rule, 30),
        "the longer wait"
    );
    // time brings one back to each: the rule's stays empty where the service's is
    assert_eq!(limits.ask(None, &caller, 13).refusal, None);
    let refused = limits.ask(Some(0), &caller, 31).refusal;
    assert_eq!(refused, None, "both have room");
}

#[test]
fn whoever_waits_gets_through_both() {
    let by = CountedBy::User;
    let limits = limits(Some((rate(3, by), ENFORCE)), Some((rate(2, by), ENFORCE)));
    let caller = from("192.0.2.1");
    let mut now = 1;
    for _ in 0..20 {
        while limits.ask(Some(0), &caller, now).refusal.is_none() {}
        let refusal = limits
            .ask(Some(0), &caller, now)
            .refusal
            .expect("it was refused");
        now += u64::from(refusal.retry_after);
        assert_eq!(limits.ask(Some(0), &caller, now).refusal, None);
    }
}

#[test]
fn a_mode_that_only_reports_holds_nobody() {
    let by = CountedBy::User;
    let limits = limits(
        Some((rate(3, by), ENFORCE)),
        Some((rate(2, by), Mode::Report)),
    );
    let caller = from("192.0.2.1");
    let third = [0; 3].map(|_| limits.ask(Some(0), &caller, 1))[2];
    let refusal = third.refusal.expect("the rule has no room");
    assert_eq!(
        (refusal.limit, refusal.mode),
        (LimitedBy::Rule, Mode::Report)
    );
    let left = third.levels.service.map(|level| level.remaining);
    assert_eq!(
        (left, third.levels.rule),
        (Some(0), None),
        "the service counts it"
    );
    let fourth = limits
        .ask(Some(0), &caller, 1)
        .refusal
        .expect("neither has room");
    assert_eq!((fourth.limit, fourth.mode), (LimitedBy::Service, ENFORCE));
}

#[test]
fn a_reload_keeps_the_buckets_of_what_is_still_there() {
    let (started, by) = (ambient::now(), CountedBy::Address);
    let table = Arc::new(RateTable::new(started, ambient::hash_state()));
    let caller = from("192.0.2.1");
    let ask = |limits: &ServiceLimits, rule: u32| {
        let outcome = limits.count(
            Some(RuleId(rule)),
            &caller,
            started + Duration::from_secs(1),
        );
        outcome.refusal.map(|refusal| refusal.retry_after)
    };
    let before = on(&table, None, Some((rate(1, by), ENFORCE)));
    assert_eq!((ask(&before, 0), ask(&before, 0)), (None, Some(60)));
    let same = on(&table, None, Some((rate(1, by), ENFORCE)));
    assert_eq!(ask(&same, 0), Some(60));
    let faster = on(&table, None, Some((rate(10, by), ENFORCE)));
    assert_eq!(
        ask(&faster, 0),
        Some(6),
        "an empty bucket fills at the new rate"
    );
    let others = on(&table, None, Some((rate(1, CountedBy::Service), ENFORCE)));
    assert_eq!(
        ask(&others, 0),
        None,
        "who counts together is another question"
    );
}

#[test]
fn clients_are_told_what_is_left() {
    let by = CountedBy::User;
    let limits = limits(Some((rate(30, by), ENFORCE)), Some((rate(2, by), ENFORCE)));
    let caller = from("192.0.2.1");
    let told = |rule: Option<u32>| {
        let outcome = limits.ask(rule, &caller, 1);
        let mut fields = HeaderMap::new();
        limits
            .limits
            .tell(rule.map(RuleId), &outcome.levels, &mut fields);
        ["ratelimit-policy", "ratelimit"].map(|name| fields[name].to_str().unwrap().to_owned())
    };
    let policy = r#""rule";q=2;w=60, "service";q=30;w=60"#;
    let rule = told(Some(0));
    assert_eq!(rule, [policy, r#""rule";r=1;t=30, "service";r=29;t=2"#]);
    let service = told(None);
    assert_eq!(service, [r#""service";q=30;w=60"#, r#""service";r=28;t=2"#]);
    assert_eq!(told(Some(0))[1], r#""rule";r=0;t=30, "service";r=27;t=2"#);
    assert_eq!(
        told(Some(0)),
        [policy, r#""rule";r=0;t=30, "service";r=27;t=2"#]
    );
}
