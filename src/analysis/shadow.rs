//! What rules do to one another, found by walking the tree with a pattern instead of a path.

use http::Method;

use crate::access::{Methods, Policy, RuleId, Segment};

/// The requests of a rule that more specific rules decide, whatever their path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// For which of the rule's methods; `None`: for every one, and the rule never wins.
    pub methods: Option<Vec<Method>>,
    /// The rules that do, most specific first.
    pub by: Vec<RuleId>,
}

impl Policy {
    /// Which of its requests a rule never decides. It costs by the length of its pattern, not by the number of rules.
    pub fn shadow(&self, id: RuleId) -> Option<Shadow> {
        let rule = self.rule(id);
        // Whatever a parameter or a literal covers, a more specific rule could only take away one value after another.
        let [prefix @ .., Segment::Rest] = rule.pattern.segments() else {
            return None;
        };
        let methods: Vec<Option<&Method>> = match &rule.methods {
            Methods::All => vec![None],
            Methods::Only(methods) => methods.iter().map(Some).collect(),
        };
        let mut by = Vec::new();
        let dead: Vec<_> = methods
            .iter()
            .filter(|method| self.is_taken(prefix, **method, &mut by))
            .collect();
        by.dedup();
        match dead.len() {
            0 => None,
            all if all == methods.len() => Some(Shadow { methods: None, by }),
            _ => Some(Shadow {
                methods: Some(
                    dead.into_iter()
                        .filter_map(|method| method.cloned())
                        .collect(),
                ),
                by,
            }),
        }
    }

    /// Whether rules below this prefix, `P`, decide everything that `P/**` covers: one for `P` itself and others for one
    /// segment more, and so on until a `**`.
    fn is_taken(&self, prefix: &[Segment], method: Option<&Method>, by: &mut Vec<RuleId>) -> bool {
        let mut taken_by = Vec::new();
        let mut node = self.tree().node_of(prefix);
        let mut below_the_rule = false;
        while let Some(present) = node {
            let rest = present
                .rest()
                .and_then(|leaf| leaf.pick_any(method))
                .filter(|_| below_the_rule);
            if let Some(rest) = rest {
                taken_by.push(rest);
                by.append(&mut taken_by);
                return true;
            }
            let Some(here) = present.here().and_then(|leaf| leaf.pick_any(method)) else {
                return false;
            };
            taken_by.push(here);
            node = present.parameter();
            below_the_rule = true;
        }
        false
    }

    /// The most specific rule with `**` that covers everything that this one does, for a method; `None`: for a method
    /// that no rule names.
    pub fn enclosing(&self, id: RuleId, method: Option<&Method>) -> Option<RuleId> {
        self.tree()
            .enclosing(self.rule(id).pattern.segments(), &|leaf| {
                leaf.pick_any(method)
            })
    }

    /// Whether another rule's pattern goes on where this one's ends.
    pub fn has_rules_below(&self, id: RuleId) -> bool {
        self.tree()
            .node_of(self.rule(id).pattern.segments())
            .is_some_and(|node| node.has_more())
    }
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

    fn shadow(rules: &[(&str, &str)]) -> Option<Shadow> {
        policy(rules).shadow(RuleId(0))
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
            assert_eq!(shadow(rules), expected, "{rules:?}");
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
                policy.enclosing(RuleId(id), method.as_ref()),
                expected.map(RuleId),
                "{}",
                rules[id as usize].1
            );
        }
        assert!(policy.has_rules_below(RuleId(7)) && policy.has_rules_below(RuleId(4)));
        assert!(!policy.has_rules_below(RuleId(8)) && !policy.has_rules_below(RuleId(6)));
    }
}
