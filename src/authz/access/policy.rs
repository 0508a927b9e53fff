//! The rules of one service, indexed.

#[cfg(test)]
mod tests;

use http::Method;

use super::caller::Caller;
use super::case::CaseRule;
use super::decision::{
    Challenge, ChallengeReason, Decision, Forbid, ForbidReason, Permit, PolicyDenial,
};
use super::judge::{self, RuleVerdict};
use super::path::RequestPath;
use super::pattern_trie::PatternTrie;
use super::requested_paths::{DecidedPath, RequestedPaths};
use super::rule::{Methods, Mode, Rule, RuleId};
use super::subject::{AccessSubject, Who};

/// The rules of one service. The order in which they were written never matters.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    case: CaseRule,
    tree: PatternTrie<Leaf>,
    unruled: Mode,
}

/// Two rules of which neither is more specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The one written first.
    pub first: RuleId,
    /// The one written later.
    pub second: RuleId,
    /// A method for which they tie; `None`: for every method that neither names.
    pub method: Option<Method>,
}

/// The rules of one path, by method.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    named: Vec<(Method, RuleId)>,
    unnamed: Option<RuleId>,
}

impl Policy {
    /// Indexes the rules. Every rule that ties is reported once for each earlier rule it ties with; of several
    /// that are all alike, with the first.
    pub fn build(rules: Vec<Rule>, case: CaseRule) -> Result<Self, Vec<Tie>> {
        let mut tree = PatternTrie::<Leaf>::new(case);
        let mut ties = Vec::new();
        for (id, rule) in (0..).map(RuleId).zip(&rules) {
            tree.leaf(rule.pattern.segments())
                .add(id, &rule.methods, &mut ties);
        }
        if ties.is_empty() {
            Ok(Self {
                rules,
                case,
                tree,
                unruled: Mode::Enforce,
            })
        } else {
            Err(ties)
        }
    }

    /// The same rules, with this mode for requests that no rule covers; [`Mode::Enforce`] without it.
    #[must_use]
    pub fn with_unruled(self, mode: Mode) -> Self {
        Self {
            unruled: mode,
            ..self
        }
    }

    /// The mode of a denial by this rule, or where no rule covers the request.
    pub fn mode_of(&self, rule: Option<RuleId>) -> Mode {
        rule.map_or(self.unruled, |id| self.rule(id).mode)
    }

    /// All rules, by [`RuleId`].
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of that id, which this policy gave out.
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// Whether letter case counts in its patterns.
    pub fn case(&self) -> CaseRule {
        self.case
    }

    pub(super) fn tree(&self) -> &PatternTrie<Leaf> {
        &self.tree
    }

    /// The rule that decides such requests, whoever sends them; `None` where no rule covers them.
    pub fn find(&self, method: &Method, path: &RequestPath) -> Option<RuleId> {
        self.tree.find(path, |leaf| leaf.pick(method))
    }

    /// Decides one request: each of its paths, with the same method. The first denial counts.
    pub fn decide<'a>(
        &self,
        method: &Method,
        paths: impl Into<RequestedPaths<'a>>,
        subject: &AccessSubject,
    ) -> Decision {
        let RequestedPaths {
            target,
            destination,
        } = paths.into();
        let decision = self.decide_path(method, (target, DecidedPath::Target), subject);
        let (Decision::Allow(_), Some(path)) = (&decision, destination) else {
            return decision;
        };
        match self.decide_path(method, (path, DecidedPath::Destination), subject) {
            Decision::Allow(_) => decision,
            denied @ (Decision::Challenge(_) | Decision::Forbid(_)) => denied,
        }
    }

    fn decide_path(
        &self,
        method: &Method,
        (path, about): (&RequestPath, DecidedPath),
        subject: &AccessSubject,
    ) -> Decision {
        let decision = match self.find(method, path) {
            Some(id) => self.decide_by_rule(id, path, subject),
            None => Decision::Forbid(Forbid {
                rule: None,
                reason: ForbidReason::NoRule,
                about: DecidedPath::Target,
            }),
        };
        match about {
            DecidedPath::Target => decision,
            DecidedPath::Destination => decision.about_destination(),
        }
    }

    /// Decides a request that the rule covers, as if no other rule were more specific: for [`Policy::decide`], and for the
    /// explanation, which compares all rules itself.
    pub(crate) fn decide_by_rule(
        &self,
        id: RuleId,
        path: &RequestPath,
        subject: &AccessSubject,
    ) -> Decision {
        match judge::judge(self.rule(id), path, subject) {
            RuleVerdict::Allow => Decision::Allow(id),
            RuleVerdict::Challenge(demand) => {
                let reason = match subject.who() {
                    Who::Rejected => ChallengeReason::Rejected(demand),
                    Who::Anonymous | Who::Known(_) => ChallengeReason::Absent(demand),
                };
                Decision::Challenge(Challenge::of(id, reason))
            }
            RuleVerdict::StepUp(demand) => {
                Decision::Challenge(Challenge::of(id, ChallengeReason::SignIn(demand)))
            }
            RuleVerdict::Forbid(reason) => Decision::Forbid(Forbid {
                rule: Some(id),
                reason,
                about: DecidedPath::Target,
            }),
        }
    }

    /// Decides one request and enforces the decisions. Where the mode is [`Mode::Report`], a denial becomes a permit
    /// that carries it.
    ///
    /// # Errors
    /// The denial of one of its paths, where it is enforced.
    pub fn enforce<'a>(
        &self,
        method: &Method,
        paths: impl Into<RequestedPaths<'a>>,
        caller: &'a Caller,
    ) -> Result<Permit<'a>, PolicyDenial> {
        let RequestedPaths {
            target,
            destination,
        } = paths.into();
        let permit = self.enforce_path(method, (target, DecidedPath::Target), caller)?;
        match destination {
            Some(path) => {
                let request = (path, DecidedPath::Destination);
                let other = self.enforce_path(method, request, caller)?;
                Ok(permit.with_destination(other))
            }
            None => Ok(permit),
        }
    }

    fn enforce_path<'a>(
        &self,
        method: &Method,
        (path, about): (&'a RequestPath, DecidedPath),
        caller: &'a Caller,
    ) -> Result<Permit<'a>, PolicyDenial> {
        let identity = caller.subject().identity();
        let denial = match self.decide_path(method, (path, about), caller.subject()) {
            Decision::Allow(rule) => return Ok(Permit::new(path, identity, Some(rule))),
            Decision::Challenge(challenge) => PolicyDenial::Challenge(challenge),
            Decision::Forbid(forbid) => PolicyDenial::Forbid(forbid),
        };
        match self.mode_of(denial.rule()) {
            Mode::Enforce => Err(denial),
            Mode::Report => Ok(Permit::reported(path, identity, denial)),
        }
    }
}

impl Leaf {
    fn add(&mut self, id: RuleId, methods: &Methods, ties: &mut Vec<Tie>) {
        match methods {
            Methods::All => match self.unnamed {
                Some(first) => ties.push(Tie {
                    first,
                    second: id,
                    method: None,
                }),
                None => self.unnamed = Some(id),
            },
            Methods::Only(methods) => methods
                .iter()
                .for_each(|method| self.add_named(id, method, ties)),
        }
    }

    fn add_named(&mut self, id: RuleId, method: &Method, ties: &mut Vec<Tie>) {
        match self.named(method) {
            // The same method twice in one rule is no tie.
            Some(first) if first == id => {}
            Some(first) if is_reported(ties, first, id) => {}
            Some(first) => ties.push(Tie {
                first,
                second: id,
                method: Some(method.clone()),
            }),
            None => self.named.push((method.clone(), id)),
        }
    }

    /// The rule for this method: one that names it, for HEAD then one that names GET, then one that names none.
    fn pick(&self, method: &Method) -> Option<RuleId> {
        let by_get = || {
            if method == Method::HEAD {
                self.named(&Method::GET)
            } else {
                None
            }
        };
        self.named(method).or_else(by_get).or(self.unnamed)
    }

    /// The rule for this method, or without one for a method that no rule names.
    pub(super) fn pick_any(&self, method: Option<&Method>) -> Option<RuleId> {
        method.map_or(self.unnamed, |method| self.pick(method))
    }

    fn named(&self, method: &Method) -> Option<RuleId> {
        self.named
            .iter()
            .find(|(named, _)| named == method)
            .map(|(_, id)| *id)
    }
}

/// Whether this pair ties for another method already; the ties of one rule stand together.
fn is_reported(ties: &[Tie], first: RuleId, second: RuleId) -> bool {
    ties.iter()
        .rev()
        .take_while(|tie| tie.second == second)
        .any(|tie| tie.first == first)
}
