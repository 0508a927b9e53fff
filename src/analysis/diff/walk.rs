//! Walks the pattern trees of both configurations in parallel, from one class of paths to the next.

use std::rc::Rc;

use super::super::spelling::spell_path;
use super::change::{PathClass, PathPiece};
use super::classes::{LiteralSet, SegmentClass, SegmentKind};
use super::comparison::{ComparedConfiguration, Comparison};
use super::groups::{ChangeGroups, ChangeLocation};
use super::hosts::HostGroup;
use super::landmarks::Landmarks;
use super::pattern_tree::{NodeId, PatternTree};
use super::witness::WitnessRequest;
use crate::access::{PathOptions, RequestPath};

/// The walk for one group of hosts.
pub(super) struct PathWalk<'w, 'a> {
    comparison: &'w mut Comparison<'a>,
    groups: &'w mut ChangeGroups,
    hosts: &'w HostGroup,
    /// The index of the host group.
    group: usize,
    landmarks: Landmarks,
    progress: &'w mut dyn FnMut(usize),
}

/// The services whose rules decide, in the old and the new configuration.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Frame {
    old: Option<usize>,
    new: Option<usize>,
}

/// Nodes of both trees that the same choices of literal and parameter reach.
#[derive(Clone, Copy)]
struct Pair {
    nodes: (Option<NodeId>, Option<NodeId>),
    /// Whether every `**` above that a lookup tries before these nodes decides alike in both.
    clear: bool,
}

/// The position of the walk.
struct Spot {
    frame: Frame,
    /// Most specific first, as a lookup tries them.
    pairs: Vec<Pair>,
    /// Whether every `**` above decides alike in both configurations.
    steady: bool,
    landmarks: Vec<usize>,
}

/// A set of paths at a spot.
#[derive(Clone, Copy)]
enum Tail {
    /// The path that ends there.
    End,
    /// All longer paths.
    Beyond,
}

impl<'w, 'a> PathWalk<'w, 'a> {
    pub(super) fn new(
        comparison: &'w mut Comparison<'a>,
        groups: &'w mut ChangeGroups,
        (group, hosts): (usize, &'w HostGroup),
        progress: &'w mut dyn FnMut(usize),
    ) -> Self {
        let landmarks = Landmarks::new(comparison.old.view, comparison.new.view, hosts);
        Self {
            comparison,
            groups,
            hosts,
            group,
            landmarks,
            progress,
        }
    }

    pub(super) fn run(&mut self) {
        let mut pieces = Vec::new();
        let start = self.enter(self.frame(&pieces), &pieces, self.landmarks.start());
        self.visit(&start, &mut pieces);
    }

    /// Compares everything at and below a spot. The recursion is as deep as the longest pattern or mount.
    fn visit(&mut self, spot: &Spot, pieces: &mut Vec<SegmentClass>) {
        if self.is_alike(spot) && !self.is_token_path(pieces) {
            return;
        }
        self.groups.visited += 1;
        if self.groups.visited.is_multiple_of(1024) {
            (self.progress)(self.groups.visited);
        }
        self.compare(spot.frame, pieces, Tail::End);
        if spot.pairs.is_empty() && spot.landmarks.is_empty() {
            self.compare(spot.frame, pieces, Tail::Beyond);
            return;
        }
        let other = SegmentClass {
            text: self.comparison.unused.segment(pieces.len()),
            kind: SegmentKind::Other,
        };
        for piece in self.literals(spot).into_pieces().into_iter().chain([other]) {
            let landmarks = self.landmarks.step(&spot.landmarks, &piece.text);
            pieces.push(piece);
            let next = self.step(spot, pieces, landmarks);
            self.visit(&next, pieces);
            pieces.pop();
        }
    }

    /// Whether nothing at or below the spot can change.
    fn is_alike(&self, spot: &Spot) -> bool {
        let services = match (spot.frame.old, spot.frame.new) {
            (None, None) => return spot.landmarks.is_empty(),
            (Some(old), Some(new)) if self.comparison.alike(old, new) => (old, new),
            (Some(_), Some(_) | None) | (None, Some(_)) => return false,
        };
        spot.landmarks.is_empty()
            && spot.steady
            && spot
                .pairs
                .iter()
                .all(|pair| self.comparison.equal(services, pair.nodes))
    }

    /// Whether the path is one of `token_paths` in only one of the configurations.
    fn is_token_path(&self, pieces: &[SegmentClass]) -> bool {
        let path = raw(pieces, "");
        let is_own = |half: &ComparedConfiguration<'_>| half.view.is_token_path(&path);
        is_own(&self.comparison.old) != is_own(&self.comparison.new)
    }

    /// The literals that distinguish paths at this spot.
    ///
    /// Omits those below which both trees decide alike: a path that no rule below them covers falls back to the
    /// parameters and the `**` above, like the same path with any other segment at this position. This is valid where
    /// nothing that differs is tried before.
    fn literals(&mut self, spot: &Spot) -> LiteralSet {
        let mut literals = LiteralSet::default();
        self.landmarks
            .literals(&spot.landmarks, &self.comparison.exact, &mut literals);
        let alike = match (spot.frame.old, spot.frame.new) {
            (Some(old), Some(new)) if self.comparison.alike(old, new) => Some((old, new)),
            (Some(_) | None, Some(_) | None) => None,
        };
        let mut alike_before = true;
        for Pair { nodes, clear } in &spot.pairs {
            let (a, b) = nodes;
            if let (Some(services), Some(a), Some(b), true) = (alike, a, b, alike_before && *clear)
            {
                let case = self.comparison.old.case(services.0);
                for text in self.comparison.differing(services, (*a, *b)).iter() {
                    literals.add(text, case);
                }
                alike_before = self.comparison.equal(services, *nodes);
                continue;
            }
            alike_before = false;
            let old = spot
                .frame
                .old
                .zip(*a)
                .map(|(service, id)| (&self.comparison.old.trees[service], id));
            let new = spot
                .frame
                .new
                .zip(*b)
                .map(|(service, id)| (&self.comparison.new.trees[service], id));
            for (tree, id) in old.into_iter().chain(new) {
                tree.node(id)
                    .literals
                    .keys()
                    .for_each(|text| literals.add(text, tree.case));
            }
        }
        literals
    }

    /// The next spot; `pieces` contains its segment already.
    fn step(&self, from: &Spot, pieces: &[SegmentClass], landmarks: Vec<usize>) -> Spot {
        let frame = if from.landmarks.is_empty() {
            from.frame
        } else {
            self.frame(pieces)
        };
        if frame != from.frame {
            return self.enter(frame, pieces, landmarks);
        }
        let Some(last) = pieces.last() else {
            return self.enter(frame, pieces, landmarks);
        };
        let (pairs, steady) = self.advance(frame, &from.pairs, from.steady, &last.text);
        Spot {
            frame,
            pairs,
            steady,
            landmarks,
        }
    }

    /// The spot of these pieces, reached from the roots of these services' trees.
    fn enter(&self, frame: Frame, pieces: &[SegmentClass], landmarks: Vec<usize>) -> Spot {
        let steady = match (frame.old, frame.new) {
            (None, None) => true,
            (Some(old), Some(new)) => self.comparison.alike(old, new),
            (Some(_), None) | (None, Some(_)) => false,
        };
        let start = vec![Pair {
            nodes: (frame.old.map(|_| 0), frame.new.map(|_| 0)),
            clear: true,
        }];
        let (pairs, steady) = pieces
            .iter()
            .fold((start, steady), |(pairs, steady), piece| {
                self.advance(frame, &pairs, steady, &piece.text)
            });
        Spot {
            frame,
            pairs: known(pairs),
            steady,
            landmarks,
        }
    }

    fn advance(
        &self,
        frame: Frame,
        pairs: &[Pair],
        mut steady: bool,
        text: &str,
    ) -> (Vec<Pair>, bool) {
        let old = frame.old.map(|service| &self.comparison.old.trees[service]);
        let new = frame.new.map(|service| &self.comparison.new.trees[service]);
        let mut next = Vec::new();
        let mut clear = true;
        for pair in pairs {
            let (a, b) = (old.zip(pair.nodes.0), new.zip(pair.nodes.1));
            let literal = |place: Option<(&PatternTree, NodeId)>| {
                place.and_then(|(tree, id)| tree.literal(id, text))
            };
            let parameter = |place: Option<(&PatternTree, NodeId)>| {
                place.and_then(|(tree, id)| tree.node(id).parameter)
            };
            clear &= pair.clear;
            next.push(Pair {
                nodes: (literal(a), literal(b)),
                clear,
            });
            next.push(Pair {
                nodes: (parameter(a), parameter(b)),
                clear,
            });
            clear &= rests_alike(a, b);
        }
        steady &= clear;
        (known(next), steady)
    }

    /// The services whose rules decide at and below these pieces, up to the next landmark.
    fn frame(&self, pieces: &[SegmentClass]) -> Frame {
        let raw = raw(pieces, "");
        let everything = PathOptions {
            allow_encoded_slash: true,
            allow_encoded_reserved: true,
            allow_semicolon: true,
            merge_slashes: false,
        };
        // What a service refuses in a path is checked when an outcome is computed.
        let Ok(path) = RequestPath::parse(&raw, everything) else {
            return Frame::default();
        };
        let service = |half: &ComparedConfiguration<'_>| {
            if half.view.is_own_path(path.as_str()) {
                return None;
            }
            half.view.router.find(&self.hosts.host, &path)
        };
        Frame {
            old: service(&self.comparison.old),
            new: service(&self.comparison.new),
        }
    }

    /// Compares the outcomes of one class of paths, method by method.
    fn compare(&mut self, frame: Frame, pieces: &[SegmentClass], tail: Tail) {
        if frame.old.is_none() && frame.new.is_none() {
            return;
        }
        for path in self.spellings(pieces, tail) {
            self.compare_path(pieces, tail, &path);
        }
    }

    fn compare_path(
        &mut self,
        pieces: &[SegmentClass],
        tail: Tail,
        (path, behind): &(String, String),
    ) {
        let (old, new) = (&self.comparison.old, &self.comparison.new);
        let before = old.view.route(&self.hosts.host, path);
        let after = new.view.route(&self.hosts.host, path);
        let class = Rc::new(path_class(pieces, tail));
        for index in 0..self.comparison.methods.len() {
            let method = self.comparison.methods[index].1.clone();
            let sources = (
                self.comparison.old.view.source(&before, &method),
                self.comparison.new.view.source(&after, &method),
            );
            let request = WitnessRequest {
                host: &self.hosts.host,
                pieces,
                tail: behind,
                method: &method,
                before: (sources.0, &before),
                after: (sources.1, &after),
            };
            let outcomes = self.comparison.outcomes(&request);
            let place = ChangeLocation {
                hosts: self.group,
                method: index,
                end: tail.shown(),
                class: &class,
                request: &request,
            };
            outcomes
                .iter()
                .for_each(|outcome| self.groups.add(sources, outcome, &place));
        }
    }

    /// The spellings of a path that the gateway may distinguish, each with its end after the pieces.
    fn spellings(&self, pieces: &[SegmentClass], tail: Tail) -> Vec<(String, String)> {
        let behind = match tail {
            Tail::End => String::new(),
            Tail::Beyond => format!("/{}", self.comparison.unused.segment(pieces.len())),
        };
        let mut spellings = vec![(raw(pieces, &behind), behind)];
        let (path, behind) = &spellings[0];
        let owned = |half: &ComparedConfiguration<'_>| half.view.is_token_path(path);
        if owned(&self.comparison.old) || owned(&self.comparison.new) {
            // the gateway answers `POST /token`, not `POST /token/`
            spellings.push((format!("{path}/"), "/".to_owned()));
        } else if path.contains("%3B") {
            // whether `;` is accepted depends on its spelling
            let raw = (path.replace("%3B", ";"), behind.clone());
            spellings.push(raw);
        }
        spellings
    }
}

impl Tail {
    fn shown(self) -> &'static [PathPiece] {
        match self {
            Self::End => &[],
            Self::Beyond => &[PathPiece::Any, PathPiece::Rest],
        }
    }
}

/// The pairs with at least one node.
fn known(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.retain(|pair| pair.nodes.0.is_some() || pair.nodes.1.is_some());
    pairs
}

/// Whether the `**` that ends at these nodes decides alike in both configurations.
fn rests_alike(a: Option<(&PatternTree, NodeId)>, b: Option<(&PatternTree, NodeId)>) -> bool {
    match (a, b) {
        (Some((old, a)), Some((new, b))) => old.node(a).rest_is_like(new.node(b)),
        (Some((tree, id)), None) | (None, Some((tree, id))) => !tree.node(id).has_rest(),
        (None, None) => true,
    }
}

/// The class of the paths with these pieces and this end.
fn path_class(pieces: &[SegmentClass], tail: Tail) -> PathClass {
    let pieces = pieces.iter().map(SegmentClass::shown);
    PathClass(pieces.chain(tail.shown().iter().cloned()).collect())
}

/// The path of these pieces as a client sends it.
fn raw(pieces: &[SegmentClass], tail: &str) -> String {
    spell_path(pieces.iter().map(|piece| &*piece.text), tail)
}
