//! What is legal and yet worth a second look.

use std::collections::HashSet;

use http::Method;

use super::code::Code;
use super::finding::Finding;
use super::shown::shown;
use super::span::Span;
use crate::access::{Methods, Mount, PathOptions, Pattern, Policy, RequestPath, Requirement, Rule, RuleId, Segment};

/// The methods of everyday services; others are looked at only where a rule names them.
const USUAL: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What a check costs that is switched off.
pub(super) fn loose_path(key: &str, span: Span) -> Finding {
    let cost = match key {
        "allow_encoded_slash" => "an upstream that decodes `%2F` sees another path than the rules did",
        "allow_encoded_reserved" => {
            "an upstream that decodes `%5C`, `%23`, `%3F` or `%3B` sees another path than the rules did"
        }
        "allow_semicolon" => "an upstream that cuts `;parameters` off sees another path than the rules did",
        _ => "the upstream sees `/` where the client wrote `//`",
    };
    Finding::warning(Code::LoosePaths, span, format!("`{key}`: {cost}"))
        .help("leave it out unless the service needs it, and test how the service reads such paths")
}

/// Rules outside the mount, and methods that a wider rule decides.
pub(super) fn rules(policy: &Policy, mount: Option<&Mount>, spans: &[Span]) -> Vec<Finding> {
    let mut findings = fall_throughs(policy, spans);
    if let Some(mount) = mount {
        let outside = policy.rules().iter().zip(spans).filter(|(rule, _)| is_outside(&rule.pattern, mount));
        findings.extend(outside.map(|(rule, span)| unreachable(rule, mount, *span)));
    }
    findings
}

fn unreachable(rule: &Rule, mount: &Mount, span: Span) -> Finding {
    let (pattern, mount) = (rule.pattern.source(), mount.source());
    let message = format!("`{}` never matches: the service is mounted at `{mount}`", shown(pattern));
    Finding::warning(Code::UnreachableRule, span, message).help(format!(
        "patterns cover the whole path: write `{}{}`",
        mount.trim_end_matches('/'),
        shown(pattern)
    ))
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

fn fall_throughs(policy: &Policy, spans: &[Span]) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let mut findings = Vec::new();
    for (rule, span) in policy.rules().iter().zip(spans) {
        // Two rules for one path would fall through with the same methods; the first speaks for both.
        if rule.methods == Methods::All || !seen.insert(shape(&rule.pattern)) {
            continue;
        }
        for (wider, methods) in deciders(policy, rule) {
            findings.push(fall_through(&methods, rule, policy.rule(wider), *span));
        }
    }
    findings
}

/// The wider rules that decide some of the usual methods on a rule's path, each with those methods.
fn deciders(policy: &Policy, rule: &Rule) -> Vec<(RuleId, Vec<Method>)> {
    let Some(sample) = sample(&rule.pattern) else { return Vec::new() };
    let mut deciders: Vec<(RuleId, Vec<Method>)> = Vec::new();
    for method in USUAL {
        let Some(id) = policy.find(&method, &sample) else { continue };
        let wider = policy.rule(id);
        // To be refused by a wider rule is what a missing rule does as well.
        if shape(&wider.pattern) == shape(&rule.pattern) || wider.requirement == Requirement::Nobody {
            continue;
        }
        match deciders.iter_mut().find(|(other, _)| *other == id) {
            Some((_, methods)) => methods.push(method),
            None => deciders.push((id, vec![method])),
        }
    }
    deciders
}

fn fall_through(methods: &[Method], rule: &Rule, wider: &Rule, span: Span) -> Finding {
    let path = shown(rule.pattern.source());
    let names = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let verbs = if methods.len() == 1 { ("is", "falls") } else { ("are", "fall") };
    let message = format!(
        "`{names} {path}` {} not covered by the rule `{}` and {} through to `{}`",
        verbs.0,
        shown(&rule.name),
        verbs.1,
        shown(&wider.name)
    );
    let help = format!("if that is not meant, write `{{ path: \"{path}\", methods: [{names}], allow: nobody }}`");
    Finding::warning(Code::MethodFallThrough, span, message).help(help)
}

/// A path that the pattern covers, and of the narrower ones hardly any.
fn sample(pattern: &Pattern) -> Option<RequestPath> {
    let segment = |text: &str| match text {
        "**" => "~any~/~any~".to_owned(),
        _ if text == "*" || text.starts_with('{') => "~any~".to_owned(),
        _ => text.to_owned(),
    };
    let text = pattern.source().split('/').map(segment).collect::<Vec<_>>().join("/");
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
