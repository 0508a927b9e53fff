//! What the decision core promises, over random rule sets and requests, and the table of paths.

mod model;
mod paths;
mod policies;

/// Rules, paths and callers over alphabets so small that they collide.
mod strategies;
