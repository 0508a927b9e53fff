//! Single steps.

use std::time::Duration;

use super::*;
use crate::ambient;

const LIMITS: AttemptLimits = AttemptLimits {
    attempts: 5,
    window: Duration::from_secs(120),
    lockout: Duration::from_secs(300),
};

fn attempts() -> LoginThrottle {
    LoginThrottle::new(&ambient::hash_state())
}

fn attempt(name: &str, network: u32) -> LoginAttempt {
    LoginAttempt {
        account: Account::named(name),
        network: Network::V4(network.to_be_bytes()),
        device: None,
    }
}

fn record(
    attempts: &mut LoginThrottle,
    attempt: &LoginAttempt,
    admission: Admission,
    result: PasswordResult,
    now: u64,
) -> Result<(), Throttled> {
    let record = RecordAttempt {
        attempt: *attempt,
        admission,
        result,
        limits: LIMITS,
        now,
    };
    attempts.record(&record, &mut ThrottleUpdate::default())
}

/// Tries a wrong password: why it was looked at, or the first refusal.
fn fail(
    attempts: &mut LoginThrottle,
    attempt: &LoginAttempt,
    now: u64,
) -> Result<Admission, Throttled> {
    let admission = attempts.check(attempt, now)?;
    record(attempts, attempt, admission, PasswordResult::Incorrect, now)?;
    Ok(admission)
}

const OPEN: Result<Admission, Throttled> = Ok(Admission::Ordinary);
const TURN: Result<Admission, Throttled> = Ok(Admission::Turn);

fn held(millis: u64) -> Result<Admission, Throttled> {
    Err(Throttled { millis })
}

#[test]
fn five_failures_hold_the_pair_and_nobody_else() {
    let mut attempts = attempts();
    let rita = attempt("rita", 1);
    for now in [0, 1000, 2000, 3000, 4000] {
        assert_eq!(fail(&mut attempts, &rita, now), OPEN, "{now}");
    }
    assert_eq!(attempts.check(&rita, 5000), held(299_000));
    assert_eq!(
        attempts.check(&rita, 303_999),
        held(1),
        "tries in between prolong nothing"
    );
    assert_eq!(attempts.check(&attempt("rita", 2), 5000), OPEN);
    assert_eq!(attempts.check(&attempt("carl", 1), 5000), OPEN);
    assert_eq!(attempts.check(&rita, 304_000), OPEN);
}

#[test]
fn a_success_clears_the_pair() {
    let mut attempts = attempts();
    let rita = attempt("rita", 1);
    for round in 0..3 {
        for now in 0..4 {
            assert_eq!(fail(&mut attempts, &rita, round * 10 + now), OPEN);
        }
        let now = round * 10 + 5;
        let recorded = record(
            &mut attempts,
            &rita,
            Admission::Ordinary,
            PasswordResult::Correct,
            now,
        );
        assert_eq!(recorded, Ok(()));
    }
}

#[test]
fn guesses_at_once_are_not_more_than_guesses_in_turn() {
    let mut attempts = attempts();
    let rita = attempt("rita", 1);
    for _ in 0..100 {
        assert_eq!(attempts.check(&rita, 0), OPEN);
    }
    let settle = |attempts: &mut LoginThrottle, result| {
        record(attempts, &rita, Admission::Ordinary, result, 1)
    };
    for _ in 0..5 {
        assert_eq!(settle(&mut attempts, PasswordResult::Incorrect), Ok(()));
    }
    for result in [PasswordResult::Incorrect, PasswordResult::Correct] {
        let throttled = Err(Throttled { millis: 300_000 });
        assert_eq!(settle(&mut attempts, result), throttled, "{result:?}");
    }
}

#[test]
fn fifty_failures_hold_a_network_over_all_accounts() {
    let mut attempts = attempts();
    for name in 0..50 {
        assert_eq!(
            fail(&mut attempts, &attempt(&name.to_string(), 1), 0),
            OPEN,
            "{name}"
        );
    }
    assert_eq!(attempts.check(&attempt("rita", 1), 1), held(299_999));
    assert_eq!(attempts.check(&attempt("rita", 2), 1), OPEN);
    attempts.lift(&Subject::Network(Network::V4(1_u32.to_be_bytes())));
    assert_eq!(attempts.check(&attempt("rita", 1), 1), OPEN);
}

#[test]
fn a_hundred_failures_slow_an_account_and_lock_nobody_out() {
    let mut attempts = attempts();
    for network in 0..100 {
        assert_eq!(
            fail(&mut attempts, &attempt("rita", network), 0),
            OPEN,
            "{network}"
        );
    }
    let rita = attempt("rita", 1000);
    assert_eq!(attempts.check(&rita, 500), held(500));
    assert_eq!(attempts.check(&rita, 1000), TURN);
    assert_eq!(attempts.check(&rita, 1001), held(999));
    assert_eq!(attempts.check(&attempt("carl", 1000), 1001), OPEN);
    let recorded = record(
        &mut attempts,
        &rita,
        Admission::Turn,
        PasswordResult::Correct,
        1002,
    );
    assert_eq!(recorded, Ok(()));
    assert_eq!(
        attempts.check(&rita, 1003),
        Ok(Admission::KnownNetwork),
        "it is known from now on"
    );
    assert_eq!(attempts.check(&rita, 300_000), OPEN);
}

#[test]
fn without_room_only_the_noisy_networks_are_held() {
    let mut attempts = LoginThrottle::within(
        Room {
            counting: 1000,
            held: 20,
        },
        &ambient::hash_state(),
    );
    for network in 0..20 {
        for _ in 0..5 {
            assert_eq!(
                fail(&mut attempts, &attempt("rita", network << 16), 0),
                OPEN
            );
        }
    }
    // the pairs are full: a further pair is not held, but its network is after as many failures
    let noisy = 77 << 16;
    for _ in 0..4 {
        assert_eq!(fail(&mut attempts, &attempt("carl", noisy), 1), OPEN);
    }
    for _ in 0..5 {
        let _ = fail(&mut attempts, &attempt("carl", noisy), 1);
    }
    assert_ne!(attempts.check(&attempt("anybody", noisy), 2), OPEN);
    assert_eq!(attempts.check(&attempt("anybody", 78 << 16), 2), OPEN);
    assert_ne!(
        attempts.check(&attempt("rita", 0), 2),
        OPEN,
        "no hold was pushed out"
    );
    assert_eq!(attempts.check(&attempt("carl", 0), 2), OPEN);
}

fn slowed() -> LoginThrottle {
    let mut attempts = attempts();
    for network in 0..100 {
        assert_eq!(
            fail(&mut attempts, &attempt("rita", network << 16), 0),
            OPEN
        );
    }
    attempts
}

const BROWSER: DeviceId = DeviceId::from_bytes([7; 16]);

fn with_browser(network: u32) -> LoginAttempt {
    LoginAttempt {
        device: Some(BROWSER),
        ..attempt("rita", network)
    }
}

#[test]
fn a_turn_that_failed_makes_room_for_other_sites() {
    let mut attempts = slowed();
    let (one, neighbour, other) = (0xC000_0201, 0xC000_0202, 0xC633_6401);
    assert_eq!(fail(&mut attempts, &attempt("rita", one), 1000), TURN);
    for network in [one, neighbour] {
        let rita = attempt("rita", network);
        assert_eq!(attempts.check(&rita, 2000), held(59_000), "{network}");
    }
    assert_eq!(attempts.check(&attempt("carl", neighbour), 2000), OPEN);
    assert_eq!(attempts.check(&attempt("rita", other), 2000), TURN);
    assert_eq!(attempts.check(&attempt("rita", one), 61_000), TURN);
}

#[test]
fn a_device_cookie_stands_above_the_turns_and_below_the_lockouts() {
    let mut attempts = slowed();
    let known = Ok(Admission::KnownDevice);
    for now in 1000..1004 {
        assert_eq!(attempts.check(&with_browser(1), now), known);
    }
    let browser = |number| LoginAttempt {
        device: Some(DeviceId::from_bytes([number; 16])),
        ..attempt("rita", 1)
    };
    for number in 0..5 {
        assert_eq!(fail(&mut attempts, &browser(number), 1004), known);
    }
    assert_eq!(attempts.check(&browser(5), 1005), held(299_999), "the pair");
    for name in 0..45 {
        let other = attempt(&name.to_string(), 1);
        assert_eq!(fail(&mut attempts, &other, 1005), OPEN, "{name}");
    }
    let carl = LoginAttempt {
        device: Some(BROWSER),
        ..attempt("carl", 1)
    };
    assert_eq!(attempts.check(&carl, 1005), held(300_000), "the network");
}

#[test]
fn a_known_network_stands_above_the_turns_and_below_the_lockouts() {
    let mut attempts = attempts();
    let home = attempt("rita", 1);
    let correct = PasswordResult::Correct;
    let recorded = record(&mut attempts, &home, Admission::Ordinary, correct, 0);
    assert_eq!(recorded, Ok(()));
    for network in 2..102 {
        let rita = attempt("rita", network << 16);
        assert_eq!(fail(&mut attempts, &rita, 0), OPEN, "{network}");
    }
    for _ in 0..5 {
        assert_eq!(fail(&mut attempts, &home, 1), Ok(Admission::KnownNetwork));
    }
    assert_eq!(attempts.check(&home, 2), held(299_999));
    // a neighbour of the network is unknown, and so is the network to other accounts
    assert_eq!(attempts.check(&attempt("rita", 2), 2), held(998));
}

#[test]
fn five_failures_with_a_device_cookie_make_it_count_for_nothing() {
    let mut attempts = slowed();
    for network in 200..205 {
        let known = Ok(Admission::KnownDevice);
        let rita = with_browser(network << 16);
        assert_eq!(fail(&mut attempts, &rita, 500), known, "{network}");
    }
    let unknown = attempts.check(&with_browser(300 << 16), 501);
    assert_eq!(unknown, held(499), "as without one");
    // what was admitted before counts for nothing either
    for result in [PasswordResult::Incorrect, PasswordResult::Correct] {
        let rita = with_browser(301 << 16);
        let recorded = record(&mut attempts, &rita, Admission::KnownDevice, result, 501);
        assert_eq!(recorded, Err(Throttled { millis: 299_999 }), "{result:?}");
    }
    let later = attempts.check(&with_browser(302 << 16), 300_500);
    assert_eq!(later, Ok(Admission::KnownDevice));
}

#[test]
fn failures_with_a_device_cookie_do_not_slow_the_account() {
    let mut attempts = attempts();
    for network in 0..200 {
        let device = Some(DeviceId::from_bytes(
            [u8::try_from(network / 4).unwrap(); 16],
        ));
        let rita = LoginAttempt {
            device,
            ..attempt("rita", network << 16)
        };
        assert_eq!(fail(&mut attempts, &rita, 0), Ok(Admission::KnownDevice));
    }
    assert_eq!(attempts.check(&attempt("rita", 999 << 16), 1), OPEN);
}
