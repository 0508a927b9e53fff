//! Classes of hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::super::unused_names::UnusedNames;
use super::super::view::{ConfigurationView, ServicePolicyView};
use super::change::HostClass;

/// Hosts for which both configurations try the same services in the same order.
#[derive(Debug)]
pub(super) struct HostGroup {
    pub(super) classes: BTreeSet<HostClass>,
    /// A representative host.
    pub(super) host: Box<str>,
    /// The services of the old configuration that are tried.
    pub(super) old: Vec<usize>,
    /// The services of the new one.
    pub(super) new: Vec<usize>,
}

/// How specific the host pattern of a service is; lesser ranks are tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Exact,
    /// A wildcard; the longer its parent, the lesser the value.
    Below(usize),
    Any,
}

/// All hosts, in groups.
pub(super) fn classes(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
    unused: &UnusedNames,
) -> Vec<HostGroup> {
    let named = old
        .services
        .iter()
        .chain(&new.services)
        .flat_map(|service| service.hosts);
    let named = named.map(|host| match host.parent() {
        Some(parent) => HostClass::Below(parent.into()),
        None => HostClass::Exact(host.to_string().into()),
    });
    let classes: BTreeSet<HostClass> = named.chain([HostClass::Other]).collect();
    let mut groups = BTreeMap::<(Vec<Vec<usize>>, Vec<Vec<usize>>), HostGroup>::new();
    for class in classes {
        let host = witness(&class, unused);
        let (before, after) = (services_tried(old, &host), services_tried(new, &host));
        let flat = |ranks: &[Vec<usize>]| ranks.concat();
        let group = HostGroup {
            classes: BTreeSet::new(),
            host,
            old: flat(&before),
            new: flat(&after),
        };
        groups
            .entry((before, after))
            .or_insert(group)
            .classes
            .insert(class);
    }
    groups.into_values().collect()
}

fn witness(class: &HostClass, unused: &UnusedNames) -> Box<str> {
    match class {
        HostClass::Exact(host) => host.clone(),
        HostClass::Below(parent) => unused.host_below(parent).into(),
        HostClass::Other => unused.host().into(),
    }
}

/// The services that are tried for a host, most specific first, grouped by rank.
fn services_tried(view: &ConfigurationView<'_>, host: &str) -> Vec<Vec<usize>> {
    let mut ranks = BTreeMap::<Rank, Vec<usize>>::new();
    for (index, service) in view.services.iter().enumerate() {
        for rank in ranks_of(service, host) {
            ranks.entry(rank).or_default().push(index);
        }
    }
    ranks.into_values().collect()
}

fn ranks_of(service: &ServicePolicyView<'_>, host: &str) -> BTreeSet<Rank> {
    if service.hosts.is_empty() {
        return BTreeSet::from([Rank::Any]);
    }
    let covering = service.hosts.iter().filter(|pattern| pattern.covers(host));
    covering
        .map(|pattern| {
            pattern
                .parent()
                .map_or(Rank::Exact, |parent| Rank::Below(usize::MAX - parent.len()))
        })
        .collect()
}
