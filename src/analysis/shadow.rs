//! How the rules of one policy hide one another, computed on its pattern tree.

use http::Method;

use crate::access::{Methods, PatternNode, Policy, RuleId, Segment};

/// The requests of a rule that more specific rules decide, whatever their path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// For which of the rule's methods; `None`: for every one, and the rule never wins.
    pub methods: Option<Vec<Method>>,
    /// The rules that decide instead, most specific first.
    pub by: Vec<RuleId>,
}

/// Which of its requests a rule never decides; `None` where each of its methods has a path that the rule decides. The
/// cost grows with the length of its pattern, not with the number of rules.
pub fn shadow(policy: &Policy, id: RuleId) -> Option<Shadow> {
    let rule = policy.rule(id);
    // Whatever a parameter or a literal covers, a more specific rule could only take away one value after another.
    let [prefix @ .., Segment::Rest] = rule.pattern.segments() else {
        return None;
    };
    let methods: Vec<Option<&Method>> = match &rule.methods {
        Methods::All => vec![None],
        Methods::Only(methods) => methods.iter().map(Some).collect(),
    };
    let mut by = Vec::new();
    let hidden: Vec<_> = methods
        .iter()
        .filter(|method| {
            let hiding = hiding_rules(policy, prefix, **method);
            let is_hidden = hiding.is_some();
            by.extend(hiding.into_iter().flatten());
            is_hidden
        })
        .collect();
    by.dedup();
    match hidden.len() {
        0 => None,
        all if all == methods.len() => Some(Shadow { methods: None, by }),
        _ => Some(Shadow {
            methods: Some(
                hidden
                    .into_iter()
                    .filter_map(|method| method.cloned())
                    .collect(),
            ),
            by,
        }),
    }
}

/// The rules below this prefix, `P`, that together decide everything that `P/**` covers: one for `P` itself, others for
/// one segment more, and so on until a `**`; `None` where they leave something over.
fn hiding_rules(
    policy: &Policy,
    prefix: &[Segment],
    method: Option<&Method>,
) -> Option<Vec<RuleId>> {
    let mut hiding = Vec::new();
    let mut node = node_of(policy, prefix)?;
    loop {
        hiding.push(node.rule(method)?);
        node = node.parameter()?;
        if let Some(rest) = node.rest_rule(method) {
            hiding.push(rest);
            return Some(hiding);
        }
    }
}

/// The most specific rule with `**` that covers everything that this one does, for a method; `None`: for a method that
/// no rule names.
pub fn enclosing_rule(policy: &Policy, id: RuleId, method: Option<&Method>) -> Option<RuleId> {
    let segments = policy.rule(id).pattern.segments();
    enclosing_below(&policy.pattern_root(), segments, method)
}

/// The same below one node, for the rest of the pattern.
fn enclosing_below(
    node: &PatternNode<'_>,
    segments: &[Segment],
    method: Option<&Method>,
) -> Option<RuleId> {
    let by_parameter = |after| enclosing_below(&node.parameter()?, after, method);
    let below = match segments {
        [Segment::Rest, ..] => return None,
        [Segment::Literal(text), after @ ..] => node
            .literal(text)
            .and_then(|next| enclosing_below(&next, after, method))
            .or_else(|| by_parameter(after)),
        [Segment::Parameter(_), after @ ..] => by_parameter(after),
        [] => None,
    };
    below.or_else(|| node.rest_rule(method))
}

/// Whether the pattern of another rule continues where this rule's ends.
pub fn has_rules_below(policy: &Policy, id: RuleId) -> bool {
    node_of(policy, policy.rule(id).pattern.segments()).is_some_and(|node| node.has_more())
}

/// The node at which the pattern ends, if the tree has it; a `**` at its end stays at the node before it.
fn node_of<'p>(policy: &'p Policy, segments: &[Segment]) -> Option<PatternNode<'p>> {
    segments
        .iter()
        .try_fold(policy.pattern_root(), |node, segment| match segment {
            Segment::Literal(text) => node.literal(text),
            Segment::Parameter(_) => node.parameter(),
            Segment::Rest => Some(node),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{CaseRule, Mode, Pattern, Requirement, Rule};

    fn policy(rules: &[(&str, &str)]) -> Policy {
        let rule = |(methods, pattern): &(&str, &str)| Rule {
            name: (*pattern).into(),
            pattern: Pattern::parse(pattern).unwrap(),
            methods: match *methods {
                "" => Methods::All,
                list => Methods::Only(list.split(',').map(|name| name.parse().unwrap()).collect()),
            },
            requirement: Requirement::Anyone,
            mode: Mode::Enforce,
        };
        Policy::build(rules.iter().map(rule).collect(), CaseRule::Sensitive).unwrap()
    }

    fn first_shadow(rules: &[(&str, &str)]) -> Option<Shadow> {
        super::shadow(&policy(rules), RuleId(0))
    }

    #[test]
    fn a_rule_is_shadowed_where_others_take_every_path() {
        let ids = |ids: &[u32]| ids.iter().copied().map(RuleId).collect::<Vec<_>>();
        let whole = |by: &[u32]| {
            Some(Shadow {
                methods: None,
                by: ids(by),
            })
        };
        for (rules, expected) in [
            (&[("", "/a/**")][..], None),
            (&[("", "/a/**"), ("", "/a")], None),
            (&[("", "/a/**"), ("", "/a/*/**")], None),
            (
                &[("", "/a/**"), ("", "/a"), ("", "/a/*/**")],
                whole(&[1, 2]),
            ),
            (&[("", "/a/**"), ("", "/a"), ("", "/a/b/**")], None),
            (
                &[("", "/**"), ("", "/"), ("", "/{x}"), ("", "/{x}/{y}/**")],
                whole(&[1, 2, 3]),
            ),
            (&[("", "/a/**"), ("GET", "/a"), ("", "/a/*/**")], None),
            (
                &[("GET", "/a/**"), ("GET", "/a"), ("", "/a/*/**")],
                whole(&[1, 2]),
            ),
            (
                &[("HEAD", "/a/**"), ("GET", "/a"), ("", "/a/*/**")],
                whole(&[1, 2]),
            ),
            (&[("GET", "/a/**"), ("HEAD", "/a"), ("", "/a/*/**")], None),
            (
                &[("GET,POST", "/a/**"), ("GET", "/a"), ("", "/a/*/**")],
                Some(Shadow {
                    methods: Some(vec![Method::GET]),
                    by: ids(&[1, 2]),
                }),
            ),
            (&[("", "/{x}"), ("", "/a"), ("", "/b")], None),
        ] {
            assert_eq!(first_shadow(rules), expected, "{rules:?}");
        }
    }

    #[test]
    fn the_enclosing_rule_covers_the_whole_pattern() {
        let rules = [
            ("", "/**"),
            ("", "/a/**"),
            ("POST", "/a/b/**"),
            ("", "/{x}/b/c/**"),
            ("", "/a/b/c"),
            ("", "/a/{y}"),
            ("", "/a/b/c/d"),
            ("", "/a"),
            ("", "/z"),
        ];
        let policy = policy(&rules);
        for (id, method, expected) in [
            (0, None, None),
            (1, None, Some(0)),
            (2, None, Some(1)),
            (4, None, Some(1)),
            (4, Some(Method::POST), Some(2)),
            (5, Some(Method::POST), Some(1)),
            (6, None, Some(1)),
            (7, None, Some(1)),
            (8, None, Some(0)),
        ] {
            assert_eq!(
                enclosing_rule(&policy, RuleId(id), method.as_ref()),
                expected.map(RuleId),
                "{}",
                rules[id as usize].1
            );
        }
        assert!(has_rules_below(&policy, RuleId(7)) && has_rules_below(&policy, RuleId(4)));
        assert!(!has_rules_below(&policy, RuleId(8)) && !has_rules_below(&policy, RuleId(6)));
    }
}
