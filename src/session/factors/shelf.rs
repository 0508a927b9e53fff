//! The second factors that one process keeps.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;

use super::job::SwapFactors;
use super::stored::{FactorName, FactorPage, FactorSwap, StoredFactors};

/// All factors by person, and the person by each name. They take what their people have added, and no stranger adds any.
pub(in crate::session) struct FactorShelf {
    people: BTreeMap<Box<str>, StoredFactors>,
    named: HashMap<FactorName, Box<str>, RandomState>,
}

impl FactorShelf {
    pub(in crate::session) fn new(hasher: &RandomState) -> Self {
        Self {
            people: BTreeMap::new(),
            named: HashMap::with_hasher(hasher.clone()),
        }
    }

    pub(in crate::session) fn find(&self, subject: &str) -> Option<&StoredFactors> {
        self.people.get(subject)
    }

    pub(in crate::session) fn find_named(&self, name: &FactorName) -> Option<&StoredFactors> {
        self.find(self.named.get(name)?)
    }

    /// Replaces the factors of a person, if they are in the expected state and their names are nobody else's.
    pub(in crate::session) fn swap(&mut self, swap: &SwapFactors) -> FactorSwap {
        let factors = &swap.factors;
        let turn = self.find(&factors.subject).map_or(0, |before| before.turn);
        if turn != swap.expected_turn() {
            return FactorSwap::Raced;
        }
        let is_foreign = |name| {
            let owner = self.named.get(name);
            owner.is_some_and(|owner| *owner != factors.subject)
        };
        if factors.names.iter().any(is_foreign) {
            return FactorSwap::TakenKey;
        }
        self.put(factors.clone());
        FactorSwap::Done
    }

    /// Keeps factors in place of those that their person had.
    pub(in crate::session) fn put(&mut self, factors: StoredFactors) {
        self.remove(&factors.subject);
        let subject = &factors.subject;
        let names = factors.names.iter().map(|name| (*name, subject.clone()));
        self.named.extend(names);
        self.people.insert(subject.clone(), factors);
    }

    /// Forgets the factors of a person; says whether there were any.
    pub(in crate::session) fn remove(&mut self, subject: &str) -> bool {
        let Some(factors) = self.people.remove(subject) else {
            return false;
        };
        for name in &factors.names {
            self.named.remove(name);
        }
        true
    }

    /// So many people at most, from a place on.
    pub(in crate::session) fn page(&self, from: u64, count: u64) -> FactorPage {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let page = self.people.values().skip(number(from));
        let page = page.take(number(count));
        let next = from.saturating_add(count);
        FactorPage {
            list: page
                .map(|factors| (factors.subject.clone(), factors.summary.clone()))
                .collect(),
            next: (number(next) < self.people.len()).then_some(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;
    use crate::session::factors::stored::tests::{record, sealer};

    fn swap(shelf: &mut FactorShelf, subject: &str, turn: u64, keys: &[&[u8]]) -> FactorSwap {
        let handle = subject.as_bytes()[0];
        let mut record = record(handle, keys);
        record.turn = turn;
        let factors = StoredFactors::seal(subject, &record, &sealer(1));
        shelf.swap(&SwapFactors { factors })
    }

    #[test]
    fn factors_are_replaced_in_their_state_only_and_names_are_of_one_person() {
        let mut shelf = FactorShelf::new(&ambient::hash_state());
        assert_eq!(swap(&mut shelf, "rita", 1, &[]), FactorSwap::Raced);
        assert_eq!(swap(&mut shelf, "rita", 0, &[b"a", b"b"]), FactorSwap::Done);
        assert_eq!(swap(&mut shelf, "rita", 0, &[b"a"]), FactorSwap::Raced);
        assert_eq!(
            swap(&mut shelf, "bob", 0, &[b"c", b"b"]),
            FactorSwap::TakenKey
        );
        let name = |id: &[u8]| FactorName::of_credential(id);
        assert!(shelf.find("bob").is_none() && shelf.find_named(&name(b"c")).is_none());
        assert_eq!(swap(&mut shelf, "rita", 1, &[b"a"]), FactorSwap::Done);
        assert_eq!(
            swap(&mut shelf, "bob", 0, &[b"b"]),
            FactorSwap::Done,
            "it was given up"
        );
        for (name, owner) in [
            (name(b"a"), "rita"),
            (name(b"b"), "bob"),
            (FactorName::of_handle(&[b'r'; 16]), "rita"),
        ] {
            assert_eq!(
                shelf.find_named(&name).map(|found| &*found.subject),
                Some(owner)
            );
        }
        let page = shelf.page(0, 1);
        assert_eq!(
            (&*page.list[0].0, page.list[0].1.keys, page.next),
            ("bob", 1, Some(1))
        );
        assert_eq!(shelf.page(1, 1).next, None);
        assert!(shelf.remove("rita") && !shelf.remove("rita"));
        assert!(shelf.find_named(&name(b"a")).is_none());
    }
}
