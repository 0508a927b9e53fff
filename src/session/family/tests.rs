//! Families by hand, with thieves and stores that forget.

use super::*;
use crate::session::{ListedSession, RefreshToken};

const TTL: u64 = 1000;
const HOME: Network = Network::V4([192, 0, 2, 1]);
const ELSEWHERE: Network = Network::V4([192, 0, 2, 2]);

impl Family {
    fn step(
        &mut self,
        shown: Digest,
        fresh: Digest,
        network: Network,
        now: u64,
        ttl: u64,
    ) -> Shown {
        self.exchange(&Exchange {
            shown,
            stamp: None,
            fresh,
            network,
            now,
            ttl,
            spent_since: now.saturating_sub(GRACE),
        })
    }
}

fn token(number: u8) -> Digest {
    RefreshToken::first([0; 16], [number; 32]).digest()
}

fn family() -> Family {
    Family::open("alice".into(), token(0), 0, TTL)
}

#[test]
fn who_vouches_is_kept_and_listed() {
    let id = RefreshToken::first([0; 16], [0; 32]).session();
    let listed = |family: &Family| ListedSession::of_tokens(id, family).provider;
    let mut family = family();
    let written = serde_json::to_string(&family).unwrap();
    assert!(!written.contains("provider"), "{written}");
    assert_eq!(
        listed(&serde_json::from_str(&written).unwrap()),
        None,
        "an earlier version"
    );
    family.provider = Some("ldap".into());
    let written = serde_json::to_string(&family).unwrap();
    let read: Family = serde_json::from_str(&written).unwrap();
    assert_eq!(listed(&read).as_deref(), Some("ldap"));
}

#[test]
fn a_token_is_good_once() {
    let mut family = family();
    assert_eq!(family.step(token(0), token(1), HOME, 100, TTL), Shown::Good);
    assert_eq!(family.step(token(1), token(2), HOME, 200, TTL), Shown::Good);
    for spent in [0, 1, 9] {
        assert_eq!(
            family.step(token(spent), token(3), HOME, 300, TTL),
            Shown::Reused,
            "{spent}"
        );
    }
}

#[test]
fn the_immediate_predecessor_is_good_for_a_moment_and_gives_siblings() {
    let mut family = family();
    assert_eq!(family.step(token(0), token(1), HOME, 100, TTL), Shown::Good);
    assert_eq!(
        family.step(token(0), token(2), HOME, 100 + GRACE, TTL),
        Shown::Good
    );
    // the sibling does not prolong the moment
    assert_eq!(
        family
            .clone()
            .step(token(0), token(3), HOME, 101 + GRACE, TTL),
        Shown::Reused
    );
    // both are good, in any order
    assert_eq!(family.step(token(1), token(4), HOME, 500, TTL), Shown::Good);
    assert_eq!(family.step(token(2), token(5), HOME, 600, TTL), Shown::Good);
    // a grandparent is spent, however short the time
    assert_eq!(family.step(token(4), token(6), HOME, 600, TTL), Shown::Good);
    assert_eq!(
        family.step(token(1), token(7), HOME, 600, TTL),
        Shown::Reused
    );
}

#[test]
fn the_predecessor_is_good_for_the_network_only_that_spent_it() {
    let mut family = family();
    let spend = family.step(token(0), token(1), HOME, 100, TTL);
    assert_eq!(spend, Shown::Good);
    let stolen = family.clone().step(token(0), token(2), ELSEWHERE, 100, TTL);
    assert_eq!(stolen, Shown::Reused);
    // a sibling keeps the network, and an unspent token is good from anywhere
    let sibling = family.step(token(0), token(2), HOME, 101, TTL);
    assert_eq!(sibling, Shown::Good);
    let moved = family.step(token(1), token(3), ELSEWHERE, 102, TTL);
    assert_eq!(moved, Shown::Good);
    for (shown, network, expected) in [
        (0, ELSEWHERE, Shown::Reused),
        (1, HOME, Shown::Reused),
        (0, HOME, Shown::Good),
        (1, ELSEWHERE, Shown::Good),
    ] {
        let became = family
            .clone()
            .step(token(shown), token(4), network, 103, TTL);
        assert_eq!(became, expected, "{shown} from {network:?}");
    }
}

#[test]
fn a_family_of_an_earlier_version_is_read() {
    let mut family = family();
    family.step(token(0), token(1), HOME, 100, TTL);
    let mut value = serde_json::to_value(&family).unwrap();
    let spent = &mut value["lines"][0]["predecessor"];
    assert!(spent.as_object_mut().unwrap().remove("network").is_some());
    let mut family: Family = serde_json::from_value(value).unwrap();
    let sibling = family.step(token(0), token(2), ELSEWHERE, 101, TTL);
    assert_eq!(sibling, Shown::Good);
}

#[test]
fn a_token_expires() {
    let mut family = family();
    assert_eq!(
        family.clone().step(token(0), token(1), HOME, TTL, TTL),
        Shown::Expired
    );
    assert_eq!(
        family.step(token(0), token(1), HOME, TTL - 1, TTL),
        Shown::Good
    );
    assert_eq!(family.expires_at(), 2 * TTL - 1);
}

#[test]
fn siblings_are_bounded() {
    let mut family = family();
    assert_eq!(family.step(token(0), token(1), HOME, 0, TTL), Shown::Good);
    for number in 2..=40 {
        assert_eq!(
            family.step(token(0), token(number), HOME, 1, TTL),
            Shown::Good
        );
    }
    assert_eq!(family.lines.len(), SIBLINGS);
    assert_eq!(family.step(token(40), token(41), HOME, 2, TTL), Shown::Good);
    assert_eq!(
        family.step(token(1), token(42), HOME, 2, TTL),
        Shown::Reused,
        "not used for the longest time"
    );
}

#[test]
fn a_family_is_read_back() {
    let mut family = family();
    family.step(token(0), token(1), HOME, 100, TTL);
    let text = serde_json::to_string(&family).unwrap();
    assert_eq!(serde_json::from_str::<Family>(&text).unwrap(), family);
}

/// A client or a thief: the token it holds, with its number.
#[derive(Clone, Copy)]
struct HolderOf(Digest, Stamp);

/// Shows the token at this minute; each minute's fresh token is another one.
fn show(family: &mut Family, holder: &mut HolderOf, minute: u8) -> Shown {
    let now = u64::from(minute) * 60;
    let HolderOf(shown, stamp) = *holder;
    let fresh = token(minute);
    let became = family.exchange(&Exchange {
        shown,
        stamp: Some(stamp),
        fresh,
        network: HOME,
        now,
        ttl: 100_000,
        spent_since: now.saturating_sub(GRACE),
    });
    if matches!(became, Shown::Good | Shown::Forgotten) {
        let stamp = Stamp {
            generation: family.generation(),
            issued_at: now,
        };
        *holder = HolderOf(fresh, stamp);
    }
    became
}

fn begun() -> (Family, HolderOf) {
    let family = Family::open("alice".into(), token(0), 0, 100_000);
    let stamp = Stamp {
        generation: 1,
        issued_at: 0,
    };
    (family, HolderOf(token(0), stamp))
}

/// The store goes back by so many exchanges as it likes, and nobody is taken for a thief.
#[test]
fn a_store_that_has_forgotten_ends_no_session() {
    let (mut family, mut client) = begun();
    let mut past = vec![family.clone()];
    for minute in 1..10 {
        assert_eq!(show(&mut family, &mut client, minute), Shown::Good);
        past.push(family.clone());
    }
    for (back, mut family) in past.into_iter().rev().enumerate() {
        let mut client = client;
        let expected = if back == 0 {
            Shown::Good
        } else {
            Shown::Forgotten
        };
        assert_eq!(
            show(&mut family, &mut client, 20),
            expected,
            "back by {back}"
        );
        assert_eq!(show(&mut family, &mut client, 21), Shown::Good);
    }
}

/// Somebody has stolen the token of any generation. Whatever the store has forgotten, and whoever comes first: two
/// holders of the family do not both go on.
#[test]
fn a_stolen_token_is_found_out_whatever_the_store_has_forgotten() {
    const EXCHANGES: u8 = 6;
    let (mut family, mut client) = begun();
    let (mut past, mut held) = (vec![family.clone()], vec![client]);
    for minute in 1..=EXCHANGES {
        assert_eq!(show(&mut family, &mut client, minute), Shown::Good);
        past.push(family.clone());
        held.push(client);
    }
    for (state, family) in past.iter().enumerate() {
        for (stolen, thief) in held.iter().enumerate() {
            // each bit of the pattern says whose turn it is
            for pattern in 0_u16..1 << 10 {
                let (mut family, mut both) = (family.clone(), [client, *thief]);
                let turn = |step: u8| usize::from(pattern >> step & 1);
                let ended = (0..10).position(|step| {
                    show(&mut family, &mut both[turn(step)], 20 + step) == Shown::Reused
                });
                // from the first turn of the second one on, two more of each side are enough
                let turns = |side| (0..10).filter(move |step| turn(*step) == side).count();
                let alternates = (0..9).filter(|step| turn(*step) != turn(step + 1)).count();
                if turns(0) > 0 && turns(1) > 0 && alternates >= 2 {
                    assert!(
                        ended.is_some(),
                        "stolen {stolen}, the store at {state}, {pattern:b}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_number_that_nobody_signed_and_one_that_is_too_old_do_not_count() {
    let (family, client) = begun();
    let exchange = Exchange {
        shown: token(9),
        stamp: Some(Stamp {
            generation: 7,
            issued_at: 100,
        }),
        fresh: token(10),
        network: HOME,
        now: 200,
        ttl: TTL,
        spent_since: 190,
    };
    let became = |exchange: Exchange| family.clone().exchange(&exchange);
    assert_eq!(became(exchange), Shown::Forgotten);
    let unsigned = Exchange {
        stamp: None,
        ..exchange
    };
    assert_eq!(became(unsigned), Shown::Reused);
    let aged = Exchange {
        now: 100 + TTL,
        ..exchange
    };
    assert_eq!(became(aged), Shown::Expired);
    let same = Exchange {
        stamp: Some(client.1),
        ..exchange
    };
    assert_eq!(became(same), Shown::Reused);
}
