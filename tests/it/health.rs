//! Active checks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Version;

use crate::support::{Authority, Gateway, Modern, Tongue, Upstream, gateway, ok, until};

/// A service that is as healthy as the switch says.
fn switchable() -> (Arc<AtomicBool>, Upstream) {
    let healthy = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&healthy);
    let upstream = Upstream::new(move |request| match request.line() {
        "GET /healthz?deep HTTP/1.1" if !switch.load(Ordering::SeqCst) => {
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        "GET /healthz?deep HTTP/1.1" => b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => ok("hi"),
    });
    (healthy, upstream)
}

fn services(servers: &[SocketAddr], health: &str) -> String {
    let servers: Vec<_> = servers
        .iter()
        .map(|server| format!("http://{server}"))
        .collect();
    let upstream = format!(
        "{{ servers: [{}], health: {{ path: /healthz?deep, {health} }} }}",
        servers.join(", ")
    );
    format!("  all: {{ upstream: {upstream}, rules: [ {{ path: /**, allow: anyone }} ] }}")
}

const OFTEN: &str = "interval: 100ms, unhealthy_after: 2, healthy_after: 2";
const ONCE: &str = "interval: 1h, unhealthy_after: 1";

fn is_up(gateway: &Gateway, server: SocketAddr) -> f64 {
    gateway.metric(&format!(
        "gatelatch_upstream_server_up{{service=\"all\",server=\"{server}\"}}"
    ))
}

fn checks(upstream: &Upstream) -> usize {
    upstream
        .received()
        .iter()
        .filter(|request| request.line().contains("/healthz"))
        .count()
}

#[test]
fn without_a_healthy_server_the_answer_comes_at_once() {
    let (healthy, upstream) = switchable();
    let gateway = gateway(&services(&[upstream.address], OFTEN)).start();
    assert_eq!(
        gateway.get("/a", "").status,
        200,
        "a server begins as healthy"
    );
    healthy.store(false, Ordering::SeqCst);
    let down = gateway.named_event("server_down");
    assert_eq!(
        (&down["service"], &down["server"]),
        (&"all".into(), &upstream.address.to_string().into()),
        "{down}"
    );
    assert_eq!(down["why"], "its check is answered with 500");
    let answer = gateway.get("/b", "");
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, "1"),
        "{answer:?}"
    );
    assert_eq!(
        answer.json()["detail"],
        "No server of the upstream is healthy"
    );
    let line = gateway.line("/b");
    assert_eq!(
        (&line["status"], &line["decision"]),
        (&503.into(), &"allowed".into())
    );
    assert!(
        line["upstream"].is_null() && line["upstream_ms"].is_null(),
        "nobody was asked: {line}"
    );
    assert_eq!(
        gateway.metric("gatelatch_upstream_errors_total{service=\"all\",kind=\"unavailable\"}"),
        1.0
    );
    assert_eq!(is_up(&gateway, upstream.address), 0.0);
    let ready = gateway.probe("/readyz");
    assert_eq!(ready.status, 200, "it is the upstream that is not well");
    assert_eq!(
        ready.json()["upstreams"]["all"][upstream.address.to_string()],
        "down",
        "{ready:?}"
    );
    healthy.store(true, Ordering::SeqCst);
    assert_eq!(
        gateway.named_event("server_up")["why"],
        "its checks succeed"
    );
    assert_eq!(gateway.get("/c", "").status, 200);
    assert_eq!(is_up(&gateway, upstream.address), 1.0);
}

#[test]
fn an_unhealthy_server_is_not_asked() {
    let (healthy, one) = switchable();
    let two = Upstream::saying("two");
    let gateway = gateway(&services(&[one.address, two.address], OFTEN))
        .workers(1)
        .start();
    healthy.store(false, Ordering::SeqCst);
    gateway.named_event("server_down");
    let so_far = one.received().len() - checks(&one);
    for _ in 0..10 {
        assert_eq!(gateway.get("/a", "").body, "two");
    }
    assert_eq!(one.received().len() - checks(&one), so_far);
}

#[test]
fn a_process_checks_once_whatever_its_workers() {
    let (_, upstream) = switchable();
    let gateway = gateway(&services(&[upstream.address], ONCE))
        .workers(4)
        .start();
    until("the first check, at once", || checks(&upstream) == 1);
    for _ in 0..20 {
        assert_eq!(gateway.get("/a", "").status, 200);
    }
    assert_eq!(checks(&upstream), 1);
    let check = upstream
        .received()
        .into_iter()
        .find(|request| request.line().contains("/healthz"))
        .unwrap();
    assert_eq!(check.fields("host"), [upstream.address.to_string()]);
    assert!(
        check.fields("user-agent")[0].starts_with("gatelatch/"),
        "{check:?}"
    );
}

#[test]
fn a_reload_keeps_what_is_known_of_a_server_that_stays() {
    let (healthy, upstream) = switchable();
    healthy.store(false, Ordering::SeqCst);
    let gateway = gateway(&services(&[upstream.address], ONCE)).start();
    gateway.named_event("server_down");
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("path: /**,", "path: /**, name: other,"),
    );
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/a", "").status, 503);
    assert_eq!(checks(&upstream), 1, "and it is not checked anew");
    // checked otherwise, it is another server
    gateway.replace(
        "gateway.yaml",
        &config.replace("interval: 1h", "interval: 30m"),
    );
    gateway.event("configuration reloaded");
    until("its first check", || checks(&upstream) == 2);
    // without checks nothing speaks against it
    let (before, rest) = config.split_once(", health: {").unwrap();
    let unchecked = format!("{before} {}", rest.split_once('}').unwrap().1);
    gateway.replace("gateway.yaml", &unchecked);
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/a", "").status, 200);
}

#[test]
fn a_check_speaks_what_the_server_speaks() {
    let authority = Authority::new("test");
    let certificate = authority.issue(&["127.0.0.1"]);
    for (tongue, scheme, version) in [
        (Tongue::H2c { streams: 10 }, "h2c", Version::HTTP_2),
        (
            Tongue::Tls(certificate.server(&["h2"], None)),
            "https",
            Version::HTTP_2,
        ),
        (
            Tongue::Tls(certificate.server(&["http/1.1"], None)),
            "https",
            Version::HTTP_11,
        ),
    ] {
        let upstream = Modern::echo(tongue);
        let tls = if scheme == "https" {
            "tls: { ca: ca.crt },"
        } else {
            ""
        };
        let upstream_block = format!(
            "{{ servers: ['{scheme}://UPSTREAM'], {tls} health: {{ path: /healthz, {ONCE} }} }}"
        );
        let services = format!(
            "  all: {{ upstream: {upstream_block}, rules: [ {{ path: /**, allow: anyone }} ] }}"
        );
        let ca = authority.certificate().to_owned();
        let gateway = gateway(&services)
            .upstream(upstream.address)
            .prepare(move |folder| std::fs::write(folder.join("ca.crt"), ca).unwrap())
            .start();
        until("the check", || !upstream.seen().is_empty());
        let check = &upstream.seen()[0];
        assert_eq!((check.version, check.uri.path()), (version, "/healthz"));
        assert_eq!(gateway.get("/a", "").status, 200, "{scheme}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_unhealthy() {
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = gateway(&services(&[address], ONCE)).start();
    let down = gateway.named_event("server_down");
    assert!(
        down["why"]
            .as_str()
            .unwrap()
            .starts_with("no connection to the upstream: Connection refused"),
        "{down}"
    );
    assert_eq!(gateway.get("/a", "").status, 503);
}
