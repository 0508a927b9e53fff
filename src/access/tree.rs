//! The segment tree that indexes patterns: a lookup costs by the length of the path, not by the number of patterns.

use std::collections::HashMap;

use super::case::CaseRule;
use super::path::{RequestPath, decode};
use super::pattern::Segment;

/// Patterns, each with a leaf of the owner's choice.
#[derive(Debug)]
pub(crate) struct Tree<L> {
    case: CaseRule,
    nodes: Vec<Node<L>>,
}

/// The place of one pattern prefix. Its depth is the number of segments before it.
#[derive(Debug)]
struct Node<L> {
    literals: HashMap<Box<str>, NodeId>,
    parameter: Option<NodeId>,
    /// Of the pattern that ends here.
    here: Option<L>,
    /// Of the pattern that ends here with `**`.
    rest: Option<L>,
}

type NodeId = u32;

const ROOT: NodeId = 0;

impl<L: Default> Tree<L> {
    pub(crate) fn new(case: CaseRule) -> Self {
        Self {
            case,
            nodes: vec![Node::default()],
        }
    }

    /// The leaf of this pattern; patterns that differ in the names of parameters only share one.
    pub(crate) fn leaf(&mut self, segments: &[Segment]) -> &mut L {
        let mut node = ROOT;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => self.literal(node, text),
                Segment::Parameter(_) => self.parameter(node),
                Segment::Rest => return self.node(node).rest.get_or_insert_default(),
            };
        }
        self.node(node).here.get_or_insert_default()
    }

    fn literal(&mut self, parent: NodeId, text: &str) -> NodeId {
        let next = self.next_id();
        let text = self.case.fold(text.into()).into();
        let child = *self.node(parent).literals.entry(text).or_insert(next);
        self.grow(child)
    }

    fn parameter(&mut self, parent: NodeId) -> NodeId {
        let next = self.next_id();
        let child = *self.node(parent).parameter.get_or_insert(next);
        self.grow(child)
    }

    fn next_id(&self) -> NodeId {
        NodeId::try_from(self.nodes.len())
            .expect("a configuration of four billion segments does not load")
    }

    fn grow(&mut self, child: NodeId) -> NodeId {
        if child == self.next_id() {
            self.nodes.push(Node::default());
        }
        child
    }

    fn node(&mut self, id: NodeId) -> &mut Node<L> {
        &mut self.nodes[id as usize]
    }
}

impl<L> Tree<L> {
    /// The answer of the most specific leaf whose pattern covers the path and that `pick` accepts.
    ///
    /// Visits each node at most once, in the order of specificity: literal, parameter, the pattern's end, `**`.
    pub(crate) fn find<R>(&self, path: &RequestPath, pick: impl Fn(&L) -> Option<R>) -> Option<R> {
        self.descend(ROOT, path.inner(), &pick)
    }

    /// `rest` is the path below this node, empty at its end. Recursion goes as deep as the longest pattern.
    fn descend<R>(&self, node: NodeId, rest: &str, pick: &impl Fn(&L) -> Option<R>) -> Option<R> {
        let node = &self.nodes[node as usize];
        let below = if rest.is_empty() {
            node.here.as_ref().and_then(pick)
        } else {
            let (segment, after) = split_segment(rest);
            let literal = self.literal_below(node, segment);
            let literal = literal.and_then(|child| self.descend(child, after, pick));
            literal.or_else(|| {
                node.parameter
                    .and_then(|child| self.descend(child, after, pick))
            })
        };
        below.or_else(|| node.rest.as_ref().and_then(pick))
    }

    fn literal_below(&self, node: &Node<L>, segment: &str) -> Option<NodeId> {
        if node.literals.is_empty() {
            return None;
        }
        node.literals
            .get(&*self.case.fold(decode(segment)))
            .copied()
    }
}

/// The first segment, and what is below it. Segments are short: a loop is faster than a search made for long texts.
fn split_segment(path: &str) -> (&str, &str) {
    let end = path.bytes().position(|byte| byte == b'/');
    end.map_or((path, ""), |end| (&path[..end], &path[end + 1..]))
}

/// A place in the tree, for those who walk it with a pattern.
pub(crate) struct At<'t, L> {
    tree: &'t Tree<L>,
    node: &'t Node<L>,
}

impl<'t, L> At<'t, L> {
    /// The leaf of the pattern that ends here.
    pub(crate) fn here(&self) -> Option<&'t L> {
        self.node.here.as_ref()
    }

    /// The leaf of the pattern that ends here with `**`.
    pub(crate) fn rest(&self) -> Option<&'t L> {
        self.node.rest.as_ref()
    }

    /// One parameter further.
    pub(crate) fn parameter(&self) -> Option<Self> {
        self.node.parameter.map(|id| self.tree.at(id))
    }

    fn literal(&self, text: &str) -> Option<Self> {
        let text = self.tree.case.fold(text.into());
        self.node.literals.get(&*text).map(|id| self.tree.at(*id))
    }

    /// Whether patterns go on here.
    pub(crate) fn has_more(&self) -> bool {
        !self.node.literals.is_empty() || self.node.parameter.is_some() || self.node.rest.is_some()
    }
}

impl<L> Tree<L> {
    fn at(&self, id: NodeId) -> At<'_, L> {
        At {
            tree: self,
            node: &self.nodes[id as usize],
        }
    }

    /// Where the pattern ends, if the tree has it; a `**` at its end leads nowhere further.
    pub(crate) fn node_of(&self, segments: &[Segment]) -> Option<At<'_, L>> {
        segments
            .iter()
            .try_fold(self.at(ROOT), |at, segment| match segment {
                Segment::Literal(text) => at.literal(text),
                Segment::Parameter(_) => at.parameter(),
                Segment::Rest => Some(at),
            })
    }

    /// The answer of the most specific leaf of a pattern with `**`, other than this one, that covers all that this
    /// pattern does and that `pick` accepts.
    pub(crate) fn enclosing<R>(
        &self,
        segments: &[Segment],
        pick: &impl Fn(&L) -> Option<R>,
    ) -> Option<R> {
        fn descend<L, R>(
            at: At<'_, L>,
            segments: &[Segment],
            pick: &impl Fn(&L) -> Option<R>,
        ) -> Option<R> {
            let below = match segments {
                [Segment::Rest, ..] => return None,
                [Segment::Literal(text), after @ ..] => {
                    let literal = at.literal(text).and_then(|next| descend(next, after, pick));
                    literal.or_else(|| at.parameter().and_then(|next| descend(next, after, pick)))
                }
                [Segment::Parameter(_), after @ ..] => {
                    at.parameter().and_then(|next| descend(next, after, pick))
                }
                [] => None,
            };
            below.or_else(|| at.rest().and_then(pick))
        }
        descend(self.at(ROOT), segments, pick)
    }
}

impl<L> Default for Node<L> {
    fn default() -> Self {
        Self {
            literals: HashMap::new(),
            parameter: None,
            here: None,
            rest: None,
        }
    }
}
