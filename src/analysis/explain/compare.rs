//! Which rules cover a request, and which of them is more specific, by pairwise comparison.

use std::borrow::Cow;
use std::cmp::Ordering;

use http::Method;

use super::explanation::PrecedenceLoss;
use crate::access::{CaseRule, Methods, Policy, RequestPath, Rule, RuleId, Segment};

/// A rule that covers the request.
pub(super) struct Candidate<'a> {
    pub(super) id: RuleId,
    pub(super) rule: &'a Rule,
    by: Naming,
}

/// How a rule covers the method; more specific variants first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Naming {
    Itself,
    ByGet,
    NoMethod,
}

/// The element at one position of a pattern; more specific variants first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Literal,
    Parameter,
    End,
    Rest,
}

impl<'a> Candidate<'a> {
    /// `None` where the rule does not cover the method.
    pub(super) fn new(id: RuleId, rule: &'a Rule, method: &Method) -> Option<Self> {
        let by = match &rule.methods {
            Methods::All => Naming::NoMethod,
            Methods::Only(methods) if methods.contains(method) => Naming::Itself,
            Methods::Only(methods) if method == Method::HEAD && methods.contains(&Method::GET) => {
                Naming::ByGet
            }
            Methods::Only(_) => return None,
        };
        Some(Self { id, rule, by })
    }
}

/// Whether the rule's pattern covers a path of these decoded segments.
pub(super) fn covers_path(rule: &Rule, path: &[Cow<'_, str>], case: CaseRule) -> bool {
    let pattern = rule.pattern.segments();
    let open = pattern.last() == Some(&Segment::Rest);
    let fixed = if open {
        pattern.len() - 1
    } else {
        pattern.len()
    };
    let long_enough = if open {
        path.len() >= fixed
    } else {
        path.len() == fixed
    };
    long_enough
        && pattern
            .iter()
            .zip(path)
            .all(|(segment, value)| covers_segment(segment, value, case))
}

fn covers_segment(segment: &Segment, value: &str, case: CaseRule) -> bool {
    match segment {
        Segment::Literal(text) => case.fold((**text).into()) == case.fold(value.into()),
        Segment::Parameter(_) | Segment::Rest => true,
    }
}

/// The rule whose pattern shares most segments with the path's beginning, at least one of them a literal; the first of
/// several.
pub(super) fn nearest(policy: &Policy, path: &RequestPath) -> Option<RuleId> {
    let segments: Vec<_> = path.segments().collect();
    let shared = |rule: &Rule| {
        let pairs = rule.pattern.segments().iter().zip(&segments);
        let common: Vec<_> = pairs
            .take_while(|(own, value)| covers_segment(own, value, policy.case()))
            .collect();
        let literal = common
            .iter()
            .any(|(own, _)| matches!(own, Segment::Literal(_)));
        if literal { common.len() } else { 0 }
    };
    let ranked = (0..)
        .map(RuleId)
        .zip(policy.rules())
        .map(|(id, rule)| (shared(rule), std::cmp::Reverse(id)));
    ranked
        .max()
        .filter(|(shared, _)| *shared > 0)
        .map(|(_, id)| id.0)
}

/// Orders two rules that cover the same request, the more specific first.
pub(super) fn by_specificity(one: &Candidate<'_>, other: &Candidate<'_>) -> Ordering {
    let (left, right) = (one.rule.pattern.segments(), other.rule.pattern.segments());
    first_difference(left, right).map_or(one.by.cmp(&other.by), |position| {
        rank(left.get(position)).cmp(&rank(right.get(position)))
    })
}

/// Why the loser is less specific than the winner.
pub(super) fn loss(
    winner: &Candidate<'_>,
    loser: &Candidate<'_>,
    method: &Method,
) -> PrecedenceLoss {
    let (left, right) = (
        winner.rule.pattern.segments(),
        loser.rule.pattern.segments(),
    );
    match first_difference(left, right) {
        Some(at) => PrecedenceLoss::Path(format!(
            "at segment {} the winner has {}, this rule {}",
            at + 1,
            describe(left.get(at)),
            describe(right.get(at))
        )),
        None => PrecedenceLoss::Method(format!(
            "the winner names `{}`, this rule {}",
            named(winner, method),
            lacks(loser, method)
        )),
    }
}

/// The position, from 0, at which one pattern is more specific than the other.
fn first_difference(left: &[Segment], right: &[Segment]) -> Option<usize> {
    (0..left.len().max(right.len())).find(|at| rank(left.get(*at)) != rank(right.get(*at)))
}

fn rank(segment: Option<&Segment>) -> Rank {
    match segment {
        Some(Segment::Literal(_)) => Rank::Literal,
        Some(Segment::Parameter(_)) => Rank::Parameter,
        None => Rank::End,
        Some(Segment::Rest) => Rank::Rest,
    }
}

fn describe(segment: Option<&Segment>) -> String {
    match segment {
        Some(Segment::Literal(text)) => format!("the literal `{text}`"),
        Some(Segment::Parameter(Some(name))) => format!("the parameter `{{{name}}}`"),
        Some(Segment::Parameter(None)) => "the parameter `*`".to_owned(),
        Some(Segment::Rest) => "`**`".to_owned(),
        None => "its end".to_owned(),
    }
}

fn named(winner: &Candidate<'_>, method: &Method) -> Method {
    match winner.by {
        Naming::ByGet => Method::GET,
        Naming::Itself | Naming::NoMethod => method.clone(),
    }
}

fn lacks(loser: &Candidate<'_>, method: &Method) -> String {
    match loser.by {
        Naming::ByGet => format!("covers `{method}` by `GET` only"),
        Naming::Itself | Naming::NoMethod => "names no method".to_owned(),
    }
}
