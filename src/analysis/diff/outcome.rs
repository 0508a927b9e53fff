//! How the outcome of one class of requests changes, and for which callers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use super::super::view::DecisionSource;
use super::callers;
use super::change::{AddressClass, CallerClass, CallerKind, ChangeEffect};
use super::classes::SegmentClass;

/// Callers for whom the outcome changes alike, and for which paths of the class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassOutcome {
    pub(super) effect: ChangeEffect,
    pub(super) callers: Rc<[CallerClass]>,
    /// The users among them, by index.
    pub(super) affected: Vec<usize>,
    /// By position: segments that must have this text.
    pub(super) texts: BTreeMap<usize, Box<str>>,
    /// By position: segments of the witness that are adapted to the caller; `texts`, and the caller's own name.
    pub(super) fitted: BTreeMap<usize, Box<str>>,
    /// The address of a caller, where it matters.
    pub(super) address: Option<IpAddr>,
}

/// Outcomes by what they depend on: both decisions, and the segments that their rules compare with the caller.
pub(super) type OutcomeMemo =
    HashMap<(DecisionSource, DecisionSource, Vec<(usize, SegmentClass)>), Rc<[ClassOutcome]>>;

impl ClassOutcome {
    /// Merges the addresses of each caller, and omits callers that are a special case of another. `addresses`: how many
    /// classes of addresses there are.
    pub(super) fn new(
        effect: ChangeEffect,
        found: BTreeMap<CallerKind, Vec<(AddressClass, Option<IpAddr>)>>,
        addresses: usize,
    ) -> Self {
        let all = found.iter().flat_map(|(who, places)| {
            let places: Vec<AddressClass> = if places.len() == addresses {
                vec![AddressClass::Anywhere]
            } else {
                places.iter().map(|(from, _)| *from).collect()
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
        Self {
            effect,
            callers,
            affected: Vec::new(),
            texts: BTreeMap::new(),
            fitted: BTreeMap::new(),
            address,
        }
    }

    /// Whether a change of users causes it.
    pub(super) fn is_about_people(&self) -> bool {
        self.callers.iter().all(|class| match class.who {
            CallerKind::People { .. } => true,
            CallerKind::Anonymous | CallerKind::Known { .. } => false,
        })
    }
}

/// Drops outcomes on adapted paths where the same outcome holds for all paths of the class.
pub(super) fn without_special_cases(outcomes: Vec<ClassOutcome>) -> Vec<ClassOutcome> {
    let general = |caller: &CallerClass, effect: ChangeEffect| {
        let CallerKind::People { people, own } = &caller.who else {
            return false;
        };
        !own.is_empty()
            && outcomes.iter().any(|other| {
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
    let fixed = |outcome: &ClassOutcome| {
        !outcome.texts.is_empty()
            && outcomes.iter().any(|other| {
                other.effect == outcome.effect
                    && other.texts.is_empty()
                    && other.callers == outcome.callers
            })
    };
    let keep = |outcome: &&ClassOutcome| {
        !fixed(outcome)
            && !outcome
                .callers
                .iter()
                .all(|caller| general(caller, outcome.effect))
    };
    outcomes.iter().filter(keep).cloned().collect()
}

impl CallerClass {
    /// Whether every caller of the other class belongs to this one.
    fn includes(&self, other: &Self) -> bool {
        (self.from == AddressClass::Anywhere || self.from == other.from)
            && callers::includes(&self.who, &other.who)
    }
}
