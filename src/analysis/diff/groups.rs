//! Groups changes by the deciding rules and the callers, so that a report stays readable.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::view::DecisionSource;
use super::change::{
    CallerClass, ChangeEffect, ChangeWitness, HostClass, PathClass, PathPiece, PolicyChange,
};
use super::classes::SegmentClass;
use super::comparison::Comparison;
use super::hosts::HostGroup;
use super::outcome::ClassOutcome;
use super::patterns::simplify;
use super::witness::WitnessRequest;

/// The changes found so far.
#[derive(Default)]
pub(super) struct ChangeGroups {
    found: BTreeMap<Key, Group>,
    /// The number of path classes compared so far.
    pub(super) visited: usize,
}

/// What one line of the report is about. The new service and rule sort before the old ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    effect: ChangeEffect,
    /// Set for users who changed, so that their changes sort together.
    people: Option<Rc<[CallerClass]>>,
    after: DecisionSource,
    before: DecisionSource,
    callers: Rc<[CallerClass]>,
}

#[derive(Default)]
struct Group {
    /// By index of the method.
    paths: BTreeMap<usize, Found>,
}

#[derive(Default)]
struct Found {
    classes: BTreeSet<Rc<PathClass>>,
    /// By index of the host group.
    hosts: BTreeSet<usize>,
    affected: BTreeSet<usize>,
    witness: Option<ChangeWitness>,
}

/// Where an outcome changes.
pub(super) struct ChangeLocation<'p> {
    /// The index of the host group.
    pub(super) hosts: usize,
    /// The index of the method.
    pub(super) method: usize,
    pub(super) end: &'static [PathPiece],
    /// The class of these paths.
    pub(super) class: &'p Rc<PathClass>,
    pub(super) request: &'p WitnessRequest<'p>,
}

impl ChangeGroups {
    pub(super) fn add(
        &mut self,
        (before, after): (DecisionSource, DecisionSource),
        outcome: &ClassOutcome,
        place: &ChangeLocation<'_>,
    ) {
        let callers = Rc::clone(&outcome.callers);
        let people = outcome.is_about_people().then(|| Rc::clone(&callers));
        let key = Key {
            effect: outcome.effect,
            people,
            after,
            before,
            callers,
        };
        let found = self.found.entry(key).or_default();
        let found = found.paths.entry(place.method).or_default();
        found.classes.insert(place.class(outcome));
        found.hosts.insert(place.hosts);
        found.affected.extend(&outcome.affected);
        found.witness.get_or_insert_with(|| place.witness(outcome));
    }

    /// Merges the methods that have the same paths and hosts into one change.
    pub(super) fn into_changes(
        self,
        comparison: &Comparison<'_>,
        hosts: &[HostGroup],
    ) -> Vec<PolicyChange> {
        let mut changes = Vec::new();
        for (key, group) in self.found {
            let mut same =
                BTreeMap::<(BTreeSet<Rc<PathClass>>, BTreeSet<usize>), Vec<(usize, Found)>>::new();
            for (method, mut found) in group.paths {
                let place = (std::mem::take(&mut found.classes), found.hosts.clone());
                same.entry(place).or_default().push((method, found));
            }
            // many methods have the same classes, and simplifying them is expensive
            let mut alike =
                BTreeMap::<(BTreeSet<PathClass>, BTreeSet<usize>), Vec<(usize, Found)>>::new();
            for ((classes, groups), found) in same {
                let classes = simplify(classes.into_iter().map(Rc::unwrap_or_clone).collect());
                alike.entry((classes, groups)).or_default().extend(found);
            }
            for ((paths, groups), mut found) in alike {
                found.sort_unstable_by_key(|(method, _)| *method);
                let hosts = groups
                    .iter()
                    .flat_map(|group| hosts[*group].classes.iter().cloned())
                    .collect();
                changes.extend(change(&key, paths, hosts, found, comparison));
            }
        }
        changes
    }
}

fn change(
    key: &Key,
    paths: BTreeSet<PathClass>,
    hosts: BTreeSet<HostClass>,
    found: Vec<(usize, Found)>,
    comparison: &Comparison<'_>,
) -> Option<PolicyChange> {
    let methods = found
        .iter()
        .map(|(method, _)| comparison.methods[*method].0.clone())
        .collect();
    let affected: BTreeSet<usize> = found
        .iter()
        .flat_map(|(_, found)| found.affected.iter().copied())
        .collect();
    Some(PolicyChange {
        effect: key.effect,
        methods,
        paths: paths.into_iter().collect(),
        hosts,
        callers: key.callers.to_vec(),
        affected: affected.into_iter().collect(),
        before: key.before,
        after: key.after,
        witness: found.into_iter().find_map(|(_, found)| found.witness)?,
    })
}

impl ChangeLocation<'_> {
    fn class(&self, outcome: &ClassOutcome) -> Rc<PathClass> {
        if outcome.texts.is_empty() {
            return Rc::clone(self.class);
        }
        let shown = |(position, piece): (usize, &SegmentClass)| match outcome.texts.get(&position) {
            Some(text) => PathPiece::Literal(text.clone()),
            None => piece.shown(),
        };
        let pieces = self
            .request
            .pieces
            .iter()
            .enumerate()
            .map(shown)
            .chain(self.end.iter().cloned());
        Rc::new(PathClass(pieces.collect()))
    }

    fn witness(&self, outcome: &ClassOutcome) -> ChangeWitness {
        ChangeWitness {
            method: self.request.method.clone(),
            host: self.request.host.into(),
            path: self.request.path(&outcome.fitted),
            address: outcome.address,
        }
    }
}
