//! Gatelatch.
fn main() {}
