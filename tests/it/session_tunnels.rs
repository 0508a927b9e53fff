//! Connections that the session of a browser has upgraded: they last as long as the session may.

use std::process::Command;

use crate::cookies::made_with;
use crate::support::{
    Connection, Gateway, GatewayBuilder, gateway, output, program, send, sign_in, until,
};
use crate::upgrades::{echoing, open};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /known, allow: authenticated }
      - { path: /bearer, allow: authenticated }
";

const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";

/// Tokens and cookies that live long enough for a busy machine to open something with them.
fn short_lived(max_age: &str) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(echoing().address)
        .auth_token("access_ttl: 3s, leeway: 0s")
        .auth(&format!("session: {{ max_age: {max_age} }}"))
}

/// A tunnel of a session whose cookie has expired since.
fn outlived(gateway: &Gateway) -> Connection {
    let session = sign_in(gateway, "rita");
    let mut tunnel = open(gateway, "/known", &format!("{session}{SAME}"));
    // it is as old as the cookie, or younger
    let mut bearer = open(gateway, "/bearer", &gateway.bearer("rita"));
    assert_eq!(bearer.read_to_end(), "");
    assert_eq!(
        gateway.line("/bearer")["reason"],
        "closed: the token has expired"
    );
    assert_eq!(gateway.get("/auth/me", &session).status, 401);
    tunnel.write("still");
    assert_eq!(tunnel.read_exact(5), "still");
    tunnel
}

fn reload(gateway: &Gateway, from: &str, to: &str) {
    let config = gateway.read("gateway.yaml").replace(from, to);
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
}

#[test]
fn a_tunnel_outlives_the_cookie_that_opened_it() {
    let gateway = short_lived("1h").start();
    let mut tunnel = outlived(&gateway);
    reload(&gateway, "path: /bearer", "path: /else");
    tunnel.write("again");
    assert_eq!(tunnel.read_exact(5), "again", "it is allowed as before");
    reload(
        &gateway,
        "path: /known, allow: authenticated",
        "path: /known, allow: nobody",
    );
    assert_eq!(tunnel.read_to_end(), "");
}

#[test]
fn a_tunnel_of_an_expired_cookie_ends_with_its_session() {
    let disable = |by: &str| {
        let by = format!("{by}, name: Rita");
        move |gateway: &Gateway| {
            let users = gateway.read("users.yaml").replace("name: Rita", &by);
            gateway.replace("users.yaml", &users);
        }
    };
    let disabled = disable("disabled: true");
    let too_old = disable("tokens_valid_after: 2100-01-01T00:00:00Z");
    let shorter = |gateway: &Gateway| reload(gateway, "max_age: 1h", "max_age: 1s");
    let other_key = |gateway: &Gateway| reload(gateway, "-test-secret", "-next-secret");
    let changes: [&(dyn Fn(&Gateway) + Sync); 4] = [&disabled, &too_old, &shorter, &other_key];
    std::thread::scope(|scope| {
        for change in changes {
            scope.spawn(move || {
                let gateway = short_lived("1h").start();
                let mut tunnel = outlived(&gateway);
                change(&gateway);
                assert_eq!(tunnel.read_to_end(), "");
                assert_eq!(
                    gateway.line("/known")["reason"],
                    "closed: it is not allowed any more"
                );
            });
        }
    });
}

/// The browser has a newer cookie of the session by then.
#[test]
fn a_logout_ends_the_tunnel_of_an_earlier_cookie() {
    let gateway = gateway(SERVICES)
        .upstream(echoing().address)
        .auth_token("leeway: 0s")
        .start();
    let (first, later) = (
        made_with("one", "rita", -10, 4, -10),
        made_with("one", "rita", -1, 600, -10),
    );
    let mut tunnel = open(&gateway, "/known", &format!("{first}{SAME}"));
    until("its cookie has expired", || {
        gateway.get("/auth/me", &first).status == 401
    });
    tunnel.write("still");
    assert_eq!(tunnel.read_exact(5), "still");
    let answer = send(
        gateway.address,
        format!(
            "POST /auth/logout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n{later}{SAME}\r\n"
        ),
    );
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(tunnel.read_to_end(), "");
    assert_eq!(
        gateway.line("/known")["reason"],
        "closed: it is not allowed any more"
    );
}

#[test]
fn a_tunnel_ends_when_its_session_is_as_old_as_it_may_be() {
    let gateway = short_lived("12s").start();
    let mut tunnel = outlived(&gateway);
    assert_eq!(tunnel.read_to_end(), "");
    assert_eq!(
        gateway.line("/known")["reason"],
        "closed: the session is as old as it may be"
    );
}

/// A clock that is set forward, or that of a machine that slept: no timer has seen the time pass.
#[test]
fn tunnels_end_when_the_clock_has_jumped_over_their_end() {
    let Some(faketime) = program("faketime") else {
        return;
    };
    let library = output(Command::new(faketime).args(["-f", "+0", "printenv", "LD_PRELOAD"]));
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0\n").unwrap();
    let gateway = gateway(SERVICES)
        .upstream(echoing().address)
        .variable("LD_PRELOAD", library.trim())
        .variable("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap())
        .variable("FAKETIME_NO_CACHE", "1")
        .variable("DONT_FAKE_MONOTONIC", "1")
        .start();
    let session = sign_in(&gateway, "rita");
    let mut cookie = open(&gateway, "/known", &format!("{session}{SAME}"));
    let mut bearer = open(&gateway, "/bearer", &gateway.bearer("rita"));
    std::fs::write(&clock, "+1h\n").unwrap();
    assert_eq!(bearer.read_to_end(), "", "a token of 30 minutes");
    cookie.write("still");
    assert_eq!(cookie.read_exact(5), "still", "a session of 12 hours");
    std::fs::write(&clock, "+13h\n").unwrap();
    assert_eq!(cookie.read_to_end(), "");
    assert_eq!(
        gateway.line("/known")["reason"],
        "closed: the session is as old as it may be"
    );
}
