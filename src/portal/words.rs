//! Times in the words of the pages.

use std::time::{Duration, UNIX_EPOCH};

use crate::pages::DurationInWords;

/// `2026-11-30 20:46 UTC`: what time it is where the browser is, only a script could say.
pub(super) fn time_in_words(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let stamp = time.map(|time| humantime::format_rfc3339_seconds(time).to_string());
    let stamp = stamp.unwrap_or_default();
    match (stamp.get(..10), stamp.get(11..16)) {
        (Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => stamp,
    }
}

/// `a moment ago`, or `5 minutes ago`.
pub(super) fn ago(then: u64, now: u64) -> String {
    match now.saturating_sub(then) {
        0..60 => "a moment ago".to_owned(),
        seconds => format!("{} ago", DurationInWords(seconds)),
    }
}
