//! Several servers of one service: who is asked, who is left alone, and who comes back.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use crate::support::{
    Connection, Gateway, GatewayBuilder, RawUpstream, Stoppable, Upstream, gateway, get, ok, until,
};

/// A gateway before these servers, with further entries of `upstream`.
fn before(servers: &[SocketAddr], more: &str) -> GatewayBuilder {
    let servers: Vec<_> = servers
        .iter()
        .map(|server| format!("http://{server}"))
        .collect();
    let upstream = format!("{{ servers: [{}], {more} }}", servers.join(", "));
    gateway(&format!(
        "  all: {{ upstream: {upstream}, rules: [ {{ path: /**, allow: anyone }} ] }}"
    ))
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn of_server(gateway: &Gateway, metric: &str, server: SocketAddr) -> f64 {
    gateway.metric(&format!(
        "gatelatch_upstream_{metric}{{service=\"all\",server=\"{server}\"}}"
    ))
}

fn answers(gateway: &Gateway, times: usize, fields: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        let answer = gateway.get("/a", fields);
        assert_eq!(answer.status, 200, "{answer:?}");
        *counts.entry(answer.body).or_default() += 1;
    }
    counts
}

#[test]
fn servers_take_turns() {
    let (one, two, three) = (
        Upstream::saying("one"),
        Upstream::saying("two"),
        Upstream::saying("three"),
    );
    let servers = [one.address, two.address, three.address];
    let gateway = before(&servers, "balance: round_robin").workers(1).start();
    let counts = answers(&gateway, 12, "");
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [4, 4, 4]);
    for server in servers {
        assert_eq!(of_server(&gateway, "requests_total", server), 4.0);
        assert_eq!(of_server(&gateway, "server_up", server), 1.0);
        assert_eq!(of_server(&gateway, "server_share", server), 1.0);
        until("a line of each server", || {
            gateway.line("/a")["upstream"] == server.to_string()
        });
    }
}

#[test]
fn the_least_busy_server_is_asked() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (released, entered) = (
        Arc::new(Mutex::new(released)),
        Arc::new(AtomicUsize::new(0)),
    );
    let server = |name: &'static str| {
        let (released, entered) = (Arc::clone(&released), Arc::clone(&entered));
        Upstream::new(move |request| {
            if request.line().contains("/slow") {
                entered.fetch_add(1, Ordering::SeqCst);
                let _ = released.lock().unwrap().recv();
            }
            ok(name)
        })
    };
    let (one, two) = (server("one"), server("two"));
    // with several workers: what is under way counts over all of them
    let gateway = before(&[one.address, two.address], "balance: least_connections")
        .workers(2)
        .start();
    let address = gateway.address;
    let slow = std::thread::spawn(move || get(address, "/slow", "").body);
    until("the slow request", || entered.load(Ordering::SeqCst) == 1);
    let others = answers(&gateway, 20, "");
    release.send(()).unwrap();
    let slow = slow.join().unwrap();
    assert!(
        others.len() == 1 && !others.contains_key(&slow),
        "{slow} was busy: {others:?}"
    );
    assert_eq!(answers(&gateway, 20, "").len(), 2, "now both are free");
}

#[test]
fn a_client_stays_with_its_server() {
    let (one, two) = (Upstream::saying("one"), Upstream::saying("two"));
    let gateway = before(&[one.address, two.address], "balance: hash_client")
        .server("trusted_proxies: [127.0.0.1/32]")
        .workers(2)
        .start();
    let mut homes = BTreeMap::<String, usize>::new();
    for client in 0..32 {
        let counts = answers(
            &gateway,
            3,
            &format!("X-Forwarded-For: 192.0.2.{client}\r\n"),
        );
        assert_eq!(counts.len(), 1, "{counts:?}");
        *homes.entry(counts.into_keys().next().unwrap()).or_default() += 1;
    }
    assert_eq!(homes.len(), 2, "{homes:?}");
}

#[test]
fn a_server_that_goes_and_comes_back_costs_no_request() {
    let (mut one, two) = (Stoppable::start("one"), Stoppable::start("two"));
    let gateway = before(&[one.address, two.address], "").workers(2).start();
    let (address, over) = (gateway.address, Arc::new(AtomicBool::new(false)));
    let going_on = Arc::new(RwLock::new(()));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (over, going_on) = (Arc::clone(&over), Arc::clone(&going_on));
            std::thread::spawn(move || {
                let mut client = Connection::open(address);
                while !over.load(Ordering::SeqCst) {
                    let _going_on = going_on.read().unwrap();
                    let answer = client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").read();
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            })
        })
        .collect();
    let more = |server: &Stoppable| {
        let so_far = server.answered();
        until("more answers", || server.answered() > so_far + 50);
    };
    more(&one);
    one.stop();
    more(&two);
    assert_eq!(
        gateway.named_event("server_down")["server"],
        one.address.to_string()
    );
    one.restart();
    // its rest is long, and other tests need the processor too
    let pause = going_on.write().unwrap();
    until("the end of its rest", || {
        let ready: serde_json::Value = gateway.probe("/readyz").json();
        ready["upstreams"]["all"][one.address.to_string()] == "failing"
    });
    assert!(
        !gateway.printed().contains("server_up"),
        "it has not answered"
    );
    drop(pause);
    assert_eq!(
        gateway.named_event("server_up")["server"],
        one.address.to_string()
    );
    more(&one);
    over.store(true, Ordering::SeqCst);
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
}

#[test]
fn a_server_that_fails_is_left_alone_and_returns_slowly() {
    let (mut away, alive) = (Stoppable::start("back"), Upstream::saying("alive"));
    let dead = away.address;
    away.stop();
    let gateway = before(&[dead, alive.address], "").workers(1).start();
    // every second request begins with the dead one
    answers(&gateway, 10, "");
    let down = gateway.named_event("server_down");
    assert_eq!(
        (&down["service"], &down["server"]),
        (&"all".into(), &dead.to_string().into()),
        "{down}"
    );
    assert!(down["why"].as_str().unwrap().contains("refused"), "{down}");
    assert_eq!(of_server(&gateway, "server_up", dead), 0.0);
    assert_eq!(of_server(&gateway, "server_share", dead), 0.0);
    let asked = of_server(&gateway, "requests_total", dead);
    assert_eq!(asked, 5.0);
    answers(&gateway, 10, "");
    assert_eq!(
        of_server(&gateway, "requests_total", dead),
        asked,
        "it is left alone"
    );
    let ready: serde_json::Value = gateway.probe("/readyz").json();
    assert_eq!(
        ready["upstreams"]["all"][dead.to_string()],
        "resting",
        "{ready}"
    );
    until("the end of its rest", || {
        let ready: serde_json::Value = gateway.probe("/readyz").json();
        ready["upstreams"]["all"][dead.to_string()] == "failing"
    });
    // still dead, it is tried, and the end of the rest alone is no return
    until("another request to it", || {
        answers(&gateway, 1, "");
        of_server(&gateway, "requests_total", dead) > asked
    });
    assert_eq!(of_server(&gateway, "server_up", dead), 0.0);
    for (event, count) in [("server_up", 0), ("server_down", 1)] {
        let event = format!("\"event\":\"{event}\"");
        assert_eq!(gateway.printed().matches(&event).count(), count, "{event}");
    }
    away.restart();
    until("an answer of it", || {
        answers(&gateway, 1, "");
        away.answered() > 0
    });
    let up = gateway.named_event("server_up");
    assert_eq!(
        (&up["service"], &up["server"]),
        (&"all".into(), &dead.to_string().into()),
        "{up}"
    );
    assert_eq!(of_server(&gateway, "server_up", dead), 1.0);
    assert!(
        of_server(&gateway, "server_share", dead) < 1.0,
        "not all at once"
    );
}

#[test]
fn the_last_server_is_never_left_alone() {
    let servers = [nobody(), nobody(), nobody()];
    let gateway = before(&servers, "").workers(1).start();
    for _ in 0..30 {
        assert_eq!(gateway.get("/a", "").status, 502);
    }
    let share = |server| of_server(&gateway, "server_share", server);
    let shares: f64 = servers.into_iter().map(share).sum();
    assert_eq!(shares, 1.0, "{}", gateway.metrics());
}

#[test]
fn answers_do_not_speak_against_a_server() {
    let broken = Upstream::new(|_| {
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let closing = RawUpstream::new(|mut wire, _| {
        wire.head();
        wire.say(
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let gateway = before(&[broken.address, closing.address], "")
        .workers(1)
        .start();
    let statuses: Vec<_> = (0..20).map(|_| gateway.get("/a", "").status).collect();
    assert!(
        statuses.iter().all(|status| matches!(status, 500 | 503)),
        "{statuses:?}"
    );
    for server in [broken.address, closing.address] {
        assert_eq!(of_server(&gateway, "server_up", server), 1.0);
    }
}

#[test]
fn a_retry_asks_another_server() {
    let alive = Upstream::saying("alive");
    let gateway = before(&[nobody(), alive.address], "retries: 1, host: upstream")
        .workers(1)
        .start();
    assert_eq!(
        answers(&gateway, 4, "").into_keys().collect::<Vec<_>>(),
        ["alive"]
    );
    for request in alive.received() {
        assert_eq!(
            request.fields("host"),
            [alive.address.to_string()],
            "its own name, not that of the first"
        );
    }
    let line = gateway.line("/a");
    assert_eq!(line["upstream"], alive.address.to_string(), "{line}");
}
