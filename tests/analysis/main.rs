//! What is said of whole configurations, held against every single small request.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "what a test unwraps is part of what it claims"
)]

mod brute;
mod diff;
#[path = "../access/model.rs"]
#[allow(dead_code, reason = "shared with the properties of the decision core")]
mod model;
mod shadow;
#[path = "../access/strategies.rs"]
#[allow(dead_code, reason = "shared with the properties of the decision core")]
mod strategies;
mod table;
mod worlds;
