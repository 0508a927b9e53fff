//! The lockouts of a store.

use super::attempt::Subject;

/// The lockouts of a store: their number, and the last ones to end.
pub(super) struct Holds {
    pub(super) total: usize,
    pub(super) list: Vec<(Subject, u64)>,
}

impl Holds {
    /// The last ones to end, of all that there are.
    pub(super) fn of(mut all: Vec<(Subject, u64)>, limit: usize) -> Self {
        let total = all.len();
        all.sort_by_key(|(_, until)| std::cmp::Reverse(*until));
        all.truncate(limit);
        Self { total, list: all }
    }
}
