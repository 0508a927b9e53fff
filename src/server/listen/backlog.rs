//! The length of the accept queue.

/// Connections that the kernel keeps ready between two accepts.
pub(super) const BACKLOG: i32 = 4096;
