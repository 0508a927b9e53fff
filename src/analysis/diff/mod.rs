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
mod forest;
mod groups;
mod hosts;
mod landmarks;
mod patterns;
mod people;
mod verdicts;
mod walk;
mod world;

pub use self::change::{
    CallerClass, Change, Effect, From, HostClass, MethodClass, PathClass, PathPiece, Subject, Who,
};
pub use self::change::{ClaimClass, Witness};
pub use self::people::Person;
pub use super::side::Landing;

use self::groups::Groups;
use self::walk::Walk;
use self::world::World;
use super::Side;

/// Everything that changes, opening changes first, each group of requests once.
///
/// `people` are the users of both configurations. `progress` hears now and then how many classes of paths were
/// compared so far.
pub fn compare(
    old: &Side<'_>,
    new: &Side<'_>,
    people: &[Person],
    progress: &mut dyn FnMut(usize),
) -> Vec<Change> {
    let mut world = World::new(old, new, people);
    let mut groups = Groups::default();
    let hosts = hosts::classes(old, new, &world.fresh);
    for (index, group) in hosts.iter().enumerate() {
        Walk::new(&mut world, &mut groups, (index, group), progress).run();
    }
    groups.into_changes(&world, &hosts)
}

/// All classes of methods: a change that has all of them is about any method.
pub fn method_classes(old: &Side<'_>, new: &Side<'_>) -> Vec<MethodClass> {
    world::method_classes(old, new)
        .into_iter()
        .map(|(class, _)| class)
        .collect()
}
