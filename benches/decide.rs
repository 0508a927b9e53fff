//! What one decision costs by the number of rules, and what a path costs to parse.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gatelatch::access::{
    AccessSubject, CaseRule, Condition, Identity, Methods, Mode, PathOptions, Pattern, Policy,
    RequestPath, Requirement, RoleMatch, Rule, UserMatch,
};
use http::Method;

fn rule(method: Option<Method>, pattern: &str, requirement: Requirement) -> Rule {
    Rule {
        name: pattern.into(),
        pattern: Pattern::parse(pattern).expect("the benchmark's patterns parse"),
        methods: method.map_or(Methods::All, |method| Methods::Only(vec![method])),
        requirement,
        mode: Mode::Enforce,
    }
}

fn role(name: &str) -> Requirement {
    let roles = vec![RoleMatch::OneOf(vec!["admin".into(), name.into()])];
    Requirement::AnyOf(vec![Condition {
        roles,
        ..Condition::default()
    }])
}

fn owner() -> Requirement {
    let user = Some(UserMatch::Parameter("id".into()));
    Requirement::AnyOf(vec![Condition {
        user,
        ..Condition::default()
    }])
}

/// About `count` rules as an API of many resources has them: five rules each, literals and parameters mixed.
fn policy(count: usize) -> Policy {
    let resources = (0..count / 5).flat_map(|number| {
        let base = format!("/api/v{}/resource-{number}", number % 3);
        [
            rule(Some(Method::GET), &base, Requirement::Authenticated),
            rule(Some(Method::POST), &base, role("recruiter")),
            rule(None, &format!("{base}/{{id}}"), owner()),
            rule(
                Some(Method::GET),
                &format!("{base}/{{id}}/parts/{{part}}"),
                role("recruiter"),
            ),
            rule(None, &format!("{base}/public/**"), Requirement::Anyone),
        ]
    });
    Policy::build(resources.collect(), CaseRule::Sensitive)
        .expect("the benchmark's rules do not tie")
}

fn path(raw: &str) -> RequestPath {
    RequestPath::parse(raw, PathOptions::default()).expect("the benchmark's paths parse")
}

fn caller() -> AccessSubject {
    let roles = ["viewer", "recruiter"].map(Box::from).into();
    let identity = Identity {
        subject: "alice@example.com".into(),
        roles,
        ..Identity::default()
    };
    AccessSubject::known(Arc::new(identity), None)
}

fn decisions(criterion: &mut Criterion) {
    let caller = caller();
    let mut group = criterion.benchmark_group("decide");
    for count in [10, 1_000, 100_000] {
        let policy = policy(count);
        let number = count / 5 - 1;
        let base = format!("/api/v{}/resource-{number}", number % 3);
        for (name, raw) in [
            ("literal", base.clone()),
            ("parameters", format!("{base}/4711/parts/7")),
            ("escaped", format!("{base}/alice%40example.com")),
            ("none", format!("{base}/4711/nothing")),
        ] {
            let path = path(&raw);
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    policy.decide(
                        black_box(&Method::GET),
                        black_box(&path),
                        black_box(&caller),
                    )
                });
            });
        }
    }
    group.finish();
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, raw) in [
        ("short", "/jobs"),
        ("plain", "/api/v1/resource-199/4711/parts/7"),
        (
            "escaped",
            "/api/v1/r%65source-199/alice%40example.com/parts/gr%c3%bcn",
        ),
        ("refused", "/api/v1/resource-199/../parts/7"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| RequestPath::parse(black_box(raw), PathOptions::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, decisions, paths);
criterion_main!(benches);
