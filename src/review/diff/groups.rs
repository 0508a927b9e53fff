//! Changes that belong together, so that a person can read them: by the rules that decide and the callers concerned.

use std::collections::{BTreeMap, BTreeSet};

use super::super::side::{Landing, spell};
use super::change::{CallerClass, Change, Effect, HostClass, PathClass, PathPiece, Witness};
use super::classes::Piece;
use super::patterns::simplify;
use super::verdicts::{Request, Verdict};
use super::world::World;

/// Everything found so far.
#[derive(Default)]
pub(super) struct Groups {
    found: BTreeMap<Key, Group>,
    /// How many classes of paths were compared.
    pub(super) visited: usize,
}

/// What one line of the report is about. Service and rule of now count before those of then, for the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    effect: Effect,
    /// Those whose callers are users who changed stand together.
    people: Option<Vec<CallerClass>>,
    after: Landing,
    before: Landing,
    callers: Vec<CallerClass>,
}

#[derive(Default)]
struct Group {
    /// By method.
    paths: BTreeMap<usize, Found>,
}

#[derive(Default)]
struct Found {
    classes: BTreeSet<PathClass>,
    hosts: BTreeSet<HostClass>,
    affected: BTreeSet<usize>,
    witness: Option<Witness>,
}

/// Where something changes.
pub(super) struct Place<'p> {
    pub(super) hosts: &'p BTreeSet<HostClass>,
    /// By index.
    pub(super) method: usize,
    pub(super) pieces: &'p [Piece],
    pub(super) end: &'static [PathPiece],
    pub(super) request: &'p Request<'p>,
}

impl Groups {
    pub(super) fn add(&mut self, (before, after): (Landing, Landing), verdict: &Verdict, place: &Place<'_>) {
        let callers = verdict.callers.clone();
        let people = verdict.is_about_people().then(|| callers.clone());
        let key = Key { effect: verdict.effect, people, after, before, callers };
        let found = self.found.entry(key).or_default().paths.entry(place.method).or_default();
        found.classes.insert(place.class(verdict));
        found.hosts.extend(place.hosts.iter().cloned());
        found.affected.extend(&verdict.affected);
        found.witness.get_or_insert_with(|| place.witness(verdict));
    }

    /// One change for all methods that have the same paths.
    pub(super) fn into_changes(self, world: &World<'_>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, group) in self.found {
            let mut alike = BTreeMap::<(BTreeSet<PathClass>, BTreeSet<HostClass>), Vec<(usize, Found)>>::new();
            for (method, mut found) in group.paths {
                let classes = simplify(std::mem::take(&mut found.classes));
                alike.entry((classes, found.hosts.clone())).or_default().push((method, found));
            }
            for ((paths, hosts), found) in alike {
                changes.extend(change(&key, paths, hosts, found, world));
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
    world: &World<'_>,
) -> Option<Change> {
    let methods = found.iter().map(|(method, _)| world.methods[*method].0.clone()).collect();
    let affected: BTreeSet<usize> = found.iter().flat_map(|(_, found)| found.affected.iter().copied()).collect();
    Some(Change {
        effect: key.effect,
        methods,
        paths: paths.into_iter().collect(),
        hosts,
        callers: key.callers.clone(),
        affected: affected.into_iter().collect(),
        before: key.before,
        after: key.after,
        witness: found.into_iter().find_map(|(_, found)| found.witness)?,
    })
}

impl Place<'_> {
    fn class(&self, verdict: &Verdict) -> PathClass {
        let shown = |(position, piece): (usize, &Piece)| match verdict.texts.get(&position) {
            Some(text) => PathPiece::Literal(text.clone()),
            None => piece.shown(),
        };
        PathClass(self.pieces.iter().enumerate().map(shown).chain(self.end.iter().cloned()).collect())
    }

    fn witness(&self, verdict: &Verdict) -> Witness {
        let text = |(position, piece): (usize, &Piece)| {
            format!("/{}", spell(verdict.fitted.get(&position).unwrap_or(&piece.text)))
        };
        let path = self.pieces.iter().enumerate().map(text).collect::<String>() + self.request.tail;
        Witness {
            method: self.request.method.clone(),
            host: self.request.host.into(),
            path: if path.is_empty() { "/".to_owned() } else { path },
            address: verdict.address,
        }
    }
}
