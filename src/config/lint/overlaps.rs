//! Rules of one service that together do something else than each of them says.

use http::Method;

use super::service_rules::Rules;
use crate::access::{Methods, Requirement, Rule, RuleId, Segment};
use crate::analysis::{Shadow, enclosing_rule, has_rules_below, shadow};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::shown::shown;

/// The methods of everyday services, and one that no rule names.
const ASKED: [Option<Method>; 6] = [
    None,
    Some(Method::GET),
    Some(Method::POST),
    Some(Method::PUT),
    Some(Method::PATCH),
    Some(Method::DELETE),
];

/// How much a requirement asks, as far as it can be said without knowing the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asks {
    Nothing,
    AnIdentity,
    ACondition,
    TooMuch,
}

/// Each rule is looked at with the rules around it. It costs by the length of the patterns.
pub(super) fn overlaps(rules: &Rules<'_>) -> Vec<Finding> {
    let ids = (0..).map(RuleId).zip(rules.policy.rules());
    ids.filter_map(|(id, rule)| shadowed(rules, id).or_else(|| around(rules, id, rule)))
        .collect()
}

fn shadowed(rules: &Rules<'_>, id: RuleId) -> Option<Finding> {
    let Shadow { methods, by } = shadow(rules.policy, id)?;
    let name = rules.name(id);
    let finding = match methods {
        None => rules
            .warning(
                Code::ShadowedRule,
                id,
                format!("`{name}` never wins: more specific rules decide all it covers"),
            )
            .help("take the rule away, or one of those that beat it"),
        Some(methods) => {
            let methods = methods
                .iter()
                .map(Method::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            let message = format!(
                "`{name}` never wins for {methods}: more specific rules decide those requests"
            );
            rules
                .warning(Code::ShadowedMethod, id, message)
                .help(format!("take {methods} out of `methods`"))
        }
    };
    // two show how it comes about; a long chain would only hide it
    let notes = by.iter().take(2).map(|other| {
        (
            rules.span(*other),
            format!("`{}` beats it", rules.name(*other)),
        )
    });
    Some(notes.fold(finding, |finding, (span, note)| finding.note(span, note)))
}

/// The lint about a rule and the tree it stands in, if there is one.
fn around(rules: &Rules<'_>, id: RuleId, rule: &Rule) -> Option<Finding> {
    // A whole service for those who are signed in, with exceptions, is how services are set up: no surprise.
    if !names_a_subtree(rules, rule) {
        return None;
    }
    let methods = match &rule.methods {
        Methods::All => ASKED.to_vec(),
        Methods::Only(methods) => methods.iter().cloned().map(Some).collect(),
    };
    let enclosing = methods
        .iter()
        .filter_map(|method| enclosing_rule(rules.policy, id, method.as_ref()));
    let mut enclosing: Vec<RuleId> = enclosing.collect();
    enclosing.dedup();
    enclosing
        .into_iter()
        .find_map(|wider| compare(rules, (id, rule), wider))
}

fn compare(rules: &Rules<'_>, (id, rule): (RuleId, &Rule), wider_id: RuleId) -> Option<Finding> {
    let wider = rules.policy.rule(wider_id);
    let (own, around) = (asks(&rule.requirement), asks(&wider.requirement));
    let (name, wider_name) = (rules.name(id), rules.name(wider_id));
    let finding = if own == Asks::Nothing && around > Asks::Nothing && names_a_subtree(rules, wider)
    {
        rules
            .warning(Code::PublicUnderProtected, id, format!("`{name}` lets anyone in, and lies in `{wider_name}`"))
            .help("check that it is meant, and write `allow_lints: [public-under-protected]` to the rule")
    } else if is_tree_of(wider, rule) && own <= around && rule.requirement != wider.requirement {
        let message = format!(
            "`{}` itself is decided by `{name}`, not by `{wider_name}`",
            path(rule)
        );
        rules
            .warning(Code::SurprisingOverlap, id, message)
            .help(format!(
                "`{}` covers `{}` too: one rule is enough where both ask the same",
                path(wider),
                path(rule)
            ))
    } else if guards_less_than_it_seems(rules, id, rule) && own > around && own >= Asks::ACondition
    {
        let message = format!(
            "`{name}` does not cover what lies under it: `{wider_name}` decides, and asks less"
        );
        rules
            .warning(Code::UnguardedSubtree, id, message)
            .help(format!(
                "write `path: {}/**` to cover both, or write a rule for what lies under it",
                path(rule).trim_end_matches('/')
            ))
    } else {
        return None;
    };
    Some(finding.note(rules.span(wider_id), format!("`{wider_name}` is here")))
}

fn path(rule: &Rule) -> String {
    shown(rule.pattern.source())
}

pub(super) fn asks(requirement: &Requirement) -> Asks {
    match requirement {
        Requirement::Anyone => Asks::Nothing,
        Requirement::Authenticated => Asks::AnIdentity,
        Requirement::AnyOf(_) => Asks::ACondition,
        Requirement::Nobody => Asks::TooMuch,
    }
}

/// Whether the pattern has a literal of its own, beside those of the mount.
fn names_a_subtree(rules: &Rules<'_>, rule: &Rule) -> bool {
    let mount = rules.mount.map_or(0, |mount| mount.segments().count());
    rule.pattern
        .segments()
        .iter()
        .skip(mount)
        .any(|segment| matches!(segment, Segment::Literal(_)))
}

/// Whether one is `P/**` to the other's `P`; where case does not count, a doubtful pair is not warned of.
fn is_tree_of(tree: &Rule, path: &Rule) -> bool {
    let alike = |(one, other): (&Segment, &Segment)| match (one, other) {
        (Segment::Literal(one), Segment::Literal(other)) => one == other,
        (Segment::Parameter(_), Segment::Parameter(_)) => true,
        (Segment::Literal(_) | Segment::Parameter(_) | Segment::Rest, _) => false,
    };
    match tree.pattern.segments() {
        [prefix @ .., Segment::Rest] => {
            prefix.len() == path.pattern.segments().len()
                && prefix.iter().zip(path.pattern.segments()).all(alike)
        }
        _ => false,
    }
}

/// Whether the pattern ends with a name that looks like a folder's, under which no rule says anything.
fn guards_less_than_it_seems(rules: &Rules<'_>, id: RuleId, rule: &Rule) -> bool {
    let folder = matches!(rule.pattern.segments().last(), Some(Segment::Literal(text)) if !text.contains('.'));
    folder && !has_rules_below(rules.policy, id)
}
