//! `state: file:…`: what was answered is still true after the process was killed.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{
    Connection, Gateway, GatewayBuilder, PASSWORD, Tokens, Upstream, gateway, log_in_from, log_out,
    program, refresh, send, tokens, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /me, allow: authenticated }
";

fn with_file(upstream: &Upstream) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .more("state: file:state.redb")
}

fn me(gateway: &Gateway, tokens: &Tokens) -> u16 {
    gateway.get("/me", &tokens.bearer()).status
}

#[test]
fn a_killed_process_has_not_forgotten_from_where_people_log_in() {
    let upstream = Upstream::saying("hi");
    let gateway = with_file(&upstream)
        .server("trusted_proxies: [127.0.0.1]")
        .auth("login: { attempts: 1, lockout: 5m }")
        .start();
    let from = |gateway: &Gateway, address: &str, password: &str| {
        let mut connection = Connection::open(gateway.address);
        log_in_from(&mut connection, address, "rita", password).status
    };
    assert_eq!(from(&gateway, "203.0.113.1", PASSWORD), 200);
    for network in 0..20 {
        assert_eq!(from(&gateway, &format!("192.0.{network}.1"), "x"), 401);
    }
    let gateway = gateway.restart();
    // whose turn it was fails, and has no other for a minute
    until("a turn", || from(&gateway, "198.51.100.1", "x") == 401);
    assert_eq!(from(&gateway, "198.51.100.2", PASSWORD), 429);
    assert_eq!(from(&gateway, "203.0.113.1", PASSWORD), 200);
}

#[test]
fn a_killed_process_has_forgotten_nothing_that_it_answered() {
    let upstream = Upstream::saying("hi");
    let gateway = with_file(&upstream).auth("login: { attempts: 2 }").start();
    let (kept, ended) = (tokens(&gateway, "rita"), tokens(&gateway, "rita"));
    let spent = kept.refresh.clone();
    let kept = Tokens::of(&refresh(&gateway, &kept.refresh));
    let kept = Tokens::of(&refresh(&gateway, &kept.refresh));
    assert_eq!(log_out(&gateway, &ended).status, 204);
    assert_eq!(
        (0..3)
            .map(|_| gateway.login("carl", "x").status)
            .collect::<Vec<_>>(),
        [401, 401, 429]
    );
    let gateway = gateway.restart();
    assert_eq!((me(&gateway, &kept), me(&gateway, &ended)), (200, 401));
    assert_eq!(refresh(&gateway, &ended.refresh).status, 401);
    assert_eq!(
        gateway.login("carl", PASSWORD).status,
        429,
        "the hold is still in force"
    );
    let kept = Tokens::of(&refresh(&gateway, &kept.refresh));
    assert_eq!(refresh(&gateway, &spent).status, 401);
    assert_eq!(
        me(&gateway, &kept),
        401,
        "a spent token is known as one after a restart, too"
    );
    let gateway = gateway.restart();
    assert_eq!(me(&gateway, &kept), 401);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(gateway.path("state.redb"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
}

/// One client that refreshes until the process is gone. Every token it was given, in their order.
fn refresh_until_the_end(
    address: std::net::SocketAddr,
    first: Tokens,
    begun: &AtomicBool,
) -> Vec<String> {
    let mut chain = vec![first.refresh];
    loop {
        let body = format!("{{\"refresh_token\":\"{}\"}}", chain.last().unwrap());
        let request = format!(
            "POST /auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let Ok(answer) = std::panic::catch_unwind(|| send(address, request)) else {
            return chain;
        };
        chain.push(Tokens::of(&answer).refresh);
        if chain.len() > 5 {
            begun.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_kill_amid_refreshes_loses_no_session_and_revives_no_token() {
    const CLIENTS: usize = 8;
    let upstream = Upstream::saying("hi");
    let gateway = with_file(&upstream).start();
    let address = gateway.address;
    let begun: [AtomicBool; CLIENTS] = Default::default();
    let (gateway, chains) = std::thread::scope(|scope| {
        let clients: Vec<_> = begun
            .iter()
            .map(|begun| {
                let first = tokens(&gateway, "rita");
                scope.spawn(move || refresh_until_the_end(address, first, begun))
            })
            .collect();
        until("every client at work", || {
            begun.iter().all(|begun| begun.load(Ordering::Relaxed))
        });
        let gateway = gateway.restart();
        let chains: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect();
        (gateway, chains)
    });
    for chain in chains {
        // the last answer may have been followed by a refresh whose answer was lost: then it is the predecessor
        let (last, spent) = (chain.last().unwrap(), &chain[chain.len() - 3]);
        let revived = Tokens::of(&refresh(&gateway, last));
        assert_eq!(me(&gateway, &revived), 200);
        assert_eq!(refresh(&gateway, spent).status, 401);
        assert_eq!(
            refresh(&gateway, &revived.refresh).status,
            401,
            "and the session has ended for it"
        );
    }
}

#[test]
fn a_second_process_is_told_why_it_cannot_start() {
    let upstream = Upstream::saying("hi");
    let first = with_file(&upstream).start();
    let path = first.path("state.redb");
    let (code, said) = gateway(SERVICES)
        .more(&format!("state: file:{}", path.display()))
        .fail();
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&format!(
            "cannot use `state: file:{}`: another process uses it",
            path.display()
        )),
        "{said}"
    );
    let (code, said) = gateway(SERVICES)
        .more("state: file:missing/state.redb")
        .fail();
    assert_eq!(code, Some(1));
    assert!(
        said.contains("missing/state.redb`: No such file or directory"),
        "{said}"
    );
}

fn limit_files(prlimit: &Path, gateway: &Gateway, limit: &str) {
    let status = Command::new(prlimit)
        .args([
            "--pid",
            &gateway.id().to_string(),
            &format!("--fsize={limit}:"),
        ])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_found_again() {
    let Some(prlimit) = program("prlimit") else {
        return;
    };
    let upstream = Upstream::saying("hi");
    // without the trap the kernel ends a process that writes beyond its limit
    let gateway = with_file(&upstream).before("trap '' XFSZ; ").start();
    let before = tokens(&gateway, "rita");
    limit_files(&prlimit, &gateway, "100");
    let refused = gateway.login("rita", PASSWORD);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, "2"),
        "{refused:?}"
    );
    assert_eq!(gateway.named_event("state_lost")["level"], "ERROR");
    assert_eq!(gateway.metric("gatelatch_state_up"), 0.0);
    let ready = gateway.probe("/readyz");
    assert_eq!(
        (ready.status, &ready.json()["checks"]["state"]),
        (503, &"unreachable".into())
    );
    assert_eq!(refresh(&gateway, &before.refresh).status, 503);
    assert_eq!(log_out(&gateway, &before).status, 503);
    // longer than it takes to try the file again
    let since = Instant::now();
    until("the file was tried again", || {
        assert_eq!(me(&gateway, &before), 200, "requests go on");
        assert_eq!(refresh(&gateway, &before.refresh).status, 503);
        since.elapsed() > Duration::from_millis(2500)
    });
    assert!(!gateway.printed().contains("state_restored"));
    limit_files(&prlimit, &gateway, "unlimited");
    gateway.named_event("state_restored");
    // it is said before whoever waits for it goes on
    until("it is ready", || gateway.probe("/readyz").status == 200);
    let after = Tokens::of(&refresh(&gateway, &before.refresh));
    assert_eq!(log_out(&gateway, &after).status, 204);
    assert_eq!(me(&gateway, &before), 401);
}

#[test]
fn another_store_takes_effect_at_the_next_start() {
    let upstream = Upstream::saying("hi");
    let gateway = with_file(&upstream).start();
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("state: file:state.redb", "state: memory"),
    );
    gateway.event("these changes take effect at the next start: `state`");
    gateway.event("configuration reloaded");
    assert!(Path::new(&gateway.path("state.redb")).exists());
}
