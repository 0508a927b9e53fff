//! A configuration as `analysis` takes it.

use crate::access::{Methods, Mode, Pattern, Policy, Requirement, Rule};
use crate::analysis::{ConfigurationView, ServicePolicyView};
use crate::config::{Config, Service};
use crate::wire::OwnPaths;

/// The rules as they work: denials that are only reported keep nobody out, and the gateway's own paths have none.
pub(super) struct AtWork {
    policies: Vec<Option<Policy>>,
    own: OwnPaths,
}

impl AtWork {
    /// The rules of every service.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            policies: config.services.iter().map(at_work).collect(),
            own: config.auth.own_paths(),
        }
    }
}

/// `None` where the rules are as they are written.
fn at_work(service: &Service) -> Option<Policy> {
    let policy = &service.policy;
    let reports = |rule: &Rule| rule.mode == Mode::Report;
    if service.mode == Mode::Enforce && !policy.rules().iter().any(reports) {
        return None;
    }
    let open = |rule: &Rule| match rule.mode {
        Mode::Report => Rule {
            requirement: Requirement::Anyone,
            ..rule.clone()
        },
        Mode::Enforce => rule.clone(),
    };
    let mut rules: Vec<Rule> = policy.rules().iter().map(open).collect();
    let everything = Pattern::parse("/**").expect("it is a pattern");
    let covered = |rule: &Rule| {
        rule.pattern.segments() == everything.segments() && rule.methods == Methods::All
    };
    if service.mode == Mode::Report && !rules.iter().any(covered) {
        rules.push(Rule {
            name: "no rule (only reported)".into(),
            pattern: everything,
            methods: Methods::All,
            requirement: Requirement::Anyone,
            mode: Mode::Report,
        });
    }
    Some(
        Policy::build(rules, policy.case())
            .expect("one more rule for everything ties with no narrower one"),
    )
}

/// The configuration; `known_as` gives the name by which a service is compared.
pub(super) fn configuration<'c: 'a, 'a>(
    config: &'c Config,
    at_work: &'a AtWork,
    known_as: impl Fn(&'c Service) -> &'c str,
) -> ConfigurationView<'a> {
    let service = |(service, at_work): (&'c Service, &'a Option<Policy>)| ServicePolicyView {
        name: &service.name,
        known_as: known_as(service),
        hosts: &service.hosts,
        mount: &service.mount,
        strip_path: service.strip_path,
        paths: service.paths,
        policy: at_work.as_ref().unwrap_or(&service.policy),
    };
    let services = config.services.iter().zip(&at_work.policies);
    ConfigurationView {
        router: &config.router,
        services: services.map(service).collect(),
        own: &at_work.own,
    }
}

/// Where a rule stands: `gateway.yaml:14:9`.
pub(super) fn place(service: &Service, rule: crate::access::RuleId) -> String {
    service
        .origins
        .get(rule.0 as usize)
        .map_or_else(String::new, |origin| {
            format!(
                "{}:{}:{}",
                origin.file.display(),
                origin.line,
                origin.column
            )
        })
}
