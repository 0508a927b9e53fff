//! Memory that was freed, and the system.

use std::hint::black_box;

/// More than the largest object of which mimalloc keeps an empty page (512 KiB): it gets a page of its own, which is freed with it.
const PAGE_OF_ITS_OWN: usize = 1024 * 1024;

/// Has the allocator give back to the system what was freed more than a second ago.
///
/// mimalloc does that by itself, but only when somebody takes or frees a page. Where all connections wait, or
/// have ended, nobody does, and what their buffers took stays resident. Nothing is written to the page that is taken here.
pub(super) fn give_back() {
    drop(black_box(Vec::<u8>::with_capacity(PAGE_OF_ITS_OWN)));
}
