//! Rules that do something else than they seem to.

use std::collections::HashSet;

use http::Method;

use super::overlaps::overlaps;
use super::recursion::recursive_methods;
use super::service_rules::Rules;
use crate::access::{
    Methods, Mount, PathOptions, Pattern, Policy, RequestPath, Requirement, Rule, RuleId, Segment,
};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::shown::shown;

/// The methods of everyday services; others are looked at only where a rule names them.
const USUAL: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// Everything about the rules that needs to know neither users nor other services.
pub(in crate::config) fn rules(rules: &Rules<'_>) -> Vec<Finding> {
    let mut findings = fall_throughs(rules);
    findings.extend(overlaps(rules));
    findings.extend(recursive_methods(rules));
    if let Some(mount) = rules.mount {
        let ids = (0..).map(RuleId).zip(rules.policy.rules());
        let outside = ids.filter(|(_, rule)| is_outside(&rule.pattern, mount));
        findings.extend(outside.map(|(id, rule)| {
            let (message, help) = unreachable(rule, mount);
            rules.warning(Code::UnreachableRule, id, message).help(help)
        }));
    }
    findings
}

fn unreachable(rule: &Rule, mount: &Mount) -> (String, String) {
    let (pattern, mount) = (rule.pattern.source(), mount.source());
    let message = format!(
        "`{}` never matches: the service is mounted at `{mount}`",
        shown(pattern)
    );
    let help = format!(
        "patterns cover the whole path: write `{}{}`",
        mount.trim_end_matches('/'),
        shown(pattern)
    );
    (message, help)
}

fn is_outside(pattern: &Pattern, mount: &Mount) -> bool {
    let mut segments = pattern.segments().iter();
    for literal in mount.segments() {
        match segments.next() {
            // Whether case counts is left aside: a doubtful rule is not warned of.
            Some(Segment::Literal(text)) if text.to_lowercase() == literal.to_lowercase() => {}
            Some(Segment::Parameter(_)) => {}
            Some(Segment::Rest) => return false,
            Some(Segment::Literal(_)) | None => return true,
        }
    }
    false
}

fn fall_throughs(rules: &Rules<'_>) -> Vec<Finding> {
    let policy = rules.policy;
    let mut seen = HashSet::new();
    let mut findings = Vec::new();
    for (id, rule) in (0..).map(RuleId).zip(policy.rules()) {
        // Two rules for one path would fall through with the same methods; the first speaks for both.
        if rule.methods == Methods::All || !seen.insert(shape(&rule.pattern)) {
            continue;
        }
        for (wider, methods) in deciders(policy, rule) {
            let (message, help) = fall_through(&methods, rule, policy.rule(wider));
            findings.push(
                rules
                    .warning(Code::MethodFallThrough, id, message)
                    .help(help),
            );
        }
    }
    findings
}

/// The wider rules that decide some of the usual methods on a rule's path, each with those methods.
fn deciders(policy: &Policy, rule: &Rule) -> Vec<(RuleId, Vec<Method>)> {
    let Some(sample) = sample(&rule.pattern) else {
        return Vec::new();
    };
    let mut deciders: Vec<(RuleId, Vec<Method>)> = Vec::new();
    let named = |method: &Method| matches!(&rule.methods, Methods::Only(methods) if methods.contains(method));
    // A method of its own that a more specific rule takes is no fall to a wider one.
    for method in USUAL.into_iter().filter(|method| !named(method)) {
        let Some(id) = policy.find(&method, &sample) else {
            continue;
        };
        let wider = policy.rule(id);
        // To be refused by a wider rule is what a missing rule does as well.
        if shape(&wider.pattern) == shape(&rule.pattern) || wider.requirement == Requirement::Nobody
        {
            continue;
        }
        match deciders.iter_mut().find(|(other, _)| *other == id) {
            Some((_, methods)) => methods.push(method),
            None => deciders.push((id, vec![method])),
        }
    }
    deciders
}

fn fall_through(methods: &[Method], rule: &Rule, wider: &Rule) -> (String, String) {
    let path = shown(rule.pattern.source());
    let names = methods
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let verbs = if methods.len() == 1 {
        ("is", "falls")
    } else {
        ("are", "fall")
    };
    let message = format!(
        "`{names} {path}` {} not covered by the rule `{}` and {} through to `{}`",
        verbs.0,
        shown(&rule.name),
        verbs.1,
        shown(&wider.name)
    );
    let help = format!(
        "if that is not meant, write `{{ path: \"{path}\", methods: [{names}], allow: nobody }}`"
    );
    (message, help)
}

/// A path that the pattern covers, and of the narrower ones hardly any.
fn sample(pattern: &Pattern) -> Option<RequestPath> {
    let segment = |text: &str| match text {
        "**" => "~any~/~any~".to_owned(),
        _ if text == "*" || text.starts_with('{') => "~any~".to_owned(),
        _ => text.to_owned(),
    };
    let text = pattern
        .source()
        .split('/')
        .map(segment)
        .collect::<Vec<_>>()
        .join("/");
    let options = PathOptions {
        allow_encoded_slash: true,
        allow_encoded_reserved: true,
        allow_semicolon: true,
        merge_slashes: false,
    };
    RequestPath::parse(&text, options).ok()
}

/// The pattern without the names of its parameters; also without letter case, which only merges warnings.
fn shape(pattern: &Pattern) -> String {
    let piece = |segment: &Segment| match segment {
        Segment::Literal(text) => format!("/={}", text.to_lowercase()),
        Segment::Parameter(_) => "/*".to_owned(),
        Segment::Rest => "/**".to_owned(),
    };
    pattern.segments().iter().map(piece).collect()
}
