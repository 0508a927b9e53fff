//! What a reload retires: the former snapshot, and freed memory that the allocator has not returned to the system.

use std::sync::Arc;
use std::time::Duration;

/// The interval between two checks of a retired snapshot while requests use it.
const SWEEP: Duration = Duration::from_millis(500);

/// The delay before freed memory is returned: somewhat longer than the decay time of the allocator.
const KEPT: Duration = Duration::from_millis(1500);

/// Retired snapshots, kept until no request uses them. The last owner frees a snapshot, which takes time with a hundred
/// thousand users and would delay every request of a worker; the thread that owns this frees it instead.
#[derive(Debug)]
pub(super) struct RetiredSnapshots<T> {
    retired: Vec<Arc<T>>,
    memory: Memory,
}

/// Whether much memory was freed since it was last returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    GivenBack,
    Kept,
}

impl<T> RetiredSnapshots<T> {
    /// The state at the start: reading the files has freed memory.
    pub(super) fn new() -> Self {
        Self {
            retired: Vec::new(),
            memory: Memory::Kept,
        }
    }

    /// Retires a snapshot that was replaced.
    pub(super) fn retire(&mut self, snapshot: Arc<T>) {
        self.retired.push(snapshot);
    }

    /// Records that files were read, whether or not they were applied.
    pub(super) fn after_reading(&mut self) {
        self.memory = Memory::Kept;
    }

    /// How long to wait before the next [`RetiredSnapshots::clear`]; `None` where nothing is left.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self.memory {
            _ if !self.retired.is_empty() => Some(SWEEP),
            Memory::Kept => Some(KEPT),
            Memory::GivenBack => None,
        }
    }

    /// Frees the snapshots that no request uses; when all are freed, returns the memory to the system.
    pub(super) fn clear(&mut self) {
        if self.retired.is_empty() {
            give_back();
            self.memory = Memory::GivenBack;
        }
        // a worker takes no further share of what is no longer in force, so that a single share stays single
        self.retired
            .retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}

/// The allocator returns memory when it is called, which an idle gateway does not do, and when a thread ends. So this
/// starts a thread that ends at once. Where the system refuses a thread, the memory stays for later use.
fn give_back() {
    let thread = std::thread::Builder::new()
        .name("give-back".to_owned())
        .spawn(|| {});
    let _ = thread.map(std::thread::JoinHandle::join);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_memory_is_given_back_once() {
        let mut retired_snapshots = RetiredSnapshots::new();
        assert_eq!(retired_snapshots.pause(), Some(KEPT), "of the start");
        let (used, unused) = (Arc::new(()), Arc::new(()));
        retired_snapshots.retire(Arc::clone(&used));
        retired_snapshots.retire(unused);
        retired_snapshots.clear();
        assert_eq!(
            (retired_snapshots.pause(), retired_snapshots.retired.len()),
            (Some(SWEEP), 1)
        );
        drop(used);
        retired_snapshots.clear();
        assert_eq!(
            (retired_snapshots.pause(), retired_snapshots.retired.len()),
            (Some(KEPT), 0)
        );
        retired_snapshots.clear();
        assert_eq!(retired_snapshots.pause(), None);
        retired_snapshots.after_reading();
        assert_eq!(retired_snapshots.pause(), Some(KEPT));
    }
}
