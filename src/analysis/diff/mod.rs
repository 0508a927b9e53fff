//! Computes what changes between two configurations from their rules, without sampling requests.
//!
//! The requests of both configurations together fall into finitely many classes: hosts (those that are named, and one
//! of the others) × paths (by walking both pattern trees in parallel: the literals of either, any other segment, the
//! end, anything longer) × methods (those that are named, and one of the others) × callers (the minimal callers that
//! fulfil each condition of the deciding rules). Each class has a witness, a constructed request, and the outcome of
//! the class is what [`crate::access::Policy::decide`] decides for the witness. The code that chooses a witness says
//! why one is enough.

mod addresses;
mod callers;
mod change;
mod classes;
mod comparison;
mod evaluate;
mod groups;
mod hosts;
mod landmarks;
mod outcome;
mod pattern_tree;
mod patterns;
mod people;
mod walk;
mod witness;

pub use self::change::{
    AddressClass, CallerClass, CallerKind, CallerSubject, ChangeEffect, HostClass, MethodClass,
    PathClass, PathPiece, PolicyChange,
};
pub use self::change::{ChangeWitness, ClaimClass};
pub use self::people::ComparedUser;
pub use super::view::DecisionSource;

use self::comparison::Comparison;
use self::groups::ChangeGroups;
use self::walk::PathWalk;
use super::view::ConfigurationView;

/// All changes, opening ones first, each group of requests once.
///
/// `people` are the users of both configurations. `progress` is called from time to time with the number of path
/// classes compared so far.
pub fn compare(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
    people: &[ComparedUser],
    progress: &mut dyn FnMut(usize),
) -> Vec<PolicyChange> {
    let mut comparison = Comparison::new(old, new, people);
    let mut groups = ChangeGroups::default();
    let hosts = hosts::classes(old, new, &comparison.unused);
    for (index, group) in hosts.iter().enumerate() {
        PathWalk::new(&mut comparison, &mut groups, (index, group), progress).run();
    }
    groups.into_changes(&comparison, &hosts)
}

/// All classes of methods: a change that lists all of them applies to any method.
pub fn method_classes(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
) -> Vec<MethodClass> {
    comparison::method_classes(old, new)
        .into_iter()
        .map(|(class, _)| class)
        .collect()
}
