//! The segment tree that indexes patterns: a lookup costs by the length of the path, not by the number of patterns.

use std::collections::HashMap;

use super::case::CaseRule;
use super::path::{RequestPath, decode};
use super::pattern::Segment;

/// Patterns, each with a leaf of the owner's choice.
#[derive(Debug)]
pub(super) struct PatternTrie<L> {
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

impl<L: Default> PatternTrie<L> {
    pub(super) fn new(case: CaseRule) -> Self {
        Self {
            case,
            nodes: vec![Node::default()],
        }
    }

    /// The leaf of this pattern; patterns that differ in the names of parameters only share one.
    pub(super) fn leaf(&mut self, segments: &[Segment]) -> &mut L {
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

impl<L> PatternTrie<L> {
    /// The answer of the most specific leaf whose pattern covers the path and that `pick` accepts.
    ///
    /// Visits each node at most once, in the order of specificity: literal, parameter, the pattern's end, `**`.
    pub(super) fn find<R>(&self, path: &RequestPath, pick: impl Fn(&L) -> Option<R>) -> Option<R> {
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

/// A node of the tree, read-only.
pub(super) struct TreeCursor<'t, L> {
    tree: &'t PatternTrie<L>,
    node: &'t Node<L>,
}

impl<L> PatternTrie<L> {
    pub(super) fn root(&self) -> TreeCursor<'_, L> {
        self.cursor(ROOT)
    }

    fn cursor(&self, id: NodeId) -> TreeCursor<'_, L> {
        TreeCursor {
            tree: self,
            node: &self.nodes[id as usize],
        }
    }
}

impl<'t, L> TreeCursor<'t, L> {
    /// The leaf of the pattern that ends here.
    pub(super) fn here(&self) -> Option<&'t L> {
        self.node.here.as_ref()
    }

    /// The leaf of the pattern that ends here with `**`.
    pub(super) fn rest(&self) -> Option<&'t L> {
        self.node.rest.as_ref()
    }

    /// The child for a parameter.
    pub(super) fn parameter(&self) -> Option<Self> {
        self.node.parameter.map(|id| self.tree.cursor(id))
    }

    /// The child for this literal, folded as the tree's letter case demands.
    pub(super) fn literal(&self, text: &str) -> Option<Self> {
        let text = self.tree.case.fold(text.into());
        self.node
            .literals
            .get(&*text)
            .map(|id| self.tree.cursor(*id))
    }

    /// Whether another pattern continues here.
    pub(super) fn has_more(&self) -> bool {
        !self.node.literals.is_empty() || self.node.parameter.is_some() || self.node.rest.is_some()
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
