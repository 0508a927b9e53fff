//! Guessing passwords: what is held, for how long, and what is not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::logins::slow_and_quick;
use crate::support::{
    Answer, Connection, Gateway, GatewayBuilder, PASSWORD, Upstream, cookie_of, gateway, get,
    log_in_from, submit, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
";

/// Believes what the loopback addresses say about clients.
pub fn behind_a_proxy(login: &str) -> GatewayBuilder {
    gateway(SERVICES)
        .server("trusted_proxies: [127.0.0.1]")
        .auth(&format!("login: {{ {login} }}"))
}

pub fn statuses(gateway: &Gateway, from: &str, user: &str, passwords: &[&str]) -> Vec<u16> {
    statuses_at(gateway.address, from, user, passwords)
}

fn statuses_at(address: SocketAddr, from: &str, user: &str, passwords: &[&str]) -> Vec<u16> {
    let mut connection = Connection::open(address);
    passwords
        .iter()
        .map(|password| log_in_from(&mut connection, from, user, password).status)
        .collect()
}

/// What an attacker sees, without the date.
fn seen(answer: &Answer) -> String {
    let lines = answer
        .head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
    // counted from the last failure: a slow machine may be a moment late
    let lines = lines.map(|line| {
        if line.starts_with("retry-after: 29") {
            "retry-after: 300"
        } else {
            line
        }
    });
    format!("{}\n{}", lines.collect::<Vec<_>>().join("\n"), answer.body)
}

#[test]
fn five_failures_hold_an_account_from_one_network() {
    let gateway = behind_a_proxy("lockout: 5m").start();
    let five = ["1", "2", "3", "4", "5"];
    assert_eq!(statuses(&gateway, "192.0.2.1", "rita", &five), [401; 5]);
    assert_eq!(
        statuses(&gateway, "192.0.2.1", "rita", &["6", PASSWORD]),
        [429, 429],
        "right or wrong"
    );
    assert_eq!(
        statuses(&gateway, "192.0.2.2", "rita", &[PASSWORD]),
        [200],
        "from elsewhere"
    );
    assert_eq!(
        statuses(&gateway, "192.0.2.1", "carl", &[PASSWORD]),
        [200],
        "somebody else"
    );
    assert_eq!(statuses(&gateway, "2001:db8::1", "rita", &five), [401; 5]);
    assert_eq!(
        statuses(&gateway, "2001:db8::ffff", "rita", &[PASSWORD]),
        [429],
        "a neighbour in the same /64"
    );
    assert_eq!(
        statuses(&gateway, "2001:db8:0:1::1", "rita", &[PASSWORD]),
        [200],
        "another /64"
    );
    assert_eq!(
        gateway.metric(r#"gatelatch_logins_total{outcome="locked_out"}"#),
        3.0
    );
    let mut events = std::iter::repeat_with(|| gateway.named_event("login_failed"));
    let event = events
        .find(|event| event["reason"] == "locked_out")
        .unwrap();
    assert_eq!(
        (&event["client_ip"], &event["user"]),
        (&"192.0.2.1".into(), &"rita".into())
    );
}

#[test]
fn whether_an_account_exists_cannot_be_seen() {
    let gateway = behind_a_proxy("lockout: 5m").start();
    let conversation = |user: &str| {
        let mut connection = Connection::open(gateway.address);
        let answers = (0..6).map(|_| log_in_from(&mut connection, "192.0.2.1", user, "wrong"));
        answers.map(|answer| seen(&answer)).collect::<Vec<_>>()
    };
    let known = conversation("rita");
    assert!(
        known[5].contains("429 Too Many Requests") && known[5].contains("retry-after: 300"),
        "{}",
        known[5]
    );
    assert!(
        known[5].contains("Too many failed attempts"),
        "{}",
        known[5]
    );
    for other in ["nobody", "gone", "rita%00", "Rita"] {
        assert_eq!(conversation(other), known, "{other}");
    }
}

#[test]
fn a_hold_ends_and_a_success_clears_the_count() {
    let gateway = behind_a_proxy("attempts: 2, window: 1m, lockout: 1s").start();
    let from = "192.0.2.1";
    for _ in 0..3 {
        assert_eq!(
            statuses(&gateway, from, "rita", &["wrong", PASSWORD]),
            [401, 200]
        );
    }
    assert_eq!(
        statuses(&gateway, from, "rita", &["wrong", "wrong", PASSWORD]),
        [401, 401, 429]
    );
    until("the end of the hold", || {
        statuses(&gateway, from, "rita", &[PASSWORD]) == [200]
    });
}

#[test]
fn many_names_from_one_network_hold_the_network() {
    let gateway = behind_a_proxy("attempts: 1, lockout: 5m").start();
    for name in 0..10 {
        assert_eq!(
            statuses(&gateway, "192.0.2.1", &format!("name{name}"), &["x"]),
            [401]
        );
    }
    assert_eq!(statuses(&gateway, "192.0.2.1", "rita", &[PASSWORD]), [429]);
    assert_eq!(statuses(&gateway, "192.0.2.2", "rita", &[PASSWORD]), [200]);
}

#[test]
fn many_networks_at_one_account_slow_it_and_do_not_lock_it() {
    let gateway = behind_a_proxy("attempts: 1, lockout: 5m").start();
    for network in 0..20 {
        assert_eq!(
            statuses(&gateway, &format!("192.0.2.{network}"), "rita", &["x"]),
            [401]
        );
    }
    let mut connection = Connection::open(gateway.address);
    let mut refused = 0;
    until("the turn of the one who knows the password", || {
        let answer = log_in_from(&mut connection, "198.51.100.1", "rita", PASSWORD);
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), "1");
            refused += 1;
        }
        answer.status == 200
    });
    assert!(refused > 0);
    assert_eq!(
        statuses(&gateway, "198.51.100.2", "carl", &[PASSWORD]),
        [200],
        "others are not slowed"
    );
}

/// A sign-in of rita's from an address, as a trusted proxy says.
fn sign_in_from(gateway: &Gateway, from: &str, password: &str, fields: &str) -> Answer {
    let form = format!("username=rita&password={}", password.replace(' ', "+"));
    let fields = format!("Sec-Fetch-Site: same-origin\r\nX-Forwarded-For: {from}\r\n{fields}");
    submit(gateway.address, "/auth/login", &form, &fields)
}

/// Failures from twenty networks: the account is slowed.
fn slow_rita(gateway: &Gateway) {
    for network in 0..20 {
        let from = format!("192.0.{network}.1");
        assert_eq!(statuses(gateway, &from, "rita", &["x"]), [401]);
    }
}

/// A place that has had its turn at rita's account and failed: for a minute it has no other.
fn exhaust_turn(gateway: &Gateway, from: &str) {
    until("a turn", || {
        statuses(gateway, from, "rita", &["x"]) == [401]
    });
}

#[test]
fn who_was_here_before_is_not_slowed() {
    let gateway = behind_a_proxy("attempts: 1, lockout: 5m").start();
    let signed_in = sign_in_from(&gateway, "203.0.113.1", PASSWORD, "");
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    let device = cookie_of(&signed_in, "gatelatch-device");
    let cookie = format!("Cookie: {device}\r\n");
    slow_rita(&gateway);
    let unknown = "198.51.100.1";
    exhaust_turn(&gateway, unknown);
    // a neighbour of the unknown place has no turn either
    let neighbour = "198.51.100.2";
    let refused = sign_in_from(&gateway, neighbour, PASSWORD, "");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 429 && (2..=60).contains(&seconds));
    // the browser that was here before, at the unknown place
    let known = sign_in_from(&gateway, neighbour, PASSWORD, &cookie);
    assert_eq!(known.status, 303, "{known:?}");
    // programs, and browsers without a cookie, at the place where the account was before
    for password in [PASSWORD, PASSWORD] {
        assert_eq!(
            statuses(&gateway, "203.0.113.1", "rita", &[password]),
            [200]
        );
    }
    let home = sign_in_from(&gateway, "203.0.113.1", PASSWORD, "");
    assert_eq!(home.status, 303, "{home:?}");
    // a cookie of somebody else, or a damaged one, is none
    let other = "198.51.100.3";
    for value in [
        format!("{}x", &device[..device.len() - 1]),
        "gatelatch-device=x".to_owned(),
        format!("{device}; {device}"),
    ] {
        let damaged = format!("Cookie: {value}\r\n");
        let refused = sign_in_from(&gateway, other, PASSWORD, &damaged);
        assert_eq!(refused.status, 429, "{value}");
    }
    let carl = "username=carl&password=x";
    let fields = format!("Sec-Fetch-Site: same-origin\r\nX-Forwarded-For: {other}\r\n{cookie}");
    let carl = submit(gateway.address, "/auth/login", carl, &fields);
    assert_eq!(carl.status, 401);
    // one failure with the cookie, where one is the limit, and it counts for nothing
    let wrong = sign_in_from(&gateway, "198.51.100.4", "x", &cookie);
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let distrusted = sign_in_from(&gateway, "198.51.100.5", PASSWORD, &cookie);
    assert_eq!(distrusted.status, 429, "{distrusted:?}");
}

#[test]
fn a_device_cookie_gives_no_right_and_reaches_no_service() {
    let upstream = Upstream::saying("hi");
    let gateway = behind_a_proxy("attempts: 5")
        .upstream(upstream.address)
        .start();
    let signed_in = sign_in_from(&gateway, "203.0.113.1", PASSWORD, "");
    let device = cookie_of(&signed_in, "gatelatch-device");
    let line = signed_in
        .headers("set-cookie")
        .into_iter()
        .find(|line| line.starts_with("gatelatch-device="))
        .unwrap()
        .to_owned();
    assert!(
        line.ends_with("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"),
        "{line}"
    );
    let (_, token) = device.split_once('=').unwrap();
    for fields in [
        format!("Cookie: {device}\r\n"),
        format!("Cookie: gatelatch={token}\r\n"),
        format!("Authorization: Bearer {token}\r\n"),
    ] {
        let me = get(gateway.address, "/auth/me", &fields);
        assert_eq!(me.status, 401, "{fields}");
    }
    let open = get(
        gateway.address,
        "/open",
        &format!("Cookie: a=1; {device}\r\n"),
    );
    assert_eq!(open.status, 200);
    let seen = upstream.received();
    assert_eq!(seen.last().unwrap().fields("cookie"), ["a=1"]);
    // a failed sign-in, for whomever, sets none
    for user in ["rita", "nobody", "gone"] {
        let form = format!("username={user}&password=x");
        let fields = "Sec-Fetch-Site: same-origin\r\n";
        let failed = submit(gateway.address, "/auth/login", &form, fields);
        assert_eq!(
            (failed.status, failed.headers("set-cookie").len()),
            (401, 0)
        );
    }
    // and it outlives a logout
    let session = cookie_of(&signed_in, "gatelatch");
    let fields = format!("Sec-Fetch-Site: same-origin\r\nCookie: {session}; {device}\r\n");
    let out = submit(gateway.address, "/auth/logout", "", &fields);
    assert_eq!(out.status, 303);
    assert!(!out.head.contains("gatelatch-device"), "{out:?}");
}

#[test]
fn guesses_at_once_are_not_more_than_guesses_in_turn() {
    let gateway = behind_a_proxy("attempts: 3").start();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let address = gateway.address;
        let one = move || statuses_at(address, "192.0.2.1", "rita", &["x"])[0];
        let threads: Vec<_> = (0..24).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        answers.iter().filter(|status| **status == 401).count(),
        3,
        "{answers:?}"
    );
    assert_eq!(
        answers.iter().filter(|status| **status == 429).count(),
        21,
        "{answers:?}"
    );
}

/// Passwords that are checked slowly wait in one queue for all: those of one network must not fill it.
#[test]
fn wrong_passwords_at_once_hold_nobody_elses_check_up() {
    let users = slow_and_quick();
    let basic = |user: &str, password: &str| {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        format!("Authorization: Basic {pair}\r\n")
    };
    for way in ["form", "basic"] {
        let upstream = Upstream::saying("hi");
        let gateway = gateway("\n  app: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: authenticated } ] }\n")
            .server("trusted_proxies: [127.0.0.1]")
            .auth("credentials: [bearer, basic], login: { attempts: 3 }")
            .users(&users)
            .upstream(upstream.address)
            .start();
        let send = |connection: &mut Connection, from: &str, user: &str, password: &str| {
            if way == "form" {
                let fields = format!("username={user}&password={password}");
                connection.write(format!(
                    "POST /auth/login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {from}\r\nContent-Type: \
                     application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{fields}",
                    fields.len()
                ));
            } else {
                let field = basic(user, password);
                connection.write(format!(
                    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {from}\r\n{field}\r\n"
                ));
            }
        };
        let mut flood: Vec<_> = (0..40).map(|_| Connection::open(gateway.address)).collect();
        for (number, connection) in flood.iter_mut().enumerate() {
            send(connection, "192.0.2.1", "slow", &format!("guess{number}"));
        }
        let mut bystander = Connection::open(gateway.address);
        send(&mut bystander, "192.0.2.2", "quick", PASSWORD);
        assert_eq!(bystander.read().status, 200, "{way}");
        let answers: Vec<Answer> = flood.iter_mut().map(Connection::read).collect();
        let count = |status| {
            answers
                .iter()
                .filter(|answer| answer.status == status)
                .count()
        };
        assert_eq!((count(401), count(429)), (3, 37), "{way}");
        let at_once = answers.iter().filter(|answer| answer.status == 429);
        let at_once = at_once
            .filter(|answer| answer.header("retry-after") == "1")
            .count();
        assert!(at_once > 0, "{way}: all of them were paid for");
    }
}

#[test]
fn a_flood_of_logins_costs_others_nothing() {
    const ATTACKERS: usize = 4;
    const EACH: usize = 2500;
    let upstream = Upstream::saying("hi");
    let gateway = behind_a_proxy("attempts: 5")
        .upstream(upstream.address)
        .start();
    assert_eq!(
        statuses(&gateway, "192.0.2.1", "carl", &["x"; 6]),
        [401, 401, 401, 401, 401, 429]
    );
    let address = gateway.address;
    let flood = move |attacker: usize, count: usize| {
        let mut connection = Connection::open(address);
        for number in 0..count {
            let from = format!("2001:db8:{attacker:x}:{number:x}::1");
            // one account from many networks, and many accounts that do not exist
            let user = if number % 2 == 0 {
                "rita".to_owned()
            } else {
                format!("name{attacker}-{number}")
            };
            let status = log_in_from(&mut connection, &from, &user, "x").status;
            assert!(matches!(status, 401 | 429 | 503), "{status}");
        }
    };
    flood(ATTACKERS, 500);
    let before = gateway.memory();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..ATTACKERS)
            .map(|attacker| scope.spawn(move || flood(attacker, EACH)))
            .collect();
        let bystander = scope.spawn(|| {
            let mut connection = Connection::open(address);
            let mut answered = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(
                    connection
                        .write("GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
                        .read()
                        .status,
                    200
                );
                answered += 1;
            }
            answered
        });
        attackers
            .into_iter()
            .for_each(|attacker| attacker.join().unwrap());
        over.store(true, Ordering::Relaxed);
        assert!(bystander.join().unwrap() > 100);
    });
    let grown = gateway.memory().saturating_sub(before);
    assert!(
        grown < 16 << 20,
        "{} KiB more after {} logins",
        grown >> 10,
        ATTACKERS * EACH
    );
    assert_eq!(
        statuses(&gateway, "192.0.2.1", "carl", &[PASSWORD]),
        [429],
        "the flood has lifted no hold"
    );
    assert_eq!(
        statuses(&gateway, "198.51.100.9", "carl", &[PASSWORD]),
        [200],
        "and locks nobody out"
    );
}
