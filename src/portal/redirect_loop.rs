//! Ends the loop of a browser that is sent to the sign-in page, signs in, and comes back without its session.

/// How long after a sign-in it is counted, in seconds.
const WINDOW: u64 = 60;

/// How often is too often.
const LIMIT: u32 = 3;

/// A recent sign-in, and how often the browser has come back without its session. A cookie holds it, so the browser may
/// change it: it decides only which page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RedirectLoopGuard {
    since: u64,
    returns: u32,
}

impl RedirectLoopGuard {
    /// Reads the cookie of a browser; `None` where it signed in longer ago than a minute, or not at all.
    pub(super) fn read(value: Option<&str>, now: u64) -> Option<Self> {
        let (since, returns) = value?.split_once('.')?;
        let guard = Self {
            since: since.parse().ok()?,
            returns: returns.parse().ok()?,
        };
        (guard.since <= now && now - guard.since < WINDOW).then_some(guard)
    }

    /// The guard after a sign-in: the minute begins anew, the returns stay.
    pub(super) fn signed_in(before: Option<Self>, now: u64) -> Self {
        Self {
            since: now,
            returns: before.map_or(0, |before| before.returns),
        }
    }

    /// The guard after one more return; `None`: that was one too many.
    pub(super) fn came_back(self) -> Option<Self> {
        let returns = self.returns.saturating_add(1);
        (returns < LIMIT).then_some(Self { returns, ..self })
    }

    /// The guard after a sign-in with a provider has begun anew by itself; `None`: that was one too many.
    pub(super) fn began_anew(before: Option<Self>, now: u64) -> Option<Self> {
        let before = before.unwrap_or(Self {
            since: now,
            returns: 0,
        });
        before.came_back()
    }

    /// The cookie's value, and for how many seconds it is kept.
    pub(super) fn written(self, now: u64) -> (String, u64) {
        (
            format!("{}.{}", self.since, self.returns),
            (self.since + WINDOW).saturating_sub(now),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_return_within_a_minute_is_one_too_many() {
        let guard = RedirectLoopGuard::signed_in(None, 1000);
        assert_eq!(guard.written(1000), ("1000.0".to_owned(), 60));
        let guard = RedirectLoopGuard::read(Some("1000.0"), 1010)
            .unwrap()
            .came_back()
            .unwrap();
        assert_eq!(guard.written(1010), ("1000.1".to_owned(), 50));
        let guard =
            RedirectLoopGuard::signed_in(RedirectLoopGuard::read(Some("1000.1"), 1030), 1030);
        assert_eq!(guard.written(1030), ("1030.1".to_owned(), 60));
        let guard = RedirectLoopGuard::read(Some("1030.1"), 1031)
            .unwrap()
            .came_back()
            .unwrap();
        assert_eq!(guard.came_back(), None);
    }

    #[test]
    fn the_third_sign_in_that_begins_anew_within_a_minute_is_one_too_many() {
        let read = |guard: RedirectLoopGuard, now| {
            RedirectLoopGuard::read(Some(&guard.written(now).0), now)
        };
        let first = RedirectLoopGuard::began_anew(None, 1000).unwrap();
        let second = RedirectLoopGuard::began_anew(read(first, 1020), 1020).unwrap();
        assert_eq!(
            RedirectLoopGuard::began_anew(read(second, 1059), 1059),
            None
        );
        assert!(RedirectLoopGuard::began_anew(read(second, 1060), 1060).is_some());
    }

    #[test]
    fn what_is_old_or_made_up_does_not_count() {
        for value in [
            "",
            "1000",
            "1000.",
            ".1",
            "a.b",
            "999.0",
            "1060.0",
            "1000.-1",
            "99999999999999999999.0",
        ] {
            assert_eq!(RedirectLoopGuard::read(Some(value), 1059), None, "{value}");
        }
        assert_eq!(RedirectLoopGuard::read(None, 1059), None);
        assert!(
            RedirectLoopGuard::read(Some("1000.4294967295"), 1059)
                .is_some_and(|guard| guard.came_back().is_none())
        );
    }
}
