//! A name with two addresses, of which the first swallows packets: whoever connects by that name reaches the second.

use std::net::{SocketAddr, TcpListener};

use crate::support::commands::{folder, gatelatch, text};
use crate::support::{BlackHole, Collector, Gateway, PASSWORD, Redis, Upstream, gateway, until};

const SERVICES: &str = "
  app: { upstream: http://UPSTREAM, rules: [{ path: \"/**\", allow: anyone }] }
";

/// The server by the name that leads to the black hole first.
fn by_name(server: SocketAddr) -> String {
    format!("localhost:{}", server.port())
}

#[test]
fn keys_are_fetched() {
    let issuer = Upstream::saying("{\"keys\":[]}");
    let Some(_hole) = BlackHole::beside(issuer.address) else {
        return;
    };
    let gateway = gateway(SERVICES)
        .upstream(issuer.address)
        .auth(&format!(
            "trusted_issuers: [{{ issuer: idp, jwks: \"http://{}/keys\", audience: api, algorithms: [RS256] }}]",
            by_name(issuer.address)
        ))
        .start();
    until("the keys", || fetches(&gateway, "success") > 0.0);
    assert_eq!(fetches(&gateway, "failure"), 0.0);
}

fn fetches(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric(&format!(
        "gatelatch_jwks_fetches_total{{issuer=\"idp\",outcome=\"{outcome}\"}}"
    ))
}

#[test]
fn a_document_is_fetched() {
    let server =
        Upstream::saying("{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Library\"},\"paths\":{}}");
    let Some(_hole) = BlackHole::beside(server.address) else {
        return;
    };
    let url = format!("http://{}/openapi.json", by_name(server.address));
    let import = gatelatch(folder(&[]).path(), &["import", "--openapi", &url]);
    assert!(import.status.success(), "{}", text(&import.stderr));
}

#[test]
fn spans_reach_the_collector() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let Some(_hole) = BlackHole::beside(collector.address) else {
        return;
    };
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&format!(
            "tracing: {{ otlp: \"http://{}\" }}",
            by_name(collector.address)
        ))
        .start();
    assert_eq!(gateway.get("/", "").status, 200);
    collector.spans(1);
}

#[test]
fn the_store_is_reached() {
    // a Redis chooses no port by itself
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let port = address.port().to_string();
    let Some(_redis) = Redis::start(&["--port", &port, "--bind", "127.0.0.1"]) else {
        return;
    };
    let Some(_hole) = BlackHole::beside(address) else {
        return;
    };
    let upstream = Upstream::saying("hello");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&format!("state: redis://{}/0", by_name(address)))
        .start();
    until("a session", || {
        gateway.login("rita", PASSWORD).status == 200
    });
}

#[test]
fn the_upstream_is_reached() {
    let upstream = Upstream::saying("hello");
    let Some(_hole) = BlackHole::beside(upstream.address) else {
        return;
    };
    let services = SERVICES.replace("UPSTREAM", &by_name(upstream.address));
    let gateway = gateway(&services).start();
    assert_eq!(gateway.get("/", "").status, 200);
}
