//! What the decision core promises, over random rule sets and requests, and the table of paths.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "what a test unwraps is part of what it claims"
)]

mod model;
mod paths;
mod policies;
mod strategies;
