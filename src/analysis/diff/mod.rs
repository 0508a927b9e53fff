//! What changes between two configurations, worked out from the rules: no request is sampled.
//!
//! The requests of both configurations together fall into finitely many classes: hosts (those that are named, and one
//! of the others) × paths (by walking the pattern trees of both at once: the literals of either, any other segment, the
//! end, anything longer) × methods (those that are named, and one of the others) × callers (the least callers that
//! fulfil each condition of the rules that decide). Each class has a witness, a request made to measure, and the outcome
//! of the class is what [`crate::access::Policy::decide`] says to the witness. Why one witness is enough is written
//! where it is chosen.

mod addresses;
mod callers;
mod change;
mod classes;
mod evaluate;
mod forest;
mod groups;
mod hosts;
mod landmarks;
mod outcome;
mod patterns;
mod people;
mod walk;
mod witness;
mod world;

pub use self::change::{
    AddressClass, CallerClass, CallerKind, CallerSubject, ChangeEffect, HostClass, MethodClass,
    PathClass, PathPiece, PolicyChange,
};
pub use self::change::{ChangeWitness, ClaimClass};
pub use self::people::ComparedUser;
pub use super::view::DecisionSource;

use self::groups::ChangeGroups;
use self::walk::PathWalk;
use self::world::Comparison;
use super::view::ConfigurationView;

/// Everything that changes, opening changes first, each group of requests once.
///
/// `people` are the users of both configurations. `progress` hears now and then how many classes of paths were
/// compared so far.
pub fn compare(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
    people: &[ComparedUser],
    progress: &mut dyn FnMut(usize),
) -> Vec<PolicyChange> {
    let mut world = Comparison::new(old, new, people);
    let mut groups = ChangeGroups::default();
    let hosts = hosts::classes(old, new, &world.fresh);
    for (index, group) in hosts.iter().enumerate() {
        PathWalk::new(&mut world, &mut groups, (index, group), progress).run();
    }
    groups.into_changes(&world, &hosts)
}

/// All classes of methods: a change that has all of them is about any method.
pub fn method_classes(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
) -> Vec<MethodClass> {
    world::method_classes(old, new)
        .into_iter()
        .map(|(class, _)| class)
        .collect()
}
