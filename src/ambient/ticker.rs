//! One coarse ticker a worker: deadlines that cost a cell write to move, where a timer each would cost a
//! thousand instructions a request.
//!
//! Everything here belongs to one thread. A deadline is met up to one [`TICK`] late.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::memory;

/// How coarse deadlines are.
pub const TICK: Duration = Duration::from_millis(100);

const TICKS_A_SECOND: u64 = 10;

/// How often freed memory is given back.
const GIVE_BACK_EVERY: u64 = TICKS_A_SECOND / 2;

/// How long the ticker goes on without a deadline: the allocator keeps what has been free for less than a second.
const LINGER: u64 = 2 * TICKS_A_SECOND;

/// A deadline that is not armed.
const NEVER: u64 = u64::MAX;

/// Hands out deadlines and lets them pass. Clones share one clock.
#[derive(Clone, Default)]
pub struct Ticker {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Ticks since the start. It stands still where nothing was armed for a while.
    now: Cell<u64>,
    armed: Cell<usize>,
    asleep: Cell<bool>,
    wake: Notify,
    slots: RefCell<Slab<Rc<Slot>>>,
}

struct Slot {
    due: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

/// A point in time that can be moved for next to nothing, and waited for by one task.
pub struct Deadline {
    shared: Rc<Shared>,
    slot: Rc<Slot>,
    key: usize,
}

impl Ticker {
    /// A ticker that stands still until [`Ticker::run`] is polled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new deadline, not armed.
    pub fn deadline(&self) -> Deadline {
        let slot = Rc::new(Slot {
            due: Cell::new(NEVER),
            waker: RefCell::new(None),
        });
        let key = self.shared.slots.borrow_mut().insert(Rc::clone(&slot));
        Deadline {
            shared: Rc::clone(&self.shared),
            slot,
            key,
        }
    }

    /// Wakes every task that waits for a deadline, so that it looks at what else has changed.
    pub fn wake_all(&self) {
        for (_, slot) in self.shared.slots.borrow().iter() {
            if let Some(waker) = slot.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// Lets time pass, for ever, and gives freed memory back. It sleeps without any timer where no deadline was armed for a
    /// while.
    pub async fn run(self) {
        let mut last = Instant::now();
        let (mut given_back, mut armed_at) = (0, 0);
        loop {
            if self.shared.armed.get() > 0 {
                armed_at = self.ticks();
            } else if self.ticks() > armed_at + LINGER {
                self.shared.asleep.set(true);
                self.shared.wake.notified().await;
                self.shared.asleep.set(false);
                last = Instant::now();
            }
            // each tick is as long as the next, however busy the thread is: ages are told in ticks as well
            tokio::time::sleep_until(last + TICK).await;
            let ticks = last.elapsed().as_millis() / TICK.as_millis();
            let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(1);
            last += TICK * ticks;
            self.shared.advance(u64::from(ticks));
            if self.ticks() >= given_back + GIVE_BACK_EVERY {
                given_back = self.ticks();
                memory::give_back();
            }
        }
    }

    /// How many ticks have passed. It stands still where nothing was armed for a while.
    pub fn ticks(&self) -> u64 {
        self.shared.now.get()
    }
}

impl Shared {
    fn advance(&self, ticks: u64) {
        let now = self.now.get() + ticks;
        self.now.set(now);
        for (_, slot) in self.slots.borrow().iter() {
            if slot.due.get() <= now
                && let Some(waker) = slot.waker.borrow_mut().take()
            {
                waker.wake();
            }
        }
    }

    fn arm_one(&self) {
        self.armed.set(self.armed.get() + 1);
        if self.asleep.get() {
            self.wake.notify_one();
        }
    }

    fn disarm_one(&self) {
        self.armed.set(self.armed.get() - 1);
    }
}

impl Deadline {
    /// Moves the deadline to this long from now, whether or not it was armed.
    pub fn arm(&self, after: Duration) {
        // without the division of 128 bits of `Duration::as_millis`: each request moves several
        let whole = after.as_secs().saturating_mul(TICKS_A_SECOND);
        let part = after.subsec_nanos().div_ceil(TICK.subsec_nanos());
        let ticks = whole.saturating_add(u64::from(part));
        // one more: the present tick has partly passed
        let due = self
            .shared
            .now
            .get()
            .saturating_add(ticks)
            .saturating_add(1);
        if self.slot.due.replace(due.min(NEVER - 1)) == NEVER {
            self.shared.arm_one();
        }
    }

    /// Takes the deadline away.
    pub fn disarm(&self) {
        if self.slot.due.replace(NEVER) != NEVER {
            self.shared.disarm_one();
        }
    }

    /// Whether it is armed.
    pub fn is_armed(&self) -> bool {
        self.slot.due.get() != NEVER
    }

    /// Ready once the armed deadline has passed; stays ready until it is moved.
    pub fn poll_passed(&self, cx: &Context<'_>) -> Poll<()> {
        if self.slot.due.get() <= self.shared.now.get() {
            return Poll::Ready(());
        }
        let mut waker = self.slot.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Waits until the deadline has passed; for ever while it is not armed.
    pub async fn passed(&self) {
        poll_fn(|cx| self.poll_passed(cx)).await;
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.disarm();
        self.shared.slots.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(deadline: &Deadline) -> bool {
        deadline
            .poll_passed(&Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn a_deadline_passes_when_its_ticks_have_passed_and_not_before() {
        let ticker = Ticker::new();
        let deadline = ticker.deadline();
        assert!(!passes(&deadline), "not armed");
        deadline.arm(TICK * 2);
        for _ in 0..2 {
            ticker.shared.advance(1);
            assert!(!passes(&deadline));
        }
        ticker.shared.advance(1);
        assert!(passes(&deadline));
        deadline.disarm();
        assert!(!passes(&deadline));
        assert_eq!(ticker.shared.armed.get(), 0);
    }

    #[test]
    fn a_dropped_deadline_leaves_nothing_behind() {
        let ticker = Ticker::new();
        let deadline = ticker.deadline();
        deadline.arm(Duration::MAX);
        assert_eq!(ticker.shared.armed.get(), 1);
        drop(deadline);
        assert_eq!(ticker.shared.armed.get(), 0);
        assert!(ticker.shared.slots.borrow().is_empty());
    }

    #[test]
    fn the_ticker_wakes_up_for_the_first_deadline() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let ticker = Ticker::new();
            ticker.shared.now.set(LINGER + 1);
            tokio::task::spawn_local(ticker.clone().run());
            tokio::task::yield_now().await;
            assert!(ticker.shared.asleep.get());
            let deadline = ticker.deadline();
            deadline.arm(Duration::from_millis(1));
            deadline.passed().await;
        });
    }
}
