//! Clients over TLS: certificates come and go while they are served.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{
    Authority, Certified, Connection, Gateway, GatewayBuilder, TlsClient, Upstream, curl, gateway,
    until,
};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const TLS: &str = "tls: { certificate: tls.crt, private_key: tls.key }";
const MUTUAL: &str = "tls: { certificate: tls.crt, private_key: tls.key, client_ca: ca.crt }";

fn rejected(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric(&format!(
        "gatelatch_rejected_connections_total{{reason=\"{reason}\"}}"
    ))
}

/// A gateway with a certificate for `gateway.test`.
fn secured(upstream: &Upstream, server: &str, certified: Certified) -> GatewayBuilder {
    let prepare = move |folder: &Path| drop(certified.write(folder, "tls"));
    gateway(OPEN)
        .upstream(upstream.address)
        .server(server)
        .prepare(prepare)
}

/// Exchanges certificate and key, one after the other, as deployments do.
fn exchange(gateway: &Gateway, certified: &Certified) {
    gateway.replace("tls.crt", &certified.certificate);
    gateway.replace("tls.key", &certified.key);
    gateway.event("configuration reloaded");
}

#[test]
fn curl_chooses_the_version() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let gateway = secured(&upstream, TLS, authority.issue(&["gateway.test"])).start();
    std::fs::write(gateway.path("ca.crt"), authority.certificate()).unwrap();
    let ca = gateway.path("ca.crt").display().to_string();
    let resolve = format!("gateway.test:{}:127.0.0.1", gateway.address.port());
    let url = format!("https://gateway.test:{}/a", gateway.address.port());
    for (option, version) in [
        ("--http1.1", "1.1"),
        ("--http2", "2"),
        ("--no-alpn", "1.1"),
        ("--tlsv1.3", "2"),
        ("--tls-max=1.2", "2"),
    ] {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let mut arguments = vec!["--cacert", &ca, "--resolve", &resolve, name];
        arguments.extend(Some(value).filter(|value| !value.is_empty()));
        arguments.push(&url);
        let Some(answer) = curl(&arguments) else {
            return;
        };
        assert_eq!(
            (answer.status, answer.version.as_str()),
            (200, version),
            "{option}: {answer:?}"
        );
    }
    let old = curl(&[
        "--cacert",
        &ca,
        "--resolve",
        &resolve,
        "--tls-max",
        "1.1",
        "--tlsv1.0",
        &url,
    ])
    .unwrap();
    assert_eq!(old.status, 0, "{old:?}");
    let stranger = curl(&["--resolve", &resolve, &url]).unwrap();
    assert_eq!(stranger.code, Some(60), "{stranger:?}");
}

#[test]
fn what_is_no_handshake_is_refused_and_a_look_is_not() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let server = format!("{TLS}, timeouts: {{ handshake: 300ms }}");
    let gateway = secured(&upstream, &server, authority.issue(&["gateway.test"])).start();
    drop(Connection::open(gateway.address));
    let plain = Connection::open(gateway.address)
        .write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_to_end();
    assert!(
        plain.starts_with("HTTP/1.1 400 ") && plain.ends_with("This port speaks HTTPS, not HTTP\n"),
        "{plain:?}"
    );
    let event = gateway.named_event("connection_rejected");
    assert_eq!(
        (&event["reason"], &event["client_ip"]),
        (&"handshake".into(), &"127.0.0.1".into()),
        "{event}"
    );
    assert!(event["detail"].as_str().is_some(), "{event}");
    for slow in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        Connection::open(gateway.address).write(slow).read_to_end();
    }
    until("all but the look are counted", || {
        rejected(&gateway, "handshake") == 4.0
    });
    let client = TlsClient::new(&[authority.certificate()], None);
    assert!(
        client
            .get(gateway.address, "/")
            .unwrap()
            .answer
            .starts_with("HTTP/1.1 200")
    );
}

#[test]
fn deadlines_and_refusals_are_told_over_tls_as_well() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let server = format!("{TLS}, timeouts: {{ header: 300ms, idle: 300ms }}");
    let gateway = secured(&upstream, &server, authority.issue(&["gateway.test"])).start();
    let client = TlsClient::new(&[authority.certificate()], None);
    let say = |bytes: &str| {
        let mut stream = client.connect(gateway.address).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut answer = String::new();
        // an end without a farewell of TLS is an error here
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(say("GET / HT").starts_with("HTTP/1.1 408 "));
    assert!(say("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert!(say("GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert_eq!(
        (
            rejected(&gateway, "timeout"),
            rejected(&gateway, "malformed")
        ),
        (1.0, 1.0)
    );
}

#[test]
fn a_client_that_must_have_a_certificate_is_refused_without() {
    let (upstream, servers, clients) = (
        Upstream::saying("hi"),
        Authority::new("servers"),
        Authority::new("clients"),
    );
    let certificate = clients.certificate().to_owned();
    let gateway = secured(&upstream, MUTUAL, servers.issue(&["gateway.test"]));
    let certified = servers.issue(&["gateway.test"]);
    let prepare = move |folder: &Path| {
        certified.write(folder, "tls");
        std::fs::write(folder.join("ca.crt"), certificate).unwrap();
    };
    let gateway = gateway.prepare(prepare).start();
    let get = |own: Option<&Certified>| {
        TlsClient::new(&[servers.certificate()], own).get(gateway.address, "/a")
    };
    for (own, alert) in [
        (None, "CertificateRequired"),
        (Some(&servers.issue(&["stranger"])), "UnknownCA"),
    ] {
        let error = get(own).unwrap_err().to_string();
        assert!(error.contains(alert), "{error}");
    }
    until("both are counted", || {
        rejected(&gateway, "handshake") == 2.0
    });
    assert!(
        get(Some(&clients.issue(&["friend"])))
            .unwrap()
            .answer
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(upstream.received().len(), 1);
}

#[test]
fn a_certificate_is_exchanged_under_load_without_a_failed_request() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let (first, second) = (
        authority.issue(&["gateway.test"]),
        authority.issue(&["gateway.test"]),
    );
    let gateway = secured(&upstream, TLS, first).start();
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut kept = TlsClient::new(&[authority.certificate()], None)
        .connect(gateway.address)
        .unwrap();
    let mut ask_kept = || {
        kept.write_all(b"GET /kept HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
            .unwrap();
        let mut answer = [0; 15];
        kept.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\nhi") {
            let mut byte = [0];
            kept.read_exact(&mut byte).unwrap();
            rest.extend(byte);
        }
    };
    ask_kept();
    let certificates = std::thread::scope(|scope| {
        let load = |_| {
            scope.spawn(|| {
                let mut seen = std::collections::BTreeSet::new();
                while !over.load(Ordering::SeqCst) {
                    // a client of its own each time: nothing is resumed
                    let client = TlsClient::new(&[authority.certificate()], None);
                    let shaken = client.get(gateway.address, "/load").unwrap();
                    assert!(shaken.answer.starts_with("HTTP/1.1 200"), "{shaken:?}");
                    seen.insert(shaken.certificate);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                seen
            })
        };
        let threads: Vec<_> = (0..3).map(load).collect();
        until("the load is on", || answered.load(Ordering::SeqCst) > 30);
        exchange(&gateway, &second);
        let then = answered.load(Ordering::SeqCst);
        until("more are answered", || {
            answered.load(Ordering::SeqCst) > then + 30
        });
        over.store(true, Ordering::SeqCst);
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(
        certificates.len(),
        2,
        "the old one before, the new one after"
    );
    ask_kept();
    assert_eq!(
        rejected(&gateway, "handshake"),
        0.0,
        "{}",
        gateway.metrics()
    );
}

#[test]
fn a_key_that_does_not_belong_is_never_applied() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let gateway = secured(&upstream, TLS, authority.issue(&["gateway.test"])).start();
    let client = TlsClient::new(&[authority.certificate()], None);
    let before = client.get(gateway.address, "/").unwrap();
    gateway.replace("tls.key", &authority.issue(&["gateway.test"]).key);
    let problem = gateway.event("does not belong to the certificate");
    assert_eq!(
        (&problem["level"], &problem["code"]),
        (&"ERROR".into(), &"invalid-certificate".into()),
        "{problem}"
    );
    gateway.event("configuration not reloaded");
    assert_eq!(
        client.get(gateway.address, "/").unwrap().certificate,
        before.certificate
    );
    assert!(
        !gateway.printed().contains("BEGIN"),
        "{}",
        gateway.printed()
    );
}

#[test]
fn sessions_are_resumed_over_another_certificate_but_not_over_another_client_ca() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let (old, new) = (Authority::new("old clients"), Authority::new("new clients"));
    let (certified, certificate) = (
        authority.issue(&["gateway.test"]),
        old.certificate().to_owned(),
    );
    let prepare = move |folder: &Path| {
        certified.write(folder, "tls");
        std::fs::write(folder.join("ca.crt"), certificate).unwrap();
    };
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server(MUTUAL)
        .prepare(prepare)
        .start();
    let friend = old.issue(&["friend"]);
    let client = TlsClient::new(&[authority.certificate()], Some(&friend));
    let resumed = || client.get(gateway.address, "/").unwrap().resumed;
    assert!(!resumed() && resumed(), "the second time");
    exchange(&gateway, &authority.issue(&["gateway.test"]));
    assert!(resumed(), "over another certificate");
    gateway.replace(
        "ca.crt",
        &format!("{}{}", new.certificate(), old.certificate()),
    );
    gateway.event("configuration reloaded");
    assert!(
        !resumed() && resumed(),
        "over another client_ca it is checked again"
    );
    gateway.replace("ca.crt", new.certificate());
    gateway.event("configuration reloaded");
    assert!(
        client.get(gateway.address, "/").is_err(),
        "the ticket of a client that is not let in any more is void"
    );
}

#[test]
fn tls_comes_and_goes_with_a_restart() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let gateway = secured(&upstream, TLS, authority.issue(&["gateway.test"])).start();
    let config = gateway.read("gateway.yaml");
    gateway.replace("gateway.yaml", &config.replace(&format!(", {TLS}"), ""));
    let warning = gateway.event("take effect at the next start");
    assert_eq!(
        warning["message"],
        "these changes take effect at the next start: whether there is a `server.tls`"
    );
    gateway.event("configuration reloaded");
    let client = TlsClient::new(&[authority.certificate()], None);
    assert!(
        client
            .get(gateway.address, "/")
            .unwrap()
            .answer
            .starts_with("HTTP/1.1 200"),
        "it goes on as it was"
    );
}

#[test]
fn an_expired_certificate_is_served_with_a_warning() {
    let upstream = Upstream::saying("hi");
    let expired = Authority::new("test").issue_until(&["gateway.test"], 2021);
    let gateway = secured(&upstream, TLS, expired).start();
    assert!(
        gateway.printed().contains("expired on 2021-"),
        "{}",
        gateway.printed()
    );
    let Some(answer) = curl(&["--insecure", &format!("https://{}/a", gateway.address)]) else {
        return;
    };
    assert_eq!(answer.status, 200, "{answer:?}");
}
