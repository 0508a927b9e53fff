//! Upstreams behind TLS: who is believed, who the gateway says it is, and what is spoken then.

use http::Version;

use crate::support::{
    Authority, Certified, Gateway, GatewayBuilder, Modern, RawUpstream, Tongue, gateway,
};

const OPEN: &str = "
  all:
    upstream: { servers: [https://UPSTREAM], tls: { TLS }, timeouts: { connect: 5s }, retries: 0 }
    rules: [ { path: /**, allow: anyone } ]
";

const BOTH: [&str; 2] = ["h2", "http/1.1"];

/// A service with a certificate for 127.0.0.1 that offers these protocols.
fn serve(authority: &Authority, protocols: &[&str]) -> Modern {
    Modern::echo(Tongue::Tls(
        authority.issue(&["127.0.0.1"]).server(protocols, None),
    ))
}

/// A gateway that believes this authority, with further entries of `tls`.
fn believing(authority: &Authority, tls: &str) -> GatewayBuilder {
    let certificate = authority.certificate().to_owned();
    let services = OPEN.replace("TLS", &format!("ca: ca.crt, {tls}"));
    gateway(&services)
        .workers(1)
        .prepare(move |folder| std::fs::write(folder.join("ca.crt"), certificate).unwrap())
}

fn assert_refused(gateway: &Gateway, path: &str, why: &str) {
    let answer = gateway.get(path, "");
    assert_eq!(
        (answer.status, answer.json()["detail"].as_str()),
        (502, Some("The upstream cannot be reached"))
    );
    let line = gateway.line(path);
    assert!(line["reason"].as_str().unwrap().contains(why), "{line}");
    let series = "gatelatch_upstream_errors_total{service=\"all\",kind=\"connect\"}";
    assert!(gateway.metric(series) >= 1.0, "{}", gateway.metrics());
}

#[test]
fn what_both_sides_speak_is_spoken() {
    let authority = Authority::new("test");
    for (offered, spoken) in [
        (&BOTH[..], Version::HTTP_2),
        (&BOTH[..1], Version::HTTP_2),
        (&BOTH[1..], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let upstream = serve(&authority, offered);
        let gateway = believing(&authority, "").upstream(upstream.address).start();
        for path in ["/a", "/b"] {
            assert_eq!(gateway.get(path, "").body, path);
        }
        let versions: Vec<_> = upstream.seen().iter().map(|seen| seen.version).collect();
        assert_eq!(
            (versions, upstream.connections()),
            (vec![spoken; 2], 1),
            "{offered:?}"
        );
        assert_eq!(
            gateway.line("/a")["upstream"],
            format!("https://{}", upstream.address)
        );
        if spoken == Version::HTTP_2 {
            assert_eq!(upstream.seen()[0].uri, "https://gateway.test/a");
        }
    }
}

#[test]
fn requests_at_once_share_what_can_be_shared() {
    let authority = Authority::new("test");
    let turn = std::sync::Arc::new(tokio::sync::Barrier::new(8));
    for offered in [&BOTH[..], &BOTH[1..]] {
        let turn = std::sync::Arc::clone(&turn);
        let tongue = Tongue::Tls(authority.issue(&["127.0.0.1"]).server(offered, None));
        let upstream = Modern::new(tongue, move |_| {
            let turn = std::sync::Arc::clone(&turn);
            async move {
                // none is answered before the last one has come
                turn.wait().await;
                crate::support::said("hi")
            }
        });
        let gateway = believing(&authority, "").upstream(upstream.address).start();
        let address = gateway.address;
        let asked: Vec<_> = (0..8)
            .map(|_| std::thread::spawn(move || crate::support::get(address, "/a", "").status))
            .collect();
        assert!(
            asked
                .into_iter()
                .all(|thread| thread.join().unwrap() == 200)
        );
        assert_eq!(
            upstream.connections(),
            if offered == BOTH { 1 } else { 8 },
            "{offered:?}"
        );
    }
}

#[test]
fn a_stranger_is_refused() {
    let upstream = serve(&Authority::new("stranger"), &BOTH);
    let gateway = believing(&Authority::new("test"), "")
        .upstream(upstream.address)
        .start();
    assert_refused(
        &gateway,
        "/a",
        "no TLS with the upstream: invalid peer certificate: UnknownIssuer",
    );
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_certificate_for_somebody_else_is_refused_unless_it_is_the_one_expected() {
    let authority = Authority::new("test");
    let upstream = Modern::echo(Tongue::Tls(
        authority.issue(&["api.internal"]).server(&BOTH, None),
    ));
    let gateway = believing(&authority, "").upstream(upstream.address).start();
    assert_refused(&gateway, "/a", "certificate not valid for name");
    let gateway = believing(&authority, "server_name: api.internal")
        .upstream(upstream.address)
        .start();
    assert_eq!(gateway.get("/a", "").body, "/a");
}

#[test]
fn without_an_authority_the_system_is_believed() {
    let authority = Authority::new("test");
    let upstream = serve(&authority, &BOTH);
    let services = OPEN.replace("tls: { TLS }, ", "");
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.crt");
    std::fs::write(&roots, authority.certificate()).unwrap();
    let system = gateway(&services)
        .upstream(upstream.address)
        .variable("SSL_CERT_FILE", roots.to_str().unwrap());
    assert_eq!(system.start().get("/a", "").body, "/a");
    // a system without any: what is built in does not know the authority either
    std::fs::write(&roots, "").unwrap();
    let none = gateway(&services)
        .upstream(upstream.address)
        .variable("SSL_CERT_FILE", roots.to_str().unwrap());
    assert_refused(&none.start(), "/a", "UnknownIssuer");
}

fn with_identity(
    builder: GatewayBuilder,
    authority: &Authority,
    identity: &Certified,
) -> GatewayBuilder {
    let (authority, certificate, key) = (
        authority.certificate().to_owned(),
        identity.certificate.clone(),
        identity.key.clone(),
    );
    builder.prepare(move |folder| {
        for (name, text) in [
            ("ca.crt", authority),
            ("client.crt", certificate),
            ("client.key", key),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    })
}

#[test]
fn a_server_that_asks_who_it_is_is_told() {
    let (authority, clients) = (Authority::new("test"), Authority::new("clients"));
    let upstream = Modern::echo(Tongue::Tls(
        authority
            .issue(&["127.0.0.1"])
            .server(&BOTH, Some(&clients)),
    ));
    let anonymous = believing(&authority, "").upstream(upstream.address).start();
    assert_eq!(anonymous.get("/a", "").status, 502);
    let tls = "client_certificate: client.crt, client_key: client.key";
    let known = believing(&authority, tls).upstream(upstream.address);
    let known = with_identity(known, &authority, &clients.issue(&["gateway"])).start();
    assert_eq!(known.get("/a", "").body, "/a");
    let stranger = believing(&authority, tls).upstream(upstream.address);
    let stranger = with_identity(
        stranger,
        &authority,
        &Authority::new("other").issue(&["gateway"]),
    )
    .start();
    assert_eq!(stranger.get("/a", "").status, 502);
}

#[test]
fn files_of_tls_are_watched() {
    let authority = Authority::new("test");
    let upstream = serve(&authority, &BOTH);
    let gateway = believing(&Authority::new("former"), "")
        .upstream(upstream.address)
        .start();
    assert_refused(&gateway, "/a", "UnknownIssuer");
    gateway.replace("ca.crt", authority.certificate());
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/b", "").body, "/b");
    gateway.replace("ca.crt", "no certificate");
    gateway.event("configuration not reloaded");
    assert_eq!(gateway.get("/c", "").body, "/c");
    assert_eq!(upstream.connections(), 2, "one was refused, one goes on");
}

#[test]
fn a_handshake_that_does_not_come_is_a_connection_that_does_not_come() {
    let upstream = RawUpstream::new(|mut wire, _| {
        wire.drain();
    });
    let services = OPEN
        .replace("tls: { TLS }, ", "")
        .replace("connect: 5s", "connect: 300ms");
    let gateway = gateway(&services).upstream(upstream.address).start();
    assert_eq!(gateway.get("/a", "").status, 504);
    let series = "gatelatch_upstream_errors_total{service=\"all\",kind=\"connect_timeout\"}";
    assert_eq!(gateway.metric(series), 1.0, "{}", gateway.metrics());
}
