//! The walk over the pattern trees of both configurations in step, from class to class of paths.

use std::rc::Rc;

use super::super::spelling::spell_path;
use super::change::{PathClass, PathPiece};
use super::classes::{LiteralSet, SegmentClass, SegmentKind};
use super::forest::{NodeId, PatternTree};
use super::groups::{ChangeGroups, ChangeLocation};
use super::hosts::HostGroup;
use super::landmarks::Landmarks;
use super::witness::WitnessRequest;
use super::world::{ComparedConfiguration, Comparison};
use crate::access::{PathOptions, RequestPath};

/// The walk for one group of hosts.
pub(super) struct PathWalk<'w, 'a> {
    world: &'w mut Comparison<'a>,
    groups: &'w mut ChangeGroups,
    hosts: &'w HostGroup,
    /// Its place among the groups.
    group: usize,
    landmarks: Landmarks,
    progress: &'w mut dyn FnMut(usize),
}

/// Whose rules decide here, on either side.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Frame {
    old: Option<usize>,
    new: Option<usize>,
}

/// Nodes of both trees that were reached by the same choices of literal or parameter.
#[derive(Clone, Copy)]
struct Pair {
    nodes: (Option<NodeId>, Option<NodeId>),
    /// Whether every `**` above that a lookup tries before these nodes answers alike on both sides.
    clear: bool,
}

/// Where the walk stands.
struct Spot {
    frame: Frame,
    /// The most specific first, as a lookup tries them.
    pairs: Vec<Pair>,
    /// Whether every `**` above answers alike on both sides.
    steady: bool,
    landmarks: Vec<usize>,
}

/// Which paths below a spot are meant.
#[derive(Clone, Copy)]
enum Tail {
    /// The path that ends there.
    End,
    /// All that go on.
    Beyond,
}

impl<'w, 'a> PathWalk<'w, 'a> {
    pub(super) fn new(
        world: &'w mut Comparison<'a>,
        groups: &'w mut ChangeGroups,
        (group, hosts): (usize, &'w HostGroup),
        progress: &'w mut dyn FnMut(usize),
    ) -> Self {
        let landmarks = Landmarks::new(world.old.view, world.new.view, hosts);
        Self {
            world,
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

    /// Compares everything at and below a spot. Goes as deep as the longest pattern or mount.
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
            text: self.world.fresh.segment(pieces.len()),
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
            (Some(old), Some(new)) if self.world.alike(old, new) => (old, new),
            (Some(_), Some(_) | None) | (None, Some(_)) => return false,
        };
        spot.landmarks.is_empty()
            && spot.steady
            && spot
                .pairs
                .iter()
                .all(|pair| self.world.equal(services, pair.nodes))
    }

    /// Whether the path is one of `token_paths` on one side only.
    fn is_token_path(&self, pieces: &[SegmentClass]) -> bool {
        let path = raw(pieces, "");
        let is_own = |half: &ComparedConfiguration<'_>| half.view.is_token_path(&path);
        is_own(&self.world.old) != is_own(&self.world.new)
    }

    /// The literals that tell paths apart here.
    ///
    /// Left out are those behind which both trees answer alike: what is not answered there falls back on the parameters
    /// and the `**` above, as the same path with any other segment in this place does. That holds where nothing that
    /// differs is tried before.
    fn literals(&mut self, spot: &Spot) -> LiteralSet {
        let mut literals = LiteralSet::default();
        self.landmarks
            .literals(&spot.landmarks, &self.world.exact, &mut literals);
        let alike = match (spot.frame.old, spot.frame.new) {
            (Some(old), Some(new)) if self.world.alike(old, new) => Some((old, new)),
            (Some(_) | None, Some(_) | None) => None,
        };
        let mut alike_before = true;
        for Pair { nodes, clear } in &spot.pairs {
            let (a, b) = nodes;
            if let (Some(services), Some(a), Some(b), true) = (alike, a, b, alike_before && *clear)
            {
                let case = self.world.old.case(services.0);
                for text in self.world.differing(services, (*a, *b)).iter() {
                    literals.add(text, case);
                }
                alike_before = self.world.equal(services, *nodes);
                continue;
            }
            alike_before = false;
            let old = spot
                .frame
                .old
                .zip(*a)
                .map(|(service, id)| (&self.world.old.trees[service], id));
            let new = spot
                .frame
                .new
                .zip(*b)
                .map(|(service, id)| (&self.world.new.trees[service], id));
            for (tree, id) in old.into_iter().chain(new) {
                tree.node(id)
                    .literals
                    .keys()
                    .for_each(|text| literals.add(text, tree.case));
            }
        }
        literals
    }

    /// One segment further; `pieces` holds it already.
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

    /// Comes to the spot of these pieces from above, in the trees of these services.
    fn enter(&self, frame: Frame, pieces: &[SegmentClass], landmarks: Vec<usize>) -> Spot {
        let steady = match (frame.old, frame.new) {
            (None, None) => true,
            (Some(old), Some(new)) => self.world.alike(old, new),
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
        let old = frame.old.map(|service| &self.world.old.trees[service]);
        let new = frame.new.map(|service| &self.world.new.trees[service]);
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

    /// Whose rules decide at and below these pieces, up to the next landmark.
    fn frame(&self, pieces: &[SegmentClass]) -> Frame {
        let raw = raw(pieces, "");
        let everything = PathOptions {
            allow_encoded_slash: true,
            allow_encoded_reserved: true,
            allow_semicolon: true,
            merge_slashes: false,
        };
        // What a service refuses in a path is looked at where an outcome is asked for.
        let Ok(path) = RequestPath::parse(&raw, everything) else {
            return Frame {
                old: None,
                new: None,
            };
        };
        let service = |half: &ComparedConfiguration<'_>| {
            let own = half.view.is_own_path(path.as_str());
            if own {
                None
            } else {
                half.view.router.find(&self.hosts.host, &path)
            }
        };
        Frame {
            old: service(&self.world.old),
            new: service(&self.world.new),
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
        let (old, new) = (&self.world.old, &self.world.new);
        let before = old.view.route(&self.hosts.host, path);
        let after = new.view.route(&self.hosts.host, path);
        let class = Rc::new(path_class(pieces, tail));
        for index in 0..self.world.methods.len() {
            let method = self.world.methods[index].1.clone();
            let sources = (
                self.world.old.view.source(&before, &method),
                self.world.new.view.source(&after, &method),
            );
            let request = WitnessRequest {
                host: &self.hosts.host,
                pieces,
                tail: behind,
                method: &method,
                before: (sources.0, &before),
                after: (sources.1, &after),
            };
            let outcomes = self.world.outcomes(&request);
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

    /// The ways to write a path that may be told apart, with what stands behind the pieces.
    fn spellings(&self, pieces: &[SegmentClass], tail: Tail) -> Vec<(String, String)> {
        let behind = match tail {
            Tail::End => String::new(),
            Tail::Beyond => format!("/{}", self.world.fresh.segment(pieces.len())),
        };
        let mut spellings = vec![(raw(pieces, &behind), behind)];
        let (path, behind) = &spellings[0];
        let owned = |half: &ComparedConfiguration<'_>| half.view.is_token_path(path);
        if owned(&self.world.old) || owned(&self.world.new) {
            // `POST /token` is the gateway's, `POST /token/` is not
            spellings.push((format!("{path}/"), "/".to_owned()));
        } else if path.contains("%3B") {
            // escaped and raw are two options
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

/// Without pairs that lead nowhere.
fn known(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.retain(|pair| pair.nodes.0.is_some() || pair.nodes.1.is_some());
    pairs
}

/// Whether a `**` that ends at these nodes answers alike on both sides.
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
