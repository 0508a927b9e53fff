//! What a rate costs a request: a bucket that is known, one that is new, two rates, and what clients are told.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::cell::Cell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gatelatch::access::{
    AccessSubject, CaseRule, Methods, Mode, Pattern, Policy, Requirement, Rule, RuleId,
};
use gatelatch::ambient;
use gatelatch::rates::{CountedBy, Rate, RateTable, ServiceLimits, ServiceRates};
use http::HeaderMap;

/// A service of one rule.
fn limits(service: Option<Rate>, rule: Rate) -> ServiceLimits {
    let jobs = Rule {
        name: "jobs".into(),
        pattern: Pattern::parse("/jobs/**").expect("it is a pattern"),
        methods: Methods::All,
        requirement: Requirement::Anyone,
        mode: Mode::Enforce,
    };
    let policy = Policy::build(vec![jobs], CaseRule::Sensitive).expect("nothing ties");
    let rates = ServiceRates {
        service,
        rules: vec![Some(rule)],
    };
    let table = RateTable::new(ambient::now(), ambient::hash_state());
    ServiceLimits::new(&Arc::new(table), ("app", &policy), &rates).expect("there are rates")
}

fn from(address: u32) -> AccessSubject {
    AccessSubject::anonymous(IpAddr::V4(Ipv4Addr::from(address)))
}

fn count(criterion: &mut Criterion) {
    // so fast that it never refuses
    let second = Duration::from_secs(1);
    let rate = |by| Rate::new(1_000_000, second, 1_000_000, by).expect("it is in range");
    let (one, rule) = (rate(CountedBy::Address), Some(RuleId(0)));
    let mut group = criterion.benchmark_group("rates");

    let (alone, caller) = (limits(None, one), from(1));
    group.bench_function("known", |bencher| {
        bencher.iter(|| alone.count(rule, black_box(&caller), ambient::now()));
    });
    let both = limits(Some(rate(CountedBy::Service)), one);
    group.bench_function("rule and service", |bencher| {
        bencher.iter(|| both.count(rule, black_box(&caller), ambient::now()));
    });
    let (next, started) = (Cell::new(0), ambient::now());
    group.bench_function("new", |bencher| {
        bencher.iter(|| {
            next.set(next.get() + 1);
            // the buckets of before are full again
            let now = started + Duration::from_micros(next.get().into());
            alone.count(rule, &from(next.get()), now)
        });
    });
    let slow = Rate::new(1, Duration::from_secs(3600), 0, CountedBy::Address);
    let closed = limits(None, slow.expect("it is in range"));
    let _ = closed.count(rule, &caller, started);
    group.bench_function("refused", |bencher| {
        bencher.iter(|| closed.count(rule, black_box(&caller), ambient::now()));
    });
    let outcome = alone.count(rule, &caller, ambient::now());
    group.bench_function("fields", |bencher| {
        bencher.iter(|| {
            let mut fields = HeaderMap::with_capacity(8);
            alone.tell(rule, black_box(&outcome.levels), &mut fields);
            fields
        });
    });
    group.finish();
}

criterion_group!(benches, count);
criterion_main!(benches);
