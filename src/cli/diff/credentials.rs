//! Kinds of credentials that a service accepts, or does not accept any more. The rules stay, but who can show to be somebody
//! changes.

use super::weight::Weight;
use crate::config::Service;

/// What becomes of the kinds, one sentence each.
pub(super) fn changes(old: &Service, new: &Service) -> Vec<(Weight, String)> {
    let (before, after) = (old.credentials, new.credentials);
    let kinds = [
        ("bearer", "tokens and API keys", before.bearer, after.bearer),
        ("cookie", "the session cookie", before.cookie, after.cookie),
        (
            "basic",
            "user names and passwords",
            before.basic,
            after.basic,
        ),
    ];
    let change = |(kind, means, was, is): (&str, &str, bool, bool)| {
        let (weight, now, has) = match (was, is) {
            (false, true) => (Weight::Opens, "now", "has"),
            (true, false) => (Weight::Closes, "no longer", "lacks"),
            (true, true) | (false, false) => return None,
        };
        let says = format!("accepts {means} {now}: `credentials` {has} `{kind}`");
        Some((weight, says))
    };
    kinds.into_iter().filter_map(change).collect()
}
