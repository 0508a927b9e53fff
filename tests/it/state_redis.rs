//! `state: redis://…`: what one replica does, all of them know, and without Redis requests go on.

use std::fs;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::commands::{gatelatch, text};
use crate::support::{
    Authority, Connection, Gateway, GatewayBuilder, PASSWORD, Redis, Tokens, Upstream, free_port,
    gateway, get, log_in_from, log_out, on_a_port, refresh, refresh_at, sign_in, submit, tokens,
    until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

fn replica(upstream: &Upstream, url: &str) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .more(&format!("state: {url}"))
}

fn me(gateway: &Gateway, tokens: &Tokens) -> u16 {
    gateway.get("/me", &tokens.bearer()).status
}

/// What must hold over any kind of Redis.
fn assert_shared(one: &Gateway, other: &Gateway) {
    let rita = tokens(one, "rita");
    assert_eq!((me(one, &rita), me(other, &rita)), (200, 200));
    let rita = Tokens::of(&refresh(other, &rita.refresh));
    let rita = Tokens::of(&refresh(one, &rita.refresh));
    assert_eq!(log_out(one, &rita).status, 204);
    assert_eq!(me(one, &rita), 401, "at once where the logout was");
    until("the other one to know", || me(other, &rita) == 401);
    assert_eq!(refresh(other, &rita.refresh).status, 401);
}

#[test]
fn replicas_share_sessions_and_lockouts() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let start = || {
        replica(&upstream, &redis.url())
            .auth("login: { attempts: 2, lockout: 2s }")
            .start()
    };
    let (one, other) = (start(), start());
    assert_shared(&one, &other);
    // a spent token ends the session everywhere
    let first = tokens(&one, "rita");
    let second = Tokens::of(&refresh(&other, &first.refresh));
    let third = Tokens::of(&refresh(&one, &second.refresh));
    assert_eq!(refresh(&other, &first.refresh).status, 401);
    until("both to refuse", || {
        me(&one, &third) == 401 && me(&other, &third) == 401
    });
    // failures add up, right passwords do not help, and a hold ends
    assert_eq!(
        (
            one.login("carl", "x").status,
            other.login("carl", "x").status
        ),
        (401, 401)
    );
    let held = other.login("carl", PASSWORD);
    assert_eq!((held.status, one.login("carl", "x").status), (429, 429));
    assert!(["1", "2"].contains(&held.header("retry-after")), "{held:?}");
    until("the end of the hold", || {
        one.login("carl", PASSWORD).status == 200
    });
    assert_eq!(
        (
            one.login("carl", "x").status,
            one.login("carl", PASSWORD).status
        ),
        (401, 200)
    );
    assert_eq!(
        (
            one.login("carl", "x").status,
            one.login("carl", PASSWORD).status
        ),
        (401, 200),
        "a success clears"
    );
}

#[test]
fn networks_and_accounts_are_held_over_replicas() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let start = || {
        let replica = replica(&upstream, &redis.url()).server("trusted_proxies: [127.0.0.1]");
        replica.auth("login: { attempts: 1, lockout: 5m }").start()
    };
    let replicas = [start(), start()];
    let mut to: Vec<_> = replicas
        .iter()
        .map(|replica| Connection::open(replica.address))
        .collect();
    for name in 0..10 {
        assert_eq!(
            log_in_from(&mut to[name % 2], "192.0.2.1", &format!("name{name}"), "x").status,
            401
        );
    }
    for connection in &mut to {
        let held = log_in_from(connection, "192.0.2.1", "carl", PASSWORD);
        let seconds: u64 = held.header("retry-after").parse().unwrap();
        assert!(
            held.status == 429 && (280..=300).contains(&seconds),
            "{held:?}"
        );
    }
    assert_eq!(
        log_in_from(&mut to[0], "192.0.2.2", "carl", PASSWORD).status,
        200
    );
    for network in 0..20 {
        assert_eq!(
            log_in_from(
                &mut to[network % 2],
                &format!("198.51.100.{network}"),
                "rita",
                "x"
            )
            .status,
            401
        );
    }
    let mut refused = 0;
    until("the turn of the one who knows the password", || {
        let status = log_in_from(&mut to[1], "203.0.113.1", "rita", PASSWORD).status;
        refused += usize::from(status == 429);
        status == 200
    });
    // the turn may have come with the first try; there is one a second
    let next = log_in_from(&mut to[0], "192.0.2.9", "rita", PASSWORD);
    assert!(refused > 0 || next.status == 429, "{next:?}");
    // where it was logged in from, it is not slowed, nor on the other replica
    for connection in &mut to {
        let known = log_in_from(connection, "203.0.113.1", "rita", PASSWORD);
        assert_eq!(known.status, 200);
    }
}

#[test]
fn refreshes_at_the_same_moment_at_several_replicas_log_nobody_out() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let (one, other) = (
        replica(&upstream, &redis.url()).start(),
        replica(&upstream, &redis.url()).start(),
    );
    let first = tokens(&one, "rita");
    let siblings: Vec<Tokens> = std::thread::scope(|scope| {
        let first = &first;
        let ask = |at| scope.spawn(move || Tokens::of(&refresh_at(at, &first.refresh)));
        let (one, other) = (one.address, other.address);
        let threads: Vec<_> = [one, other, one, other, one, other]
            .into_iter()
            .map(ask)
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for sibling in siblings {
        assert_eq!(
            me(&one, &Tokens::of(&refresh(&other, &sibling.refresh))),
            200
        );
    }
}

#[test]
fn a_replica_that_was_away_catches_up() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let (one, other) = (
        replica(&upstream, &redis.url()).start(),
        replica(&upstream, &redis.url()).start(),
    );
    let sessions: Vec<_> = (0..5).map(|_| tokens(&one, "rita")).collect();
    other.signal("STOP");
    for session in &sessions {
        assert_eq!(log_out(&one, session).status, 204);
    }
    other.signal("CONT");
    for session in &sessions {
        until("all of them", || me(&other, session) == 401);
    }
    // and one that starts later knows them before it serves
    let late = replica(&upstream, &redis.url()).start();
    assert!(sessions.iter().all(|session| me(&late, session) == 401));
}

#[test]
fn requests_go_on_while_redis_is_away() {
    const CLIENTS: usize = 4;
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = replica(&upstream, &redis.url()).start();
    let (rita, ended) = (tokens(&gateway, "rita"), tokens(&gateway, "rita"));
    let session = sign_in(&gateway, "rita");
    assert_eq!(log_out(&gateway, &ended).status, 204);
    assert_eq!(gateway.metric("gatelatch_state_up"), 1.0);
    let (over, answered, address) = (AtomicBool::new(false), AtomicUsize::new(0), gateway.address);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                while !over.load(Ordering::Relaxed) {
                    let request = |tokens: &Tokens| {
                        format!("GET /me HTTP/1.1\r\nHost: a\r\n{}\r\n", tokens.bearer())
                    };
                    assert_eq!(connection.write(request(&rita)).read().status, 200);
                    assert_eq!(connection.write(request(&ended)).read().status, 401);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let some_more = || {
            let before = answered.load(Ordering::Relaxed);
            until("more requests", || {
                answered.load(Ordering::Relaxed) > before + 50
            });
        };
        some_more();
        redis.kill();
        assert_eq!(gateway.named_event("state_lost")["level"], "ERROR");
        let refused = [
            gateway.login("rita", PASSWORD),
            refresh(&gateway, &rita.refresh),
            log_out(&gateway, &rita),
        ];
        for answer in refused {
            assert_eq!(
                (answer.status, answer.header("retry-after")),
                (503, "2"),
                "{answer:?}"
            );
            assert_eq!(answer.json()["error"], "temporarily_unavailable");
        }
        let form = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
        for (path, form, fields) in [
            ("/auth/login", form.as_str(), ""),
            ("/auth/logout", "", session.as_str()),
        ] {
            let page = submit(
                gateway.address,
                path,
                form,
                &format!("{fields}Sec-Fetch-Site: same-origin\r\n"),
            );
            assert_eq!(
                (page.status, page.header("retry-after")),
                (503, "2"),
                "{page:?}"
            );
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        }
        assert_eq!(get(gateway.address, "/me", &session).status, 200);
        assert_eq!(gateway.metric("gatelatch_state_up"), 0.0);
        let ready = gateway.probe("/readyz");
        assert_eq!(
            (ready.status, &ready.json()["checks"]["state"]),
            (503, &"unreachable".into())
        );
        some_more();
        redis.restart();
        gateway.named_event("state_restored");
        some_more();
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(gateway.probe("/readyz").status, 200);
    assert_eq!(gateway.metric("gatelatch_state_up"), 1.0);
    assert!(gateway.metric(r#"gatelatch_logins_total{outcome="unavailable"}"#) >= 1.0);
    let rita = Tokens::of(&refresh(&gateway, &rita.refresh));
    assert_eq!(log_out(&gateway, &rita).status, 204);
    assert_eq!(me(&gateway, &rita), 401);
}

#[test]
fn a_redis_that_has_forgotten_is_told_which_sessions_have_ended() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let one = replica(&upstream, &redis.url()).start();
    let (rita, ended) = (tokens(&one, "rita"), tokens(&one, "rita"));
    assert_eq!(log_out(&one, &ended).status, 204);
    redis.kill();
    one.named_event("state_lost");
    redis.forget();
    redis.restart();
    one.named_event("state_restored");
    let late = replica(&upstream, &redis.url()).start();
    assert_eq!((me(&late, &rita), me(&late, &ended)), (200, 401));
    assert_eq!(
        refresh(&one, &rita.refresh).status,
        401,
        "refresh tokens are gone with the data"
    );
}

#[test]
fn a_redis_that_takes_no_writes_is_as_good_as_none() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = replica(&upstream, &redis.url()).start();
    let rita = tokens(&gateway, "rita");
    redis.command("REPLICAOF 127.0.0.1 9");
    until("a refusal", || {
        refresh(&gateway, &rita.refresh).status == 503
    });
    gateway.named_event("state_lost");
    assert_eq!(me(&gateway, &rita), 200);
    redis.command("REPLICAOF NO ONE");
    gateway.named_event("state_restored");
    until("logins", || gateway.login("rita", PASSWORD).status == 200);
}

#[test]
fn a_redis_that_says_nothing_is_as_good_as_none() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = replica(&upstream, &redis.url()).start();
    let rita = tokens(&gateway, "rita");
    redis.signal("STOP");
    assert_eq!(gateway.login("rita", PASSWORD).status, 503);
    gateway.named_event("state_lost");
    let since = Instant::now();
    for _ in 0..20 {
        assert_eq!(refresh(&gateway, &rita.refresh).status, 503);
    }
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "each has waited for a store that is known to be away: {:?}",
        since.elapsed()
    );
    assert_eq!(me(&gateway, &rita), 200);
    redis.signal("CONT");
    gateway.named_event("state_restored");
    Tokens::of(&refresh(&gateway, &rita.refresh));
}

/// Nobody knows then which sessions have ended: it does not listen, and says why wherever somebody looks.
#[test]
fn without_redis_a_replica_waits_and_says_so() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let other = replica(&upstream, &redis.url()).start();
    let (rita, ended) = (tokens(&other, "rita"), tokens(&other, "rita"));
    assert_eq!(log_out(&other, &ended).status, 204);
    redis.kill();
    for state in [
        format!("state: {}", redis.url()),
        format!("state: {{ url: \"{}\", at_start: wait }}", redis.url()),
    ] {
        let (listen, admin) = (free_port(), free_port());
        let builder = replica(&upstream, "memory").more(&state);
        let starting = builder.start_unready(listen, admin);
        let awaited = starting.named_event("state_awaited");
        assert_eq!(awaited["level"], "ERROR");
        let said = awaited["message"].as_str().unwrap();
        assert!(
            said.starts_with("the gateway does not listen yet: "),
            "{said}"
        );
        assert!(
            awaited["reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty())
        );
        assert!(TcpStream::connect(("127.0.0.1", listen)).is_err());
        assert_eq!(starting.probe("/healthz").status, 200);
        let ready = starting.probe("/readyz");
        let checks = &ready.json()["checks"];
        assert_eq!(
            (ready.status, &checks["listening"], &checks["state"]),
            (
                503,
                &"waiting for the state store".into(),
                &"unreachable".into()
            )
        );
        assert_eq!(starting.metric("gatelatch_state_up"), 0.0);
        // it is asked to read its files again, and to end, meanwhile
        starting.signal("HUP");
        starting.event("configuration unchanged");
        redis.restart();
        starting.named_event("state_restored");
        starting.event("listening");
        assert_eq!((me(&starting, &rita), me(&starting, &ended)), (200, 401));
        assert_eq!(starting.probe("/readyz").status, 200);
        let printed = starting.printed();
        assert_eq!(printed.matches("state_awaited").count(), 1, "{printed}");
        assert!(!printed.contains("state_lost"), "{printed}");
        redis.kill();
    }
    let mut starting = replica(&upstream, &redis.url()).start_unready(free_port(), free_port());
    starting.named_event("state_awaited");
    starting.signal("TERM");
    assert_eq!(starting.ended().code(), Some(0));
}

#[test]
fn where_it_is_told_to_a_replica_serves_without_redis_from_the_start() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let other = replica(&upstream, &redis.url()).start();
    let (rita, ended) = (tokens(&other, "rita"), tokens(&other, "rita"));
    assert_eq!(log_out(&other, &ended).status, 204);
    redis.kill();
    let state = format!("{{ url: \"{}\", at_start: serve }}", redis.url());
    let gateway = replica(&upstream, &state).start();
    // it may come before it listens, and after
    until("word of it", || gateway.printed().contains("state_lost"));
    assert!(
        gateway
            .printed()
            .contains("it is not known which sessions have ended before")
    );
    assert_eq!((me(&gateway, &rita), me(&gateway, &ended)), (200, 200));
    for refused in [
        gateway.login("rita", PASSWORD),
        refresh(&gateway, &rita.refresh),
        log_out(&gateway, &rita),
    ] {
        assert_eq!((refused.status, refused.header("retry-after")), (503, "2"));
    }
    let ready = gateway.probe("/readyz");
    let checks = &ready.json()["checks"];
    assert_eq!(
        (ready.status, &checks["listening"], &checks["state"]),
        (503, &"ok".into(), &"unreachable".into())
    );
    assert_eq!(gateway.probe("/healthz").status, 200);
    redis.restart();
    gateway.named_event("state_restored");
    assert_eq!((me(&gateway, &rita), me(&gateway, &ended)), (200, 401));
    assert_eq!(gateway.probe("/readyz").status, 200);
    assert_eq!(gateway.printed().matches("state_lost").count(), 1);
}

#[test]
fn no_password_of_the_store_is_said() {
    let state = "state: redis://me:hunter2@127.0.0.1:9";
    let starting = gateway(SERVICES)
        .more(state)
        .start_unready(free_port(), free_port());
    assert_eq!(
        starting.named_event("state_awaited")["store"],
        "redis://127.0.0.1:9"
    );
    assert!(!starting.printed().contains("hunter2"));
}

#[test]
fn a_probe_asks_the_store() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let away = "state: redis://me:hunter2@127.0.0.1:9".to_owned();
    let no_folder = "state: file:none/state.redb".to_owned();
    for (state, answers) in [
        (format!("state: {}", redis.url()), true),
        ("state: file:state.redb".to_owned(), true),
        (away, false),
        (no_folder, false),
    ] {
        let config = format!("{state}\nservices: {{ a: {{ upstream: 'http://127.0.0.1:9' }} }}\n");
        fs::write(folder.path().join("gateway.yaml"), config).unwrap();
        let output = gatelatch(folder.path(), &["check", "--probe", "--timeout", "10s"]);
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        let verdict = if answers { "answering" } else { "away" };
        assert!(
            out.ends_with(&format!(", `state` {verdict}\n")),
            "{out}{said}"
        );
        assert_eq!(
            said.contains("warning[unreachable-state]"),
            !answers,
            "{said}"
        );
        assert_eq!(said.contains("--> gateway.yaml:1:1"), !answers, "{said}");
        let help = if state.contains("file:") {
            "name a file in a folder that the gateway can write to"
        } else {
            "start it, or correct `state`"
        };
        assert_eq!(said.contains(help), !answers, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert!(!folder.path().join("state.redb").exists());
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_cluster_will_do() {
    let Some((redis, port)) =
        on_a_port(|port| words(&format!("--port {port} --cluster-enabled yes")))
    else {
        return;
    };
    redis.command("CLUSTER ADDSLOTSRANGE 0 16383");
    until("the cluster", || {
        redis.command("CLUSTER INFO").contains("cluster_state:ok")
    });
    let upstream = Upstream::saying("hi");
    let url = format!("redis-cluster://127.0.0.1:{port}");
    let (one, other) = (
        replica(&upstream, &url).start(),
        replica(&upstream, &url).start(),
    );
    assert_shared(&one, &other);
    assert_eq!(
        (0..6)
            .map(|_| one.login("carl", "x").status)
            .collect::<Vec<_>>(),
        [401, 401, 401, 401, 401, 429]
    );
    assert_eq!(other.login("carl", PASSWORD).status, 429);
}

#[test]
fn the_sentinels_know_the_master() {
    let Some((master, port)) =
        on_a_port(|port| words(&format!("--port {port} --requirepass hunter2")))
    else {
        return;
    };
    let upstream = Upstream::saying("hi");
    // some sentinels want the password of their servers, others have none
    for wish in ["", "requirepass hunter2\n"] {
        let conf = master.path("sentinel.conf");
        let monitor = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\nsentinel auth-pass main hunter2\n{wish}"
        );
        std::fs::write(&conf, monitor).unwrap();
        let Some((_sentinel, sentinel_port)) = on_a_port(|port| Redis::sentinel(&conf, port))
        else {
            return;
        };
        let url = format!("redis-sentinel://:hunter2@127.0.0.1:9,127.0.0.1:{sentinel_port}/main");
        let (one, other) = (
            replica(&upstream, &url).start(),
            replica(&upstream, &url).start(),
        );
        assert_shared(&one, &other);
        assert!(!one.printed().contains("hunter2"));
    }
}

#[test]
fn redis_over_tls_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, foreign) = (Authority::new("ours"), Authority::new("not ours"));
    let (certificate, key) = trusted.issue(&["localhost"]).write(folder.path(), "redis");
    std::fs::write(folder.path().join("ca.crt"), trusted.certificate()).unwrap();
    std::fs::write(folder.path().join("foreign.crt"), foreign.certificate()).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let tls = |port: &str| {
        let (certificate, key, ca) = (certificate.display(), key.display(), file("ca.crt"));
        words(&format!(
            "--tls-port {port} --tls-auth-clients no --tls-cert-file {certificate} --tls-key-file {key} \
             --tls-ca-cert-file {ca} --requirepass hunter2"
        ))
    };
    let Some((_redis, port)) = on_a_port(tls) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let url = format!("rediss://:hunter2@localhost:{port}");
    let one = replica(&upstream, &url)
        .variable("SSL_CERT_FILE", &file("ca.crt"))
        .start();
    let rita = tokens(&one, "rita");
    assert_eq!(log_out(&one, &rita).status, 204);
    let starting = replica(&upstream, &url)
        .variable("SSL_CERT_FILE", &file("foreign.crt"))
        .start_unready(free_port(), free_port());
    let awaited = starting.named_event("state_awaited");
    let reason = awaited["reason"].as_str().unwrap();
    assert!(reason.contains("certificate"), "{reason}");
    assert!(!starting.printed().contains("hunter2"));
}

/// The seconds until which sessions are kept as ended, as the stream has them.
fn ended_until(redis: &Redis) -> Vec<u64> {
    let entries = redis.command("XRANGE gatelatch:ended - +");
    let words: Vec<&str> = entries.lines().collect();
    let after = |word: &(usize, &&str)| words[word.0 + 2].parse().unwrap();
    let names = words
        .iter()
        .enumerate()
        .filter(|(_, word)| **word == "until");
    names.map(|name| after(&name)).collect()
}

#[test]
fn a_session_whose_refresh_tokens_cannot_be_deleted_stays_ended_as_long_as_they_live() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let start = || {
        let replica = replica(&upstream, &redis.url());
        replica.auth_token("max_lifetime: 1h, refresh_ttl: 7d")
    };
    let gateway = start().start();
    let week = ambient_seconds() + 7 * 24 * 3600;
    let first = tokens(&gateway, "rita");
    let second = Tokens::of(&refresh(&gateway, &first.refresh));
    let third = Tokens::of(&refresh(&gateway, &second.refresh));
    redis.command("ACL SETUSER default -del");
    // the spent token is noticed once: the client of a thief does not repeat it
    assert_eq!(refresh(&gateway, &first.refresh).status, 503);
    redis.command("ACL SETUSER default +del");
    until("the session to have ended", || me(&gateway, &third) == 401);
    until("the announcement", || !ended_until(&redis).is_empty());
    assert!(
        ended_until(&redis).iter().any(|until| *until >= week),
        "{:?} ends before {week}",
        ended_until(&redis)
    );
    gateway.named_event("state_restored");
    assert_eq!(refresh(&gateway, &third.refresh).status, 401);
    let late = start().start();
    assert_eq!(refresh(&late, &third.refresh).status, 401);
    // where nothing fails, it is forgotten with the last access token
    let rita = tokens(&late, "rita");
    let before = ended_until(&redis).len();
    assert_eq!(log_out(&late, &rita).status, 204);
    let ends = ended_until(&redis);
    assert_eq!(ends.len(), before + 1);
    assert!(ends[before] < week, "{ends:?}");
}

fn ambient_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
