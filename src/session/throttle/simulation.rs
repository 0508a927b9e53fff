//! An hour of guessing at one account, with time as an argument: how often the attacker guesses, and who else gets in.
//! The numbers are those of the guide.

use super::*;
use crate::ambient;

const HOUR: u64 = 3600 * 1000;

/// An attacker tries once in so many milliseconds.
const PAUSE: u64 = 50;

/// The owner tries as often as this.
const OWNER: u64 = 1300;

const KNOWN_BROWSER: DeviceId = DeviceId::from_bytes([1; 16]);
const KNOWN_NETWORK: Network = Network::V4([192, 0, 2, 1]);

/// Where the owner is.
#[derive(Clone, Copy, Debug)]
enum Owner {
    /// In a browser that is known, in a new network each time.
    Browser,
    /// In a network that is known, without a cookie.
    Home,
    /// In a new network each time, without a cookie.
    Unknown,
}

/// The addresses of an attack.
type Addresses = fn(u64) -> Network;

/// 65,536 networks of one IPv6 /48.
fn one_ipv6_site(number: u64) -> Network {
    let [.., high, low] = number.to_be_bytes();
    Network::V6([0x20, 0x01, 0x0d, 0xb8, 0, 0, high, low])
}

/// Ten addresses of one IPv4 /24.
fn ten_addresses(number: u64) -> Network {
    Network::V4([198, 51, 100, (number % 10) as u8])
}

/// 250 addresses in each of thirty IPv4 /24s.
fn thirty_sites(number: u64) -> Network {
    let (site, host) = (number % 30, number / 30 % 250);
    Network::V4([198, 51, site as u8, host as u8])
}

/// 65,536 IPv4 /24s.
fn botnet(number: u64) -> Network {
    let [.., high, low] = number.to_be_bytes();
    Network::V4([10, high, low, 1])
}

/// What came of an hour.
#[derive(Debug)]
struct Hour {
    /// Passwords of the attacker that were looked at.
    guesses: usize,
    /// Of a hundred tries of the owner, so many got in.
    owner: u64,
}

fn record(
    attempts: &mut LoginThrottle,
    attempt: LoginAttempt,
    admission: Admission,
    result: PasswordResult,
    now: u64,
) -> bool {
    let record = RecordAttempt {
        attempt,
        admission,
        result,
        limits: AttemptLimits::default(),
        now,
    };
    attempts
        .record(&record, &mut ThrottleUpdate::default())
        .is_ok()
}

fn attempt(network: Network, device: Option<DeviceId>) -> LoginAttempt {
    LoginAttempt {
        account: Account::named("rita"),
        network,
        device,
    }
}

fn simulate(owner: Owner, addresses: Addresses) -> Hour {
    let mut attempts = LoginThrottle::new(&ambient::hash_state());
    let home = attempt(KNOWN_NETWORK, None);
    let admission = attempts.check(&home, 0).unwrap();
    let correct = PasswordResult::Correct;
    assert!(record(&mut attempts, home, admission, correct, 0));
    let (mut guesses, mut tries, mut entered) = (0, 0, 0);
    // the account is slowed before the owner comes
    for now in (0..HOUR).step_by(PAUSE as usize) {
        let guess = attempt(addresses(now / PAUSE), None);
        if let Ok(admission) = attempts.check(&guess, now) {
            let wrong = PasswordResult::Incorrect;
            guesses += usize::from(record(&mut attempts, guess, admission, wrong, now));
        }
        let turn = (now / PAUSE).is_multiple_of(OWNER / PAUSE);
        if now < 60_000 || !turn {
            continue;
        }
        tries += 1;
        let [.., a, b] = tries_address(tries);
        let elsewhere = Network::V4([100, a, b, 1]);
        let own = match owner {
            Owner::Browser => attempt(elsewhere, Some(KNOWN_BROWSER)),
            Owner::Home => home,
            Owner::Unknown => attempt(elsewhere, None),
        };
        if let Ok(admission) = attempts.check(&own, now) {
            entered += u64::from(record(&mut attempts, own, admission, correct, now));
        }
    }
    Hour {
        guesses,
        owner: entered * 100 / tries,
    }
}

fn tries_address(tries: u64) -> [u8; 8] {
    tries.to_be_bytes()
}

const ATTACKS: [(&str, Addresses); 4] = [
    ("one IPv6 site", one_ipv6_site),
    ("ten addresses", ten_addresses),
    ("thirty sites", thirty_sites),
    ("botnet", botnet),
];

#[test]
fn the_owner_always_gets_in_from_a_known_browser_and_from_a_known_network() {
    for owner in [Owner::Browser, Owner::Home] {
        for (name, addresses) in ATTACKS {
            let hour = simulate(owner, addresses);
            assert_eq!(hour.owner, 100, "{owner:?} beside {name}: {hour:?}");
        }
    }
}

#[test]
fn an_attacker_guesses_once_a_second_at_the_most() {
    for (name, addresses) in ATTACKS {
        let hour = simulate(Owner::Home, addresses);
        assert!(hour.guesses <= 100 + 3600, "{name}: {hour:?}");
    }
    // each site has one turn a minute
    let hour = simulate(Owner::Home, one_ipv6_site);
    assert!(hour.guesses <= 100 + 61, "{hour:?}");
    let hour = simulate(Owner::Home, thirty_sites);
    assert!(hour.guesses <= 100 + 30 * 61, "{hour:?}");
}

#[test]
fn from_an_unknown_place_the_owner_has_the_turns_that_the_attackers_sites_leave() {
    for (addresses, least) in [
        (one_ipv6_site as Addresses, 95),
        (ten_addresses, 95),
        (thirty_sites, 45),
    ] {
        let hour = simulate(Owner::Unknown, addresses);
        assert!(hour.owner >= least, "{least}: {hour:?}");
    }
    // sixty sites and more can take every turn: this is what the cookie and the known networks are for
    let hour = simulate(Owner::Unknown, botnet);
    assert!(hour.owner < 45, "the guide says more than is so: {hour:?}");
}

#[test]
fn a_stolen_device_cookie_is_good_for_five_guesses_in_five_minutes() {
    let mut attempts = LoginThrottle::new(&ambient::hash_state());
    let mut with_cookie = 0;
    for now in (0..HOUR).step_by(PAUSE as usize) {
        let guess = attempt(botnet(now / PAUSE), Some(KNOWN_BROWSER));
        if let Ok(admission) = attempts.check(&guess, now) {
            let wrong = PasswordResult::Incorrect;
            let counted = record(&mut attempts, guess, admission, wrong, now);
            with_cookie += usize::from(counted && admission == Admission::KnownDevice);
        }
    }
    assert_eq!(with_cookie, 12 * 5);
}
