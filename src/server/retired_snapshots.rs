//! What a reload leaves behind: the former snapshot, and memory that was freed and not given back to the system.

use std::sync::Arc;
use std::time::Duration;

/// How often an old snapshot is looked at, while requests still use it.
const SWEEP: Duration = Duration::from_millis(500);

/// How long freed memory is kept: somewhat longer than the allocator wants to wait before it gives memory back.
const KEPT: Duration = Duration::from_millis(1500);

/// Former snapshots until no request uses them. Whoever lets go last frees them, which takes a while with a hundred
/// thousand users and would make every request of a worker wait; here it is the thread that owns this.
#[derive(Debug)]
pub(super) struct RetiredSnapshots<T> {
    retired: Vec<Arc<T>>,
    memory: Memory,
}

/// Whether much was freed since memory was last given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    GivenBack,
    Kept,
}

impl<T> RetiredSnapshots<T> {
    /// Those of a start: what reading the files took.
    pub(super) fn new() -> Self {
        Self {
            retired: Vec::new(),
            memory: Memory::Kept,
        }
    }

    /// Takes a snapshot that was replaced.
    pub(super) fn retire(&mut self, snapshot: Arc<T>) {
        self.retired.push(snapshot);
    }

    /// Says that files were read, whatever became of it.
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

    /// Frees the snapshots that nobody else uses; when all are gone, gives the memory back.
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

/// The allocator looks at what it has to give back when it is called, and an idle gateway does not call it; but it
/// does so as well when a thread ends. Where the system gives no thread, the memory stays for later use.
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
