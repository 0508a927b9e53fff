//! Rules for paths that another service, or the gateway itself, answers.

use std::collections::HashMap;

use http::Method;

use crate::access::{CaseRule, HostPattern, Methods, RuleId, Segment};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::places::Places;
use crate::config::settings::Service;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::wire::OwnPaths;

/// A host, as written in one spelling, or any; and the segments of a mount.
type Claim = (Option<String>, Vec<String>);

/// Rules that no request reaches, because it goes elsewhere before its service is asked.
pub(in crate::config) fn mounts(
    services: &[Service],
    places: &[Places],
    own: &OwnPaths,
) -> Vec<Finding> {
    let mut claims: HashMap<Claim, usize> = HashMap::new();
    for (index, service) in services.iter().enumerate() {
        let mount: Vec<String> = service.mount.segments().map(str::to_owned).collect();
        claims.extend(
            hosts(service)
                .into_iter()
                .map(|host| ((host, mount.clone()), index)),
        );
    }
    let mut findings = Vec::new();
    for (service, places) in services.iter().zip(places) {
        let hosts = hosts(service);
        for (id, rule) in (0..).map(RuleId).zip(service.policy.rules()) {
            let literals = literals(rule.pattern.segments());
            let other =
                longer_mount(service, &literals, &hosts, &claims).map(|index| &services[index]);
            let by = match other {
                Some(other) => format!(
                    "the service `{}` at `{}` answers",
                    other.name,
                    shown(other.mount.source())
                ),
                None if is_token_path(&rule.methods, rule.pattern.segments(), own) => {
                    "the gateway itself answers: it is one of `auth.token_paths`".to_owned()
                }
                None => continue,
            };
            let message = format!("`{}` never matches: {by}", shown(&rule.name));
            let span: Span = places.rules[id.0 as usize];
            let finding = Finding::warning(Code::UnreachableRule, span, message)
                .about([span, places.service]);
            findings.push(finding.help("move the rule to where the requests go, or take it away"));
        }
    }
    findings
}

fn hosts(service: &Service) -> Vec<Option<String>> {
    match service.hosts.as_slice() {
        [] => vec![None],
        hosts => hosts.iter().map(HostPattern::to_string).map(Some).collect(),
    }
}

/// The literals that the pattern begins with.
fn literals(segments: &[Segment]) -> Vec<String> {
    let literal = |segment: &Segment| match segment {
        Segment::Literal(text) => Some(text.to_string()),
        Segment::Parameter(_) | Segment::Rest => None,
    };
    segments.iter().map_while(literal).collect()
}

/// The service that takes all requests of the pattern on every host of this one, because its mount is longer.
fn longer_mount(
    service: &Service,
    literals: &[String],
    hosts: &[Option<String>],
    claims: &HashMap<Claim, usize>,
) -> Option<usize> {
    // Where case does not count, two mounts may be one; a doubtful rule is not warned of.
    if service.policy.case() == CaseRule::Insensitive {
        return None;
    }
    let own = service.mount.segments().count();
    let longer = (own + 1..=literals.len()).map(|length| literals[..length].to_vec());
    longer.into_iter().find_map(|mount| {
        let mut takers = hosts
            .iter()
            .map(|host| claims.get(&(host.clone(), mount.clone())));
        let first = takers.next()??;
        takers.all(|taker| taker.is_some()).then_some(*first)
    })
}

fn is_token_path(methods: &Methods, segments: &[Segment], own: &OwnPaths) -> bool {
    let only_post = matches!(methods, Methods::Only(methods) if methods[..] == [Method::POST]);
    let literals = literals(segments);
    only_post
        && literals.len() == segments.len()
        && own
            .token_paths
            .iter()
            .any(|path| *path == format!("/{}", literals.join("/")))
}
