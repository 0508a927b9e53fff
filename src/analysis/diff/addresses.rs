//! Classes of client addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::change::AddressClass;
use crate::access::lies_in;

/// One address for each class of addresses that these networks distinguish; no address without networks.
///
/// Two networks are nested or disjoint. A network without those nested in it begins or ends at one of its own ends, or
/// next to a nested one. So the first and last addresses of all networks, and the addresses next to them, contain one
/// of every class.
pub(super) fn classes(networks: &BTreeSet<IpNet>) -> Vec<(Option<IpAddr>, AddressClass)> {
    if networks.is_empty() {
        return vec![(None, AddressClass::Anywhere)];
    }
    let fixed = [
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    ];
    let mut seen = BTreeSet::new();
    let mut classes = Vec::new();
    for address in networks.iter().flat_map(around).chain(fixed) {
        let within: Vec<bool> = networks
            .iter()
            .map(|network| lies_in(address, network))
            .collect();
        if seen.insert(within) {
            classes.push((Some(address), class_of(address, networks)));
        }
    }
    classes
}

/// The class of an address among these networks.
pub(super) fn class_of(address: IpAddr, networks: &BTreeSet<IpNet>) -> AddressClass {
    let around = networks.iter().filter(|network| lies_in(address, network));
    around
        .max_by_key(|network| length(network))
        .map_or(AddressClass::Elsewhere, |network| {
            AddressClass::In(*network)
        })
}

/// The prefix length as of an IPv6 network, so that IPv4-mapped networks compare with IPv4.
fn length(network: &IpNet) -> u8 {
    match network {
        IpNet::V4(network) => network.prefix_len() + 96,
        IpNet::V6(network) => network.prefix_len(),
    }
}

/// The first and last address of a network, and the addresses next to them.
fn around(network: &IpNet) -> Vec<IpAddr> {
    match (network.network(), network.broadcast()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (u32::from(first), u32::from(last));
            let all = [
                Some(first),
                Some(last),
                first.checked_sub(1),
                last.checked_add(1),
            ];
            all.into_iter()
                .flatten()
                .map(|address| Ipv4Addr::from(address).into())
                .collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = (u128::from(first), u128::from(last));
            let all = [
                Some(first),
                Some(last),
                first.checked_sub(1),
                last.checked_add(1),
            ];
            all.into_iter()
                .flatten()
                .map(|address| IpAddr::V6(Ipv6Addr::from(address)).to_canonical())
                .collect()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_an_address() {
        let networks = [
            "10.0.0.0/8",
            "10.0.0.0/16",
            "10.255.255.255/32",
            "2001:db8::/32",
        ];
        let networks: BTreeSet<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let found: BTreeSet<String> = classes(&networks)
            .iter()
            .map(|(_, class)| class.to_string())
            .collect();
        let expected = [
            "10.0.0.0/16",
            "10.0.0.0/8",
            "10.255.255.255/32",
            "2001:db8::/32",
            "elsewhere",
        ];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_network_that_is_filled_by_those_inside_it_has_no_class() {
        let networks = ["10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"];
        let networks: BTreeSet<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        assert!(
            classes(&networks)
                .iter()
                .all(|(_, class)| class.to_string() != "10.0.0.0/8")
        );
    }

    #[test]
    fn mapped_networks_are_those_they_map() {
        let networks = ["10.0.0.0/8", "::ffff:10.1.0.0/112", "::/0"];
        let networks: BTreeSet<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let found: BTreeSet<String> = classes(&networks)
            .iter()
            .map(|(_, class)| class.to_string())
            .collect();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["10.0.0.0/8", "::/0", "::ffff:10.1.0.0/112", "elsewhere"]
        );
    }
}
