use std::net::Ipv4Addr;

use super::*;

const NAMES: [&str; 4] = ["a:1", "b:1", "c:1", "d:1"];

fn balancer(balance: Balance) -> Balancer {
    Balancer::new(balance, NAMES.into_iter(), 1)
}

fn client(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + number).into()
}

/// How often each server is picked for so many clients.
fn spread(balancer: &Balancer, clients: u32, shares: [f64; 4], loads: [usize; 4]) -> [u32; 4] {
    let mut counts = [0; 4];
    for number in 0..clients {
        let picked = balancer
            .pick(client(number), |index| shares[index], |index| loads[index])
            .unwrap();
        counts[picked] += 1;
    }
    counts
}

#[test]
fn nobody_is_picked_where_nobody_is_there() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::HashClient,
    ] {
        assert_eq!(
            balancer(balance).pick(client(1), |_| 0.0, |_| 0),
            None,
            "{balance:?}"
        );
    }
}

#[test]
fn round_robin_gives_each_the_same() {
    let balancer = balancer(Balance::RoundRobin);
    let first = balancer.pick(client(0), |_| 1.0, |_| 0);
    assert_eq!(first, Some(1), "where it is told to begin");
    let rest = spread(&balancer, 39, [1.0; 4], [0; 4]);
    assert_eq!(rest, [10, 9, 10, 10]);
    assert_eq!(spread(&balancer, 30, [1.0, 0.0, 1.0, 1.0], [0; 4])[1], 0);
}

#[test]
fn round_robin_gives_by_share() {
    let counts = spread(
        &balancer(Balance::RoundRobin),
        310,
        [1.0, 0.1, 1.0, 1.0],
        [0; 4],
    );
    assert_eq!(counts, [100, 10, 100, 100]);
}

#[test]
fn the_least_loaded_is_picked_and_equals_take_turns() {
    let balancer = balancer(Balance::LeastConnections);
    assert_eq!(spread(&balancer, 10, [1.0; 4], [3, 2, 1, 2]), [0, 0, 10, 0]);
    assert_eq!(spread(&balancer, 40, [1.0; 4], [1; 4]), [10; 4]);
    assert_eq!(
        spread(&balancer, 10, [1.0, 1.0, 0.1, 1.0], [3, 2, 1, 9]),
        [0, 10, 0, 0],
        "it returns slowly"
    );
}

#[test]
fn a_client_stays_with_its_server() {
    let balancer = balancer(Balance::HashClient);
    let home = |number, shares: [f64; 4]| {
        balancer
            .pick(client(number), |index| shares[index], |_| 0)
            .unwrap()
    };
    let counts = spread(&balancer, 4_000, [1.0; 4], [0; 4]);
    assert!(
        counts.iter().all(|count| (800..1200).contains(count)),
        "{counts:?}"
    );
    for number in 0..1_000 {
        let before = home(number, [1.0; 4]);
        let without_b = home(number, [1.0, 0.0, 1.0, 1.0]);
        assert!(
            without_b == before || before == 1,
            "only the clients of a lost server move"
        );
        let b_returns = home(number, [1.0, 0.5, 1.0, 1.0]);
        assert!(b_returns == before || b_returns == without_b);
    }
    let mapped = IpAddr::from(Ipv4Addr::new(10, 0, 0, 7).to_ipv6_mapped());
    assert_eq!(
        balancer.pick(mapped, |_| 1.0, |_| 0),
        Some(home(7, [1.0; 4]))
    );
}
