//! Classes of path segments, each with a representative text.

use std::collections::{BTreeMap, BTreeSet};

use super::super::unused_names::fold;
use super::change::PathPiece;
use crate::access::CaseRule;

/// One segment of a path class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SegmentClass {
    /// The representative text, percent-decoded.
    pub(super) text: Box<str>,
    pub(super) kind: SegmentKind,
}

/// The texts of a class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SegmentKind {
    /// The representative text only.
    Exact,
    /// All spellings of this folded text that have no [`SegmentKind::Exact`] class of their own.
    Folded(Box<str>),
    /// All texts that no pattern names at this position.
    Other,
}

impl SegmentClass {
    pub(super) fn shown(&self) -> PathPiece {
        match &self.kind {
            SegmentKind::Exact => PathPiece::Literal(self.text.clone()),
            SegmentKind::Folded(text) => PathPiece::Literal(text.clone()),
            SegmentKind::Other => PathPiece::Any,
        }
    }

    /// Whether the class has one text only.
    pub(super) fn is_exact(&self) -> bool {
        match self.kind {
            SegmentKind::Exact => true,
            SegmentKind::Folded(_) | SegmentKind::Other => false,
        }
    }
}

/// The literals at one position, by how they are compared.
#[derive(Debug, Default)]
pub(super) struct LiteralSet {
    /// Compared with regard to letter case.
    sensitive: BTreeSet<Box<str>>,
    /// Compared without regard to letter case; folded.
    insensitive: BTreeSet<Box<str>>,
}

impl LiteralSet {
    /// Adds a literal; `text` is folded where `case` folds.
    pub(super) fn add(&mut self, text: &str, case: CaseRule) {
        let set = match case {
            CaseRule::Sensitive => &mut self.sensitive,
            CaseRule::Insensitive => &mut self.insensitive,
        };
        if !set.contains(text) {
            set.insert(text.into());
        }
    }

    /// One class for each set of texts that some literal matches.
    pub(super) fn into_pieces(self) -> Vec<SegmentClass> {
        let mut exact_by_fold = BTreeMap::<Box<str>, BTreeSet<&str>>::new();
        for text in &self.sensitive {
            exact_by_fold.entry(fold(text)).or_default().insert(text);
        }
        let none = BTreeSet::new();
        let folded = self.insensitive.iter().filter_map(|text| {
            let taken = exact_by_fold.get(text).unwrap_or(&none);
            let spelling = spelling(text, taken)?;
            Some(SegmentClass {
                text: spelling,
                kind: SegmentKind::Folded(text.clone()),
            })
        });
        let folded: Vec<_> = folded.collect();
        let exact = self.sensitive.iter().map(|text| SegmentClass {
            text: text.clone(),
            kind: SegmentKind::Exact,
        });
        exact.chain(folded).collect()
    }
}

/// A spelling of the folded text that is not taken; `None` where all are.
///
/// Tries one spelling after the other: one more than there are taken ones is enough.
fn spelling(folded: &str, taken: &BTreeSet<&str>) -> Option<Box<str>> {
    let letters: Vec<char> = folded.chars().collect();
    let cased: Vec<usize> = (0..letters.len())
        .filter(|at| upper(letters[*at]) != letters[*at])
        .collect();
    let letters_cased = u32::try_from(cased.len()).unwrap_or(u32::MAX);
    let ways = 1_u128.checked_shl(letters_cased).unwrap_or(u128::MAX);
    let write = |way: u128| -> Box<str> {
        let mut letters = letters.clone();
        for (bit, at) in cased
            .iter()
            .take(127)
            .enumerate()
            .filter(|(bit, _)| way >> bit & 1 == 1)
        {
            debug_assert!(bit < 128);
            letters[*at] = upper(letters[*at]);
        }
        letters.into_iter().collect::<String>().into()
    };
    (0..ways)
        .map(write)
        .find(|text| !taken.contains(&**text) && *fold(text) == *folded)
}

/// The upper case of a letter, where it is a single character; else the letter.
fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        (Some(_) | None, _) => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_spellings_is_told_from_each_exact_one() {
        let mut literals = LiteralSet::default();
        for text in ["Ab", "ab", "x"] {
            literals.add(text, CaseRule::Sensitive);
        }
        for text in ["ab", "7", "x", "y"] {
            literals.add(text, CaseRule::Insensitive);
        }
        let texts = |kind: fn(&SegmentKind) -> bool, pieces: &[SegmentClass]| -> Vec<String> {
            pieces
                .iter()
                .filter(|piece| kind(&piece.kind))
                .map(|piece| piece.text.to_string())
                .collect()
        };
        let pieces = literals.into_pieces();
        assert_eq!(
            texts(|kind| *kind == SegmentKind::Exact, &pieces),
            ["Ab", "ab", "x"]
        );
        assert_eq!(
            texts(|kind| matches!(kind, SegmentKind::Folded(_)), &pieces),
            ["7", "aB", "X", "y"]
        );
    }

    #[test]
    fn where_every_spelling_is_taken_there_is_no_other() {
        let mut literals = LiteralSet::default();
        for text in ["a", "A", "7"] {
            literals.add(text, CaseRule::Sensitive);
        }
        for text in ["a", "7"] {
            literals.add(text, CaseRule::Insensitive);
        }
        assert!(literals.into_pieces().iter().all(SegmentClass::is_exact));
    }
}
