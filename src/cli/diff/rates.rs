//! Rates that change. They take nobody's rights, and are said in words.

use std::collections::BTreeMap;

use crate::config::Service;
use crate::rates::Rate;

/// What becomes of the rates of a service, one sentence each.
pub(super) fn changes(old: &Service, new: &Service) -> Vec<String> {
    let (before, after) = (by_place(old), by_place(new));
    let mut places: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
    places.sort_unstable();
    places.dedup();
    let change = |place: &str| {
        let of = match place {
            "" => String::new(),
            rule => format!("the rule `{rule}` "),
        };
        Some(match (before.get(place), after.get(place)) {
            (None, Some(now)) => format!("{of}has a rate now: {now}"),
            (Some(then), None) => format!("{of}has no rate any more: before, {then}"),
            (Some(then), Some(now)) if then != now => {
                format!("{of}has another rate: {now}; before, {then}")
            }
            (None | Some(_), None | Some(_)) => return None,
        })
    };
    places.into_iter().filter_map(change).collect()
}

/// By the rule's name; the service's own has none.
fn by_place(service: &Service) -> BTreeMap<&str, Rate> {
    let rules = service.policy.rules().iter().zip(&service.rates.rules);
    let rules = rules.filter_map(|(rule, rate)| Some((&*rule.name, (*rate)?)));
    let own = service.rates.service.map(|rate| ("", rate));
    own.into_iter().chain(rules).collect()
}
