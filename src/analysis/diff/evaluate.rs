//! Evaluates the witness of one class of requests in both configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::Method;

use super::super::view::{DecisionSource, RoutedPath};
use super::change::{AddressClass, CallerKind, ChangeEffect};
use super::comparison::{ComparedConfiguration, Comparison};
use super::outcome::{ClassOutcome, without_special_cases};
use super::pattern_tree::RequirementKey;
use super::people::{PathFitting, UserChange, UserClass, fittings};
use super::witness::WitnessRequest;
use super::{addresses, callers};
use crate::access::{AccessSubject, Authentication, Decision, Identity, Rule};

/// From where a caller comes, and how it has authenticated.
#[derive(Clone, Copy)]
struct Circumstances {
    address: Option<IpAddr>,
    authentication: Authentication,
}

impl Circumstances {
    /// Those that these rules distinguish, for each class of addresses.
    fn all(before: Option<&Rule>, after: Option<&Rule>) -> Vec<(AddressClass, Vec<Self>)> {
        let sign_ins = callers::sign_ins(before, after);
        let addresses = addresses::classes(&callers::networks(before, after));
        let each = addresses.into_iter().map(|(address, from)| {
            let ways = sign_ins.iter().map(|sign_in| Self {
                address,
                authentication: sign_in.least(),
            });
            (from, ways.collect())
        });
        each.collect()
    }
}

impl Comparison<'_> {
    /// The changes of the outcome, by callers; none where neither configuration forwards the request.
    pub(super) fn outcomes(&mut self, request: &WitnessRequest<'_>) -> Rc<[ClassOutcome]> {
        let (before, after) = (request.before.0, request.after.0);
        let rules = (self.old.rule(before), self.new.rule(after));
        if (rules.0.is_none() && rules.1.is_none()) || self.is_steady(before, after) {
            return Rc::new([]);
        }
        let mut compared: Vec<usize> = [self.old.requirement(before), self.new.requirement(after)]
            .into_iter()
            .flatten()
            .flat_map(|requirement| requirement.compared.iter().copied())
            .collect();
        compared.sort_unstable();
        compared.dedup();
        // for users who changed, the other segments of the path matter as well
        if !compared.is_empty() && !self.people.changed.is_empty() {
            return self.compute(request).into();
        }
        let compared = compared
            .into_iter()
            .map(|position| (position, request.pieces[position].clone()));
        let key = (before, after, compared.collect());
        if let Some(known) = self.memo.get(&key) {
            return Rc::clone(known);
        }
        let outcomes: Rc<[ClassOutcome]> = self.compute(request).into();
        self.memo.insert(key, Rc::clone(&outcomes));
        outcomes
    }

    /// Whether both rules have the same requirement, for every caller.
    fn is_steady(&self, before: DecisionSource, after: DecisionSource) -> bool {
        let (Some(one), Some(other)) = (self.old.requirement(before), self.new.requirement(after))
        else {
            return false;
        };
        let moved = before
            .service()
            .zip(after.service())
            .is_some_and(|(old, new)| self.moves(old, new));
        one.number == other.number && !one.touched && !other.touched && !moved
    }

    fn compute(&self, request: &WitnessRequest<'_>) -> Vec<ClassOutcome> {
        let mut outcomes = self.of_anybody(request);
        self.add_affected(request, &mut outcomes);
        outcomes.extend(self.of_people(request));
        outcomes
    }

    fn rules(&self, request: &WitnessRequest<'_>) -> (Option<&Rule>, Option<&Rule>) {
        (
            self.old.rule(request.before.0),
            self.new.rule(request.after.0),
        )
    }

    fn is_moved(&self, request: &WitnessRequest<'_>) -> bool {
        match (request.before.0.service(), request.after.0.service()) {
            (Some(old), Some(new)) => self.moves(old, new),
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
    }

    /// The outcomes for minimal callers.
    fn of_anybody(&self, request: &WitnessRequest<'_>) -> Vec<ClassOutcome> {
        let (before, after) = self.rules(request);
        let mut all = callers::candidates(before, after, request.pieces);
        if self.is_moved(request) {
            all.extend(callers::admitted_by_both(before, after, request.pieces));
        }
        let stranger = self.unused.user();
        let addresses = addresses::classes(&callers::networks(before, after));
        let mut found = BTreeMap::<
            ChangeEffect,
            BTreeMap<CallerKind, Vec<(AddressClass, Option<IpAddr>)>>,
        >::new();
        for who in all {
            let identity = callers::identity(&who, request.pieces, &stranger);
            let authentication = callers::authentication(&who);
            for (address, from) in &addresses {
                let comes = Circumstances {
                    address: *address,
                    authentication,
                };
                if let Some(effect) =
                    self.effect(request, identity.as_ref(), identity.as_ref(), comes)
                {
                    found
                        .entry(effect)
                        .or_default()
                        .entry(who.clone())
                        .or_default()
                        .push((*from, *address));
                }
            }
        }
        found
            .into_iter()
            .map(|(effect, callers)| ClassOutcome::new(effect, callers, addresses.len()))
            .collect()
    }

    /// The outcomes for users who changed, on paths adapted to them. Omits what the rules alone explain: there the user
    /// is one of many, and reported among them.
    fn of_people(&self, request: &WitnessRequest<'_>) -> Vec<ClassOutcome> {
        let (before, after) = self.rules(request);
        let circumstances = Circumstances::all(before, after);
        let mut outcomes = Vec::new();
        for class in &self.people.changed {
            let old = class.before.iter().flat_map(|who| fittings(before, who));
            let new = class.after.iter().flat_map(|who| fittings(after, who));
            let fittings: BTreeSet<PathFitting> = old.chain(new).collect();
            for fitting in &fittings {
                outcomes.extend(self.of_class(request, class, fitting, &circumstances));
            }
        }
        without_special_cases(outcomes)
    }

    /// The outcomes for one class of users on one adapted path.
    fn of_class(
        &self,
        request: &WitnessRequest<'_>,
        class: &UserClass,
        fitting: &PathFitting,
        circumstances: &[(AddressClass, Vec<Circumstances>)],
    ) -> Vec<ClassOutcome> {
        let (before, after) = (class.before.as_ref(), class.after.as_ref());
        let mut effects = BTreeMap::<ChangeEffect, Vec<_>>::new();
        for (from, ways) in circumstances {
            let found = ways.iter().filter_map(|comes| {
                let effect = self.fitted(request, fitting, (before, after), *comes);
                let by_rules =
                    [before, after].map(|who| self.fitted(request, fitting, (who, who), *comes));
                let effect = effect.filter(|effect| !by_rules.contains(&Some(*effect)))?;
                Some((effect, comes.address))
            });
            for (effect, address) in found.collect::<BTreeMap<_, _>>() {
                effects.entry(effect).or_default().push((*from, address));
            }
        }
        let who = CallerKind::People {
            people: class.members.clone(),
            own: fitting.own.clone(),
        };
        let mut texts = fitting.texts.clone();
        texts.retain(|position, _| !fitting.own.contains(position));
        let outcome = |(effect, places)| {
            let callers = BTreeMap::from([(who.clone(), places)]);
            ClassOutcome {
                texts: texts.clone(),
                fitted: fitting.texts.clone(),
                ..ClassOutcome::new(effect, callers, circumstances.len())
            }
        };
        effects.into_iter().map(outcome).collect()
    }

    /// Adds the users who are affected by a change that the rules alone explain.
    fn add_affected(&self, request: &WitnessRequest<'_>, outcomes: &mut [ClassOutcome]) {
        if outcomes.is_empty() {
            return;
        }
        let (before, after) = self.rules(request);
        let circumstances = Circumstances::all(before, after);
        for (class, changed) in self.people.all() {
            let effects: BTreeSet<ChangeEffect> = circumstances
                .iter()
                .flat_map(|(_, ways)| ways)
                .filter_map(|comes| self.explained(request, class, changed, *comes))
                .collect();
            for outcome in outcomes
                .iter_mut()
                .filter(|outcome| effects.contains(&outcome.effect))
            {
                outcome.affected.extend(&class.members);
            }
        }
        outcomes
            .iter_mut()
            .for_each(|outcome| outcome.affected.sort_unstable());
    }

    /// The change for a class of users, where the rules alone explain it.
    fn explained(
        &self,
        request: &WitnessRequest<'_>,
        class: &UserClass,
        changed: UserChange,
        comes: Circumstances,
    ) -> Option<ChangeEffect> {
        let (before, after) = (class.before.as_ref(), class.after.as_ref());
        let effect = self.effect(request, before, after, comes)?;
        let as_always = |who| self.effect(request, who, who, comes) == Some(effect);
        match changed {
            UserChange::No => Some(effect),
            UserChange::Yes => (as_always(before) || as_always(after)).then_some(effect),
        }
    }

    /// The change for one caller, given its identity in the old and in the new configuration.
    fn effect(
        &self,
        request: &WitnessRequest<'_>,
        before: Option<&Arc<Identity>>,
        after: Option<&Arc<Identity>>,
        comes: Circumstances,
    ) -> Option<ChangeEffect> {
        let old = self
            .old
            .admits(request.before, request.method, before, comes);
        let new = self.new.admits(request.after, request.method, after, comes);
        match (old, new) {
            (false, true) => Some(ChangeEffect::Opens),
            (true, false) => Some(ChangeEffect::Closes),
            (true, true) if self.is_moved(request) => Some(ChangeEffect::Moves),
            (true, true) | (false, false) => None,
        }
    }

    /// The same on an adapted path; `None` as well where other rules decide it.
    fn fitted(
        &self,
        request: &WitnessRequest<'_>,
        fitting: &PathFitting,
        (before, after): (Option<&Arc<Identity>>, Option<&Arc<Identity>>),
        comes: Circumstances,
    ) -> Option<ChangeEffect> {
        if fitting.texts.is_empty() {
            return self.effect(request, before, after, comes);
        }
        let path = request.path(&fitting.texts);
        let old = self.old.view.route(request.host, &path);
        let new = self.new.view.route(request.host, &path);
        let same = self.old.view.source(&old, request.method) == request.before.0
            && self.new.view.source(&new, request.method) == request.after.0;
        let fitted = WitnessRequest {
            before: (request.before.0, &old),
            after: (request.after.0, &new),
            ..*request
        };
        let effect = || self.effect(&fitted, before, after, comes);
        same.then(effect)?
    }
}

impl ComparedConfiguration<'_> {
    pub(super) fn rule(&self, source: DecisionSource) -> Option<&Rule> {
        match source {
            DecisionSource::Rule(service, rule) => {
                Some(self.view.services[service].policy.rule(rule))
            }
            DecisionSource::NoRule(_)
            | DecisionSource::Own
            | DecisionSource::NoService
            | DecisionSource::Refused => None,
        }
    }

    /// The requirement of the deciding rule.
    fn requirement(&self, source: DecisionSource) -> Option<&RequirementKey> {
        match source {
            DecisionSource::Rule(service, rule) => Some(self.trees[service].requirement(rule)),
            DecisionSource::NoRule(_)
            | DecisionSource::Own
            | DecisionSource::NoService
            | DecisionSource::Refused => None,
        }
    }

    /// Whether the request is forwarded.
    fn admits(
        &self,
        (source, arrival): (DecisionSource, &RoutedPath),
        method: &Method,
        who: Option<&Arc<Identity>>,
        comes: Circumstances,
    ) -> bool {
        let (DecisionSource::Rule(service, _), RoutedPath::Service(_, path)) = (source, arrival)
        else {
            return false;
        };
        let caller = match who {
            Some(identity) => AccessSubject::known(Arc::clone(identity), comes.address)
                .authenticated(comes.authentication),
            None => AccessSubject::anonymous(comes.address),
        };
        decides_to_allow(
            self.view.services[service]
                .policy
                .decide(method, path, &caller),
        )
    }
}

fn decides_to_allow(decision: Decision) -> bool {
    match decision {
        Decision::Allow(_) => true,
        Decision::Challenge(_) | Decision::Forbid(_) => false,
    }
}
