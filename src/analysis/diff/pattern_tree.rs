//! Pattern trees with a number for each subtree: subtrees with equal numbers decide alike. Two trees are walked in
//! parallel.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::access::{
    CaseRule, Expected, Methods, Policy, Requirement, Rule, RuleId, Segment, UserMatch,
};

/// Identifies a node, the end of one pattern's prefix.
pub(super) type NodeId = u32;

/// Gives equal values equal numbers. One interner serves the trees of both configurations.
#[derive(Debug, Default)]
pub(super) struct Interner {
    requirements: HashMap<String, u32>,
    leaves: HashMap<Vec<LeafKey>, u32>,
    nodes: HashMap<NodeKey, u32>,
}

/// Everything that decides at and below a node.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NodeKey {
    here: u32,
    rest: u32,
    parameter: Option<u32>,
    literals: Vec<(Box<str>, u32)>,
}

/// A rule's methods, sorted, and the number of its requirement.
type LeafKey = (Option<Vec<String>>, u32);

/// The patterns of one service.
#[derive(Debug)]
pub(super) struct PatternTree {
    pub(super) case: CaseRule,
    nodes: Vec<PatternTreeNode>,
    /// By rule id.
    requirements: Vec<RequirementKey>,
}

/// The requirement of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequirementKey {
    /// Equal requirements have equal numbers.
    pub(super) number: u32,
    /// Whether the outcome may differ for a user who changed.
    pub(super) touched: bool,
    /// The positions of the path segments that it compares with the caller's name or claims.
    pub(super) compared: Box<[usize]>,
}

/// One node of a tree.
#[derive(Debug, Default)]
pub(super) struct PatternTreeNode {
    pub(super) literals: BTreeMap<Box<str>, NodeId>,
    pub(super) parameter: Option<NodeId>,
    here: Vec<LeafKey>,
    rest: Vec<LeafKey>,
    /// The number of the rules that end here with `**`.
    rest_number: u32,
    rest_touched: bool,
    /// The number of this subtree.
    pub(super) whole: u32,
    /// Whether the outcome may differ for a user who changed, at or below this node.
    pub(super) touched: bool,
}

impl PatternTree {
    /// `touches` says whether the outcome of a rule may differ for a user who changed.
    pub(super) fn new(
        policy: &Policy,
        interner: &mut Interner,
        touches: &dyn Fn(&Rule) -> bool,
    ) -> Self {
        let mut tree = Self {
            case: policy.case(),
            nodes: vec![PatternTreeNode::default()],
            requirements: Vec::new(),
        };
        for rule in policy.rules() {
            let compared = compared(rule).into_iter().collect();
            let requirement = RequirementKey {
                number: interner.requirement(rule),
                touched: touches(rule),
                compared,
            };
            tree.add(rule, &requirement);
            tree.requirements.push(requirement);
        }
        tree.number(interner);
        tree
    }

    pub(super) fn node(&self, id: NodeId) -> &PatternTreeNode {
        &self.nodes[id as usize]
    }

    pub(super) fn requirement(&self, rule: RuleId) -> &RequirementKey {
        &self.requirements[rule.0 as usize]
    }

    /// The child for this path segment.
    pub(super) fn literal(&self, id: NodeId, text: &str) -> Option<NodeId> {
        let literals = &self.node(id).literals;
        if literals.is_empty() {
            None
        } else {
            literals.get(&*self.case.fold(text.into())).copied()
        }
    }

    fn add(&mut self, rule: &Rule, requirement: &RequirementKey) {
        let key = (methods_key(rule), requirement.number);
        let mut id = 0;
        for segment in rule.pattern.segments() {
            id = match segment {
                Segment::Literal(text) => self.grow_literal(id, text),
                Segment::Parameter(_) => self.grow_parameter(id),
                Segment::Rest => {
                    let node = &mut self.nodes[id as usize];
                    node.rest.push(key);
                    node.rest_touched |= requirement.touched;
                    return;
                }
            };
        }
        let node = &mut self.nodes[id as usize];
        node.here.push(key);
        node.touched |= requirement.touched;
    }

    fn grow_literal(&mut self, parent: NodeId, text: &str) -> NodeId {
        let text: Box<str> = self.case.fold(text.into()).into();
        let next = self.next_id();
        let child = *self.nodes[parent as usize]
            .literals
            .entry(text)
            .or_insert(next);
        self.grow(child)
    }

    fn grow_parameter(&mut self, parent: NodeId) -> NodeId {
        let next = self.next_id();
        let child = *self.nodes[parent as usize].parameter.get_or_insert(next);
        self.grow(child)
    }

    fn next_id(&self) -> NodeId {
        NodeId::try_from(self.nodes.len())
            .expect("a configuration of four billion segments does not load")
    }

    fn grow(&mut self, child: NodeId) -> NodeId {
        if child == self.next_id() {
            self.nodes.push(PatternTreeNode::default());
        }
        child
    }

    /// Children follow their parents in the list, so the reverse order visits each child first.
    fn number(&mut self, interner: &mut Interner) {
        for id in (0..self.nodes.len()).rev() {
            let rest = interner.leaf(&self.nodes[id].rest);
            let node = &self.nodes[id];
            let whole = |child: &NodeId| self.nodes[*child as usize].whole;
            let literals = node.literals.iter();
            let literals = literals.map(|(text, child)| (text.clone(), whole(child)));
            let key = NodeKey {
                here: interner.leaf(&node.here),
                rest,
                parameter: node.parameter.as_ref().map(whole),
                literals: literals.collect(),
            };
            let is_touched = |child: &NodeId| self.nodes[*child as usize].touched;
            let mut children = node.literals.values().chain(&node.parameter);
            let below = node.rest_touched || children.any(is_touched);
            let next = u32::try_from(interner.nodes.len()).expect("as many as there are nodes");
            let whole = *interner.nodes.entry(key).or_insert(next);
            let node = &mut self.nodes[id];
            node.touched |= below;
            node.rest_number = rest;
            node.whole = whole;
        }
    }
}

impl PatternTreeNode {
    /// Whether the `**` of both nodes decides alike, for users who changed as well.
    pub(super) fn rest_is_like(&self, other: &Self) -> bool {
        self.rest_number == other.rest_number && !self.rest_touched && !other.rest_touched
    }

    /// Whether a `**` ends here.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }
}

fn methods_key(rule: &Rule) -> Option<Vec<String>> {
    match &rule.methods {
        Methods::All => None,
        Methods::Only(methods) => {
            let mut names: Vec<_> = methods.iter().map(ToString::to_string).collect();
            names.sort_unstable();
            Some(names)
        }
    }
}

impl Interner {
    /// Parameters are compared by position, not by name.
    fn requirement(&mut self, rule: &Rule) -> u32 {
        let next = u32::try_from(self.requirements.len()).expect("as many as there are rules");
        *self.requirements.entry(canonical(rule)).or_insert(next)
    }

    fn leaf(&mut self, leaf: &[LeafKey]) -> u32 {
        let mut leaf = leaf.to_vec();
        leaf.sort_unstable();
        let next = u32::try_from(self.leaves.len()).expect("as many as there are nodes");
        *self.leaves.entry(leaf).or_insert(next)
    }
}

fn canonical(rule: &Rule) -> String {
    let Requirement::AnyOf(conditions) = &rule.requirement else {
        return format!("{:?}", rule.requirement);
    };
    let mut conditions = conditions.clone();
    for condition in &mut conditions {
        if let Some(UserMatch::Parameter(name)) = &mut condition.user {
            *name = position_text(rule, name);
        }
        for claim in &mut condition.claims {
            if let Expected::Parameter(name) = &mut claim.expected {
                *name = position_text(rule, name);
            }
        }
    }
    format!("{conditions:?}")
}

fn position_text(rule: &Rule, name: &str) -> Box<str> {
    rule.pattern
        .position(name)
        .map_or_else(|| "nowhere".into(), |position| position.to_string().into())
}

/// The positions of the path segments that the rule compares with the caller's name or claims.
fn compared(rule: &Rule) -> BTreeSet<usize> {
    let names = rule.requirement.conditions().iter().flat_map(|condition| {
        let user = condition.user.iter().filter_map(|user| match user {
            UserMatch::Parameter(name) => Some(name),
            UserMatch::OneOf(_) => None,
        });
        let claims = condition
            .claims
            .iter()
            .filter_map(|claim| match &claim.expected {
                Expected::Parameter(name) => Some(name),
                Expected::Value(_) => None,
            });
        user.chain(claims)
    });
    names
        .filter_map(|name| rule.pattern.position(name))
        .collect()
}
