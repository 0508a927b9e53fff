//! A value that one thread changes and every worker reads: while nothing changes, a look costs one load and no lock.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The value. A change makes a new one.
pub(super) struct Published<T> {
    current: RwLock<Arc<T>>,
    generation: AtomicU64,
}

/// One worker's view.
pub(super) struct PublishedView<T> {
    shared: Arc<Published<T>>,
    generation: Cell<u64>,
    pinned: RefCell<Arc<T>>,
}

impl<T: Clone> Published<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            current: RwLock::new(Arc::new(value)),
            generation: AtomicU64::new(0),
        }
    }

    /// A view for one thread.
    pub(super) fn view(self: &Arc<Self>) -> PublishedView<T> {
        // the generation is read first: a state that is newer than it says is only looked at once more
        let generation = Cell::new(self.generation());
        PublishedView {
            shared: Arc::clone(self),
            generation,
            pinned: RefCell::new(self.pin()),
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut T)) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut value = T::clone(&current);
        change(&mut value);
        *current = Arc::new(value);
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(super) fn pin(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

impl<T: Clone> PublishedView<T> {
    /// Looks at the value as it is now.
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let generation = self.shared.generation();
        if self.generation.replace(generation) != generation {
            *self.pinned.borrow_mut() = self.shared.pin();
        }
        look(&self.pinned.borrow())
    }
}
