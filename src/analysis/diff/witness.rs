//! The request that represents a class of requests.

use std::collections::BTreeMap;

use http::Method;

use super::super::spelling::spell_path;
use super::super::view::{DecisionSource, RoutedPath};
use super::classes::SegmentClass;

/// One class of requests, by its witness.
pub(super) struct WitnessRequest<'r> {
    pub(super) host: &'r str,
    pub(super) pieces: &'r [SegmentClass],
    /// The end of the witness's path, after the pieces.
    pub(super) tail: &'r str,
    pub(super) method: &'r Method,
    pub(super) before: (DecisionSource, &'r RoutedPath),
    pub(super) after: (DecisionSource, &'r RoutedPath),
}

impl WitnessRequest<'_> {
    /// Its path as a client sends it, with other texts for the segments at these positions.
    pub(super) fn path(&self, texts: &BTreeMap<usize, Box<str>>) -> String {
        let pieces = self.pieces.iter().enumerate();
        let text = pieces.map(|(position, piece)| &**texts.get(&position).unwrap_or(&piece.text));
        spell_path(text, self.tail)
    }
}
