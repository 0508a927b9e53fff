//! For how long the connections to a server may rest between two requests.

use std::cell::Cell;
use std::time::Duration;

use crate::ambient::{Deadline, TICK};

/// How much earlier than a server closes a connection that rests, it is not used any more: a request that crosses the close
/// on its way is lost, and only some may be sent again.
pub(super) const MARGIN: Duration = Duration::from_secs(1);

/// What every server is taken to hold at first, in ticks.
const AT_FIRST: u64 = 10;

/// The longest rest after which a connection to the server was seen to be open. Servers close connections at a certain age
/// of their rest, most of them without a word. Which one that is shows by the connections themselves, used or not: those
/// that rest on prove it longer, one that is closed earlier proves it shorter.
#[derive(Debug)]
pub(super) struct ProvenRest {
    /// In ticks.
    held: Cell<u64>,
    /// Whether the server has closed a connection earlier than it had announced.
    announced_too_much: Cell<bool>,
}

/// The rest of one connection.
pub(super) struct Rest {
    /// Passes when it has been unused for too long.
    pub(super) unused: Deadline,
    /// At which tick it began.
    pub(super) since: Cell<u64>,
    /// For how long the server has announced to hold it, less [`MARGIN`].
    pub(super) announced: Cell<Option<Duration>>,
    /// Whether it stays with who uses it when hyper has ended: it may leave HTTP, or hyper has no room for the answer's head.
    pub(super) stays: Cell<bool>,
}

impl Rest {
    pub(super) fn new(unused: Deadline) -> Self {
        Self {
            unused,
            since: Cell::new(0),
            announced: Cell::new(None),
            stays: Cell::new(false),
        }
    }
}

impl Default for ProvenRest {
    fn default() -> Self {
        Self {
            held: Cell::new(AT_FIRST),
            announced_too_much: Cell::new(false),
        }
    }
}

impl ProvenRest {
    /// Whether a connection of this rest, in ticks, may be used. `announced`: what the server has announced for it, less
    /// [`MARGIN`].
    pub(super) fn allows(&self, age: u64, announced: Option<Duration>) -> bool {
        let proven = age <= self.limit();
        match announced {
            Some(limit) if !self.announced_too_much.get() => ticks(limit) > age,
            Some(limit) => ticks(limit) > age && proven,
            None => proven,
        }
    }

    fn limit(&self) -> u64 {
        let (held, margin) = (self.held.get(), ticks(MARGIN));
        held.saturating_sub(margin).max(held.min(2 * margin) / 2)
    }

    /// A connection is open after this rest.
    pub(super) fn survived(&self, age: u64) {
        if age > self.held.get() {
            self.held.set(age);
        }
    }

    /// The server has closed a connection after this rest. One that is closed right behind its answer says nothing of rests.
    pub(super) fn closed(&self, age: u64, announced: Option<Duration>) {
        if age > 0 {
            self.held.set(self.held.get().min(age));
            if announced.is_some_and(|limit| age < ticks(limit)) {
                self.announced_too_much.set(true);
            }
        }
    }
}

fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest rest that is allowed, in ticks.
    fn longest(rest: &ProvenRest) -> u64 {
        (0..10_000)
            .take_while(|age| rest.allows(*age, None))
            .last()
            .unwrap()
    }

    #[test]
    fn a_rest_is_as_long_as_it_is_proven_less_a_margin() {
        let rest = ProvenRest::default();
        assert_eq!(longest(&rest), 5);
        // connections that rest on show that the server holds them, and one that it closes shows for how long
        for age in [5, 20, 49] {
            rest.survived(age);
        }
        rest.closed(50, None);
        assert_eq!(longest(&rest), 39);
        // the server changes, either way
        rest.closed(20, None);
        assert_eq!(longest(&rest), 10);
        rest.closed(2, None);
        assert_eq!(longest(&rest), 1);
        for age in [3, 30, 750] {
            rest.survived(age);
        }
        assert_eq!(longest(&rest), 740);
        rest.closed(0, None);
        assert_eq!(longest(&rest), 740, "it does not keep connections at all");
    }

    #[test]
    fn what_is_announced_counts_until_it_proves_wrong() {
        let rest = ProvenRest::default();
        let announced = Some(Duration::from_secs(4));
        assert!(rest.allows(39, announced) && !rest.allows(40, announced));
        rest.closed(60, announced);
        assert!(rest.allows(39, announced), "it is generous");
        rest.closed(20, announced);
        assert!(rest.allows(5, announced) && !rest.allows(11, announced));
    }
}
