//! Paths at which the deciding service changes: the mounts of services and the gateway's own paths.

use std::collections::{BTreeMap, BTreeSet};

use super::super::unused_names::fold;
use super::super::view::ConfigurationView;
use super::classes::LiteralSet;
use super::hosts::HostGroup;
use crate::access::CaseRule;

/// The landmarks of one group of hosts, by segment.
#[derive(Debug)]
pub(super) struct Landmarks {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    sensitive: BTreeMap<Box<str>, usize>,
    insensitive: BTreeMap<Box<str>, usize>,
}

impl Landmarks {
    pub(super) fn new(
        old: &ConfigurationView<'_>,
        new: &ConfigurationView<'_>,
        hosts: &HostGroup,
    ) -> Self {
        let mut landmarks = Self {
            nodes: vec![Node::default()],
        };
        for (view, services) in [(old, &hosts.old), (new, &hosts.new)] {
            for path in view.own_paths() {
                landmarks.add(
                    path.split('/').filter(|text| !text.is_empty()),
                    CaseRule::Sensitive,
                );
            }
            for service in services.iter().map(|index| &view.services[*index]) {
                landmarks.add(service.mount.segments(), service.policy.case());
            }
        }
        landmarks
    }

    fn add<'t>(&mut self, segments: impl Iterator<Item = &'t str>, case: CaseRule) {
        let mut id = 0;
        for text in segments {
            let next = self.nodes.len();
            let node = &mut self.nodes[id];
            id = match case {
                CaseRule::Sensitive => *node.sensitive.entry(text.into()).or_insert(next),
                CaseRule::Insensitive => *node.insensitive.entry(fold(text)).or_insert(next),
            };
            if id == next {
                self.nodes.push(Node::default());
            }
        }
    }

    /// The nodes before the first segment, without those that have nothing below them.
    pub(super) fn start(&self) -> Vec<usize> {
        self.alive([0])
    }

    /// The nodes after this segment.
    pub(super) fn step(&self, from: &[usize], text: &str) -> Vec<usize> {
        let next = from.iter().flat_map(|id| {
            let node = &self.nodes[*id];
            node.sensitive
                .get(text)
                .into_iter()
                .chain(node.insensitive.get(&fold(text)))
                .copied()
        });
        self.alive(next)
    }

    fn alive(&self, ids: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let leads_on = |id: &usize| {
            let node = &self.nodes[*id];
            !node.sensitive.is_empty() || !node.insensitive.is_empty()
        };
        ids.into_iter().filter(leads_on).collect()
    }

    /// Adds the literals that continue from these nodes. `exact` are all texts that some service compares with regard
    /// to letter case, by their folded form: below a mount that is compared without it, another service may distinguish
    /// them.
    pub(super) fn literals(
        &self,
        from: &[usize],
        exact: &BTreeMap<Box<str>, BTreeSet<Box<str>>>,
        literals: &mut LiteralSet,
    ) {
        for node in from.iter().map(|id| &self.nodes[*id]) {
            node.sensitive
                .keys()
                .for_each(|text| literals.add(text, CaseRule::Sensitive));
            for folded in node.insensitive.keys() {
                literals.add(folded, CaseRule::Insensitive);
                let exact = exact.get(folded).into_iter().flatten();
                exact.for_each(|text| literals.add(text, CaseRule::Sensitive));
            }
        }
    }
}
