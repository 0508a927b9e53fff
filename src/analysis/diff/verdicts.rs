//! What the witnesses of one class of requests are told by both configurations.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::Method;

use super::super::view::{DecisionSource, RoutedPath, spell};
use super::change::{AddressClass, CallerClass, CallerKind, ChangeEffect};
use super::classes::SegmentClass;
use super::forest::RequirementKey;
use super::people::{PathFitting, UserChange, UserClass, fittings};
use super::world::{ComparedConfiguration, Comparison};
use super::{addresses, callers};
use crate::access::{Caller, Decision, Identity, Rule};

/// Callers for whom the outcome changes alike, and for which paths of the class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassOutcome {
    pub(super) effect: ChangeEffect,
    pub(super) callers: Rc<[CallerClass]>,
    /// Users whom it affects.
    pub(super) affected: Vec<usize>,
    /// Segments that have to have this text.
    pub(super) texts: BTreeMap<usize, Box<str>>,
    /// Segments of the witness that are made to measure: those, and the caller's own name.
    pub(super) fitted: BTreeMap<usize, Box<str>>,
    /// The address of a caller, where it matters.
    pub(super) address: Option<IpAddr>,
}

/// Verdicts by what they depend on: both rules, and the segments that these compare with the caller.
pub(super) type Memo =
    HashMap<(DecisionSource, DecisionSource, Vec<(usize, SegmentClass)>), Rc<[ClassOutcome]>>;

/// One class of requests, by its witness.
pub(super) struct WitnessRequest<'r> {
    pub(super) host: &'r str,
    pub(super) pieces: &'r [SegmentClass],
    /// What stands behind the pieces in the witness.
    pub(super) tail: &'r str,
    pub(super) method: &'r Method,
    pub(super) before: (DecisionSource, &'r RoutedPath),
    pub(super) after: (DecisionSource, &'r RoutedPath),
}

impl Comparison<'_> {
    /// What changes for whom; nothing where neither configuration forwards the request.
    pub(super) fn judge(&mut self, request: &WitnessRequest<'_>) -> Rc<[ClassOutcome]> {
        let (before, after) = (request.before.0, request.after.0);
        let rules = (self.old.rule(before), self.new.rule(after));
        if (rules.0.is_none() && rules.1.is_none()) || self.is_steady(before, after) {
            return Rc::new([]);
        }
        let mut compared: Vec<usize> = [self.old.ask(before), self.new.ask(after)]
            .into_iter()
            .flatten()
            .flat_map(|ask| ask.compared.iter().copied())
            .collect();
        compared.sort_unstable();
        compared.dedup();
        // for somebody in particular, the other segments of the path count as well
        if !compared.is_empty() && !self.people.changed.is_empty() {
            return self.verdicts(request).into();
        }
        let compared = compared
            .into_iter()
            .map(|position| (position, request.pieces[position].clone()));
        let key = (before, after, compared.collect());
        if let Some(known) = self.memo.get(&key) {
            return Rc::clone(known);
        }
        let verdicts: Rc<[ClassOutcome]> = self.verdicts(request).into();
        self.memo.insert(key, Rc::clone(&verdicts));
        verdicts
    }

    /// Whether both rules ask the same, of everybody.
    fn is_steady(&self, before: DecisionSource, after: DecisionSource) -> bool {
        let (Some(one), Some(other)) = (self.old.ask(before), self.new.ask(after)) else {
            return false;
        };
        let moved = before
            .service()
            .zip(after.service())
            .is_some_and(|(old, new)| self.moves(old, new));
        one.number == other.number && !one.touched && !other.touched && !moved
    }

    fn verdicts(&self, request: &WitnessRequest<'_>) -> Vec<ClassOutcome> {
        let mut verdicts = self.of_anybody(request);
        self.add_affected(request, &mut verdicts);
        verdicts.extend(self.of_people(request));
        verdicts
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

    /// The outcome for whoever is as little as possible.
    fn of_anybody(&self, request: &WitnessRequest<'_>) -> Vec<ClassOutcome> {
        let (before, after) = self.rules(request);
        let mut all = callers::candidates(before, after, request.pieces);
        if self.is_moved(request) {
            all.extend(callers::admitted_by_both(before, after, request.pieces));
        }
        let stranger = self.fresh.user();
        let addresses = addresses::classes(&callers::networks(before, after));
        let mut found = BTreeMap::<
            ChangeEffect,
            BTreeMap<CallerKind, Vec<(AddressClass, Option<IpAddr>)>>,
        >::new();
        for who in all {
            let identity = callers::identity(&who, request.pieces, &stranger);
            for (address, from) in &addresses {
                if let Some(effect) =
                    self.effect(request, identity.as_ref(), identity.as_ref(), *address)
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
            .map(|(effect, callers)| verdict(effect, callers, addresses.len()))
            .collect()
    }

    /// The outcome for users who changed, on paths made to measure for them. Left out is what the rules alone explain:
    /// there the user is one of many, and named as such.
    fn of_people(&self, request: &WitnessRequest<'_>) -> Vec<ClassOutcome> {
        let (before, after) = self.rules(request);
        let networks = callers::networks(before, after);
        let mut verdicts = Vec::new();
        for class in &self.people.changed {
            let own = class.before.iter().flat_map(|who| fittings(before, who));
            let fittings: BTreeSet<PathFitting> = own
                .chain(class.after.iter().flat_map(|who| fittings(after, who)))
                .collect();
            for fitting in fittings {
                let addresses = addresses::classes(&networks).into_iter();
                let found = addresses.filter_map(|(address, from)| {
                    let effect = self.fitted(
                        request,
                        &fitting,
                        (class.before.as_ref(), class.after.as_ref()),
                        address,
                    )?;
                    let as_always = [class.before.as_ref(), class.after.as_ref()]
                        .map(|who| self.fitted(request, &fitting, (who, who), address));
                    (!as_always.contains(&Some(effect))).then_some((effect, (from, address)))
                });
                let mut effects = BTreeMap::<ChangeEffect, Vec<_>>::new();
                found.for_each(|(effect, place)| effects.entry(effect).or_default().push(place));
                let who = CallerKind::People {
                    people: class.members.clone(),
                    own: fitting.own.clone(),
                };
                let texts = fitting
                    .texts
                    .iter()
                    .filter(|(position, _)| !fitting.own.contains(position));
                let texts: BTreeMap<_, _> = texts
                    .map(|(position, text)| (*position, text.clone()))
                    .collect();
                let all = addresses::classes(&networks).len();
                verdicts.extend(effects.into_iter().map(|(effect, places)| {
                    let callers = BTreeMap::from([(who.clone(), places)]);
                    ClassOutcome {
                        texts: texts.clone(),
                        fitted: fitting.texts.clone(),
                        ..verdict(effect, callers, all)
                    }
                }));
            }
        }
        without_special_cases(verdicts)
    }

    /// Names the users who see a difference that the rules alone explain.
    fn add_affected(&self, request: &WitnessRequest<'_>, verdicts: &mut [ClassOutcome]) {
        if verdicts.is_empty() {
            return;
        }
        let (before, after) = self.rules(request);
        let addresses = addresses::classes(&callers::networks(before, after));
        for (class, changed) in self.people.all() {
            let effects: BTreeSet<ChangeEffect> = addresses
                .iter()
                .filter_map(|(address, _)| self.explained(request, class, changed, *address))
                .collect();
            for verdict in verdicts
                .iter_mut()
                .filter(|verdict| effects.contains(&verdict.effect))
            {
                verdict.affected.extend(&class.members);
            }
        }
        verdicts
            .iter_mut()
            .for_each(|verdict| verdict.affected.sort_unstable());
    }

    /// The change for users, where the rules alone explain it.
    fn explained(
        &self,
        request: &WitnessRequest<'_>,
        class: &UserClass,
        changed: UserChange,
        address: Option<IpAddr>,
    ) -> Option<ChangeEffect> {
        let (before, after) = (class.before.as_ref(), class.after.as_ref());
        let effect = self.effect(request, before, after, address)?;
        let as_always = |who| self.effect(request, who, who, address) == Some(effect);
        match changed {
            UserChange::No => Some(effect),
            UserChange::Yes => (as_always(before) || as_always(after)).then_some(effect),
        }
    }

    /// The change for one caller: as whom the old configuration knows it, and the new one.
    fn effect(
        &self,
        request: &WitnessRequest<'_>,
        before: Option<&Arc<Identity>>,
        after: Option<&Arc<Identity>>,
        address: Option<IpAddr>,
    ) -> Option<ChangeEffect> {
        let old = self
            .old
            .admits(request.before, request.method, before, address);
        let new = self
            .new
            .admits(request.after, request.method, after, address);
        match (old, new) {
            (false, true) => Some(ChangeEffect::Opens),
            (true, false) => Some(ChangeEffect::Closes),
            (true, true) if self.is_moved(request) => Some(ChangeEffect::Moves),
            (true, true) | (false, false) => None,
        }
    }

    /// The same on a path of which some segments are replaced; `None` as well where other rules decide over it.
    fn fitted(
        &self,
        request: &WitnessRequest<'_>,
        fitting: &PathFitting,
        (before, after): (Option<&Arc<Identity>>, Option<&Arc<Identity>>),
        address: Option<IpAddr>,
    ) -> Option<ChangeEffect> {
        if fitting.texts.is_empty() {
            return self.effect(request, before, after, address);
        }
        let text = |(position, piece): (usize, &SegmentClass)| {
            let text = fitting.texts.get(&position).unwrap_or(&piece.text);
            format!("/{}", spell(text))
        };
        let path = request
            .pieces
            .iter()
            .enumerate()
            .map(text)
            .collect::<String>()
            + request.tail;
        let old = self.old.view.arrive(request.host, &path, self.old.widest);
        let new = self.new.view.arrive(request.host, &path, self.new.widest);
        let same = self.old.view.land(&old, request.method) == request.before.0
            && self.new.view.land(&new, request.method) == request.after.0;
        let fitted = WitnessRequest {
            before: (request.before.0, &old),
            after: (request.after.0, &new),
            ..*request
        };
        if same {
            self.effect(&fitted, before, after, address)
        } else {
            None
        }
    }
}

impl ClassOutcome {
    /// Whether it is there because of what changed about users.
    pub(super) fn is_about_people(&self) -> bool {
        self.callers.iter().all(|class| match class.who {
            CallerKind::People { .. } => true,
            CallerKind::Anonymous | CallerKind::Known { .. } => false,
        })
    }
}

impl ComparedConfiguration<'_> {
    pub(super) fn rule(&self, landing: DecisionSource) -> Option<&Rule> {
        match landing {
            DecisionSource::Rule(service, rule) => {
                Some(self.view.services[service].policy.rule(rule))
            }
            DecisionSource::NoRule(_)
            | DecisionSource::Own
            | DecisionSource::NoService
            | DecisionSource::Refused => None,
        }
    }

    /// What the rule asks.
    fn ask(&self, landing: DecisionSource) -> Option<&RequirementKey> {
        match landing {
            DecisionSource::Rule(service, rule) => Some(self.trees[service].ask(rule)),
            DecisionSource::NoRule(_)
            | DecisionSource::Own
            | DecisionSource::NoService
            | DecisionSource::Refused => None,
        }
    }

    /// Whether the request is forwarded.
    fn admits(
        &self,
        (landing, arrival): (DecisionSource, &RoutedPath),
        method: &Method,
        who: Option<&Arc<Identity>>,
        address: Option<IpAddr>,
    ) -> bool {
        let (DecisionSource::Rule(service, _), RoutedPath::Service(_, path)) = (landing, arrival)
        else {
            return false;
        };
        let caller = match who {
            Some(identity) => Caller::known(Arc::clone(identity), address),
            None => Caller::anonymous(address),
        };
        decides_to_allow(
            self.view.services[service]
                .policy
                .decide(method, path, &caller),
        )
    }
}

fn decides_to_allow(decision: Decision<'_>) -> bool {
    match decision {
        Decision::Allow(_) => true,
        Decision::Challenge(_) | Decision::Forbid(_) => false,
    }
}

/// Joins the addresses of each caller, and leaves out callers that are a special case of another.
fn verdict(
    effect: ChangeEffect,
    found: BTreeMap<CallerKind, Vec<(AddressClass, Option<IpAddr>)>>,
    addresses: usize,
) -> ClassOutcome {
    let all = found.iter().flat_map(|(who, places)| {
        let everywhere = places.len() == addresses;
        let places: Vec<AddressClass> = match everywhere {
            true => vec![AddressClass::Anywhere],
            false => places.iter().map(|(from, _)| *from).collect(),
        };
        places.into_iter().map(|from| CallerClass {
            who: who.clone(),
            from,
        })
    });
    let all: Vec<CallerClass> = all.collect();
    let is_special = |caller: &&CallerClass| {
        all.iter()
            .any(|other| other != *caller && other.includes(caller))
    };
    let callers: Rc<[CallerClass]> = all
        .iter()
        .filter(|caller| !is_special(caller))
        .cloned()
        .collect();
    let places = callers.first().and_then(|caller| found.get(&caller.who));
    let address = places
        .and_then(|places| places.first())
        .and_then(|(_, address)| *address);
    ClassOutcome {
        effect,
        callers,
        affected: Vec::new(),
        texts: BTreeMap::new(),
        fitted: BTreeMap::new(),
        address,
    }
}

/// Drops what is said of a path made to measure where the same is said of all paths.
fn without_special_cases(verdicts: Vec<ClassOutcome>) -> Vec<ClassOutcome> {
    let general = |caller: &CallerClass, effect: ChangeEffect| {
        let CallerKind::People { people, own } = &caller.who else {
            return false;
        };
        !own.is_empty()
            && verdicts.iter().any(|other| {
                other.effect == effect
                    && other.texts.is_empty()
                    && other.callers.iter().any(|one| {
                        let at_all = CallerKind::People {
                            people: people.clone(),
                            own: BTreeSet::new(),
                        };
                        one.who == at_all
                            && (one.from == caller.from || one.from == AddressClass::Anywhere)
                    })
            })
    };
    let fixed = |verdict: &ClassOutcome| {
        !verdict.texts.is_empty()
            && verdicts.iter().any(|other| {
                other.effect == verdict.effect
                    && other.texts.is_empty()
                    && other.callers == verdict.callers
            })
    };
    let keep = |verdict: &&ClassOutcome| {
        !fixed(verdict)
            && !verdict
                .callers
                .iter()
                .all(|caller| general(caller, verdict.effect))
    };
    verdicts.iter().filter(keep).cloned().collect()
}

impl CallerClass {
    /// Whether whoever is the other is this one as well.
    fn includes(&self, other: &Self) -> bool {
        (self.from == AddressClass::Anywhere || self.from == other.from)
            && callers::includes(&self.who, &other.who)
    }
}
