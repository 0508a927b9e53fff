//! Envoy's external authorization over gRPC: the answers field by field, and what Envoy never sends.

use sha2::{Digest, Sha256};

use crate::cookies::made_with;
use crate::support::checks::{
    ADD_IF_ABSENT, APPEND, Added, CHECK, Called, Check, OVERWRITE, Verdict, call, call_without_end,
    framed,
};
use crate::support::{Gateway, GatewayBuilder, NAVIGATION, gateway, hash, send, sign_in, until};

const SERVICES: &str = "
  app:
    hosts: [app.test]
    upstream: http://127.0.0.1:9
    response_headers: { X-Operator: here }
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: /inside, allow: { networks: [10.0.0.0/8] } }
      - { path: /socket, allow: authenticated }
  kept:
    hosts: [kept.test]
    upstream: http://127.0.0.1:9
    identity:
      authorization: forward
      headers: { X-Forwarded-User: sub, X-Tenant: tenant }
      pass: [x-remote-user]
    rules: [ { path: /**, allow: anyone } ]
";

/// Field lines that Envoy writes itself, or that are nobody's identity.
const ENVOYS: &str = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Request-Id: 4f1c\r\n\
     X-Envoy-External-Address: 192.0.2.7\r\nAccept: */*\r\nUser-Agent: curl\r\nX-Custom: 1\r\n";

const FORGED: [&str; 12] = [
    "remote-user",
    "remote_groups",
    "remote.name",
    "remote-tenant",
    "x-remote-user",
    "x_remote-user",
    "x-webauth-user",
    "x-forwarded-user",
    "x-auth-request-email",
    "x-gatelatch-user",
    "x-real-ip",
    "new-uri",
];

fn trusting() -> GatewayBuilder {
    gateway(SERVICES).server("trusted_proxies: [127.0.0.1, 10.9.0.0/16]")
}

fn key() -> String {
    format!("glk_{}A", "k".repeat(42))
}

fn with_key(builder: GatewayBuilder) -> GatewayBuilder {
    let hex: String = Sha256::digest(key())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    builder.users(&format!(
        "users:\n  rita: {{ password: \"{}\", roles: [recruiter], api_keys: [{{ name: k, hash: \"sha256:{hex}\" }}] }}\n",
        hash()
    ))
}

fn get(url: &str, fields: &str) -> Check {
    Check::new("GET", url, fields)
}

/// Both forms of the same request.
fn both(check: &Check) -> [Check; 2] {
    [check.clone(), check.merged()]
}

fn set(name: &str, value: &str) -> Added {
    Added {
        name: name.to_owned(),
        value: value.to_owned(),
        action: OVERWRITE,
    }
}

#[test]
fn a_permitted_request_gets_its_identity_and_no_other() {
    let gateway = trusting().start();
    let forged: String = FORGED
        .iter()
        .map(|name| format!("{name}: admin\r\n"))
        .collect();
    let rita = gateway.bearer("rita");
    for check in both(&get(
        "http://app.test/jobs",
        &format!("{rita}{ENVOYS}{forged}"),
    )) {
        let verdict = check.ask(&gateway);
        assert_eq!((verdict.code, verdict.denied), (0, None), "{verdict:?}");
        let mut given = verdict.set.clone();
        given.sort_by(|one, other| one.name.cmp(&other.name));
        let expected = [
            set("remote-email", "rita@example.com"),
            set("remote-groups", "recruiter"),
            set("remote-name", "Rita Recruiter"),
            set("remote-user", "rita"),
            set("x-forwarded-host", "app.test"),
        ];
        assert_eq!(
            given, expected,
            "what is appended would stand beside the client's"
        );
        let mut gone: Vec<&str> = FORGED
            .into_iter()
            .filter(|name| *name != "remote-user")
            .collect();
        gone.push("authorization");
        gone.sort_unstable();
        assert_eq!(verdict.removed, gone);
        assert!(verdict.to_client.is_empty(), "{verdict:?}");
    }
}

#[test]
fn nobodys_identity_is_removed_whether_it_was_seen_or_not() {
    let gateway = trusting().start();
    for fields in ["", "remote-user: admin\r\n", "Remote_User: admin\r\n"] {
        for check in both(&get("http://app.test/public/x", fields)) {
            let verdict = check.ask(&gateway);
            for name in [
                "remote-user",
                "remote-groups",
                "remote-name",
                "remote-email",
            ] {
                assert!(verdict.removes(name), "{verdict:?}");
            }
            let (name, _) = fields.split_once(':').unwrap_or(("remote-user", ""));
            assert!(verdict.removes(&name.to_lowercase()), "{verdict:?}");
            assert_eq!(verdict.set, [set("x-forwarded-host", "app.test")]);
        }
    }
}

#[test]
fn what_a_service_lets_pass_and_maps_counts() {
    let gateway = trusting().start();
    let (carl, sent) = (
        gateway.bearer("carl"),
        "X-Remote-User: a\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\nX_Tenant: b\r\n",
    );
    let verdict = get("http://kept.test/", &format!("{carl}{sent}")).ask(&gateway);
    assert_eq!(verdict.field("x-forwarded-user"), "carl");
    assert_eq!(verdict.field("x-tenant"), "acme");
    assert_eq!(
        verdict.removed,
        ["x-forwarded-port", "x-forwarded-prefix", "x_tenant"]
    );
}

#[test]
fn no_credential_of_the_gateway_passes() {
    let gateway = with_key(trusting()).start();
    let (session, rita) = (sign_in(&gateway, "rita"), gateway.bearer("rita"));
    let session = session.trim_start_matches("Cookie: ").trim_end().to_owned();
    let key = key();
    for (path, fields, user, removed, cookie) in [
        ("/jobs", rita, "rita", "authorization", ""),
        (
            "/jobs",
            format!("X-Api-Key: {key}\r\n"),
            "rita",
            "x-api-key",
            "",
        ),
        (
            "/jobs",
            format!("Authorization: Bearer {key}\r\n"),
            "rita",
            "authorization",
            "",
        ),
        (
            "/jobs",
            format!("Cookie: {session}\r\n"),
            "rita",
            "cookie",
            "",
        ),
        (
            "/jobs",
            format!("Cookie: a=1; {session}; b=\"2 3\"\r\n"),
            "rita",
            "",
            "a=1; b=\"2 3\"",
        ),
        (
            "/jobs",
            format!("Cookie: a=1\r\nCookie: {session}\r\n"),
            "rita",
            "",
            "a=1",
        ),
        (
            "/public/x",
            "Cookie: a=1; gatelatch=old\r\n".to_owned(),
            "",
            "",
            "a=1",
        ),
        (
            "/public/x",
            "Cookie: a=1; __Host-gatelatch=old\r\n".to_owned(),
            "",
            "",
            "a=1",
        ),
        (
            "/public/x",
            "X-Api-Key: of-the-app\r\n".to_owned(),
            "",
            "",
            "",
        ),
        (
            "/public/x",
            "Authorization: Basic eDp5\r\nCookie: a=1\r\n".to_owned(),
            "",
            "",
            "",
        ),
        (
            "/public/x",
            "Proxy-Authorization: Basic eDp5\r\n".to_owned(),
            "",
            "proxy-authorization",
            "",
        ),
    ] {
        let check = get(&format!("http://app.test{path}"), &fields);
        let merged = check.merged();
        for check in [check, merged] {
            let verdict = check.ask(&gateway);
            assert_eq!(verdict.code, 0, "{fields}: {verdict:?}");
            assert_eq!(verdict.field("remote-user"), user, "{fields}");
            assert_eq!(verdict.field("cookie"), cookie, "{fields}");
            for name in [
                "authorization",
                "x-api-key",
                "cookie",
                "proxy-authorization",
            ] {
                assert_eq!(
                    verdict.removes(name),
                    name == removed,
                    "{fields}: {verdict:?}"
                );
            }
        }
    }
    let own = format!("Authorization: Bearer {}x\r\n", gateway.token("rita"));
    let verdict = get("http://app.test/public/x", &own).ask(&gateway);
    assert!(
        verdict.removes("authorization"),
        "what is refused today may be accepted tomorrow"
    );
    let forwarded = get("http://kept.test/", &gateway.bearer("rita")).ask(&gateway);
    assert!(!forwarded.removes("authorization"), "{forwarded:?}");
}

/// Envoy takes text alone: of cookies that are none, as of all others, only the gateway's may be missing.
#[test]
fn cookies_of_any_bytes_stay_where_none_is_the_gateways() {
    let gateway = trusting().start();
    let with = |cookies: &[u8]| {
        let mut check = get("http://app.test/public/x", "");
        check.fields.push(("cookie".to_owned(), cookies.to_vec()));
        check.ask(&gateway)
    };
    let untouched = with(b"a=\xff; b=2");
    assert!(untouched.field("cookie").is_empty() && !untouched.removes("cookie"));
    assert_eq!(with(b"a=\xff; gatelatch=x; b=2").field("cookie"), "b=2");
}

#[test]
fn a_denial_is_what_the_client_gets() {
    let gateway = trusting().start();
    let carl = gateway.bearer("carl");
    let bearer = "Bearer realm=\"gatelatch\"";
    for (method, fields, code, status, challenge) in [
        ("GET", "", 16, 401, bearer.to_owned()),
        (
            "GET",
            "Authorization: Bearer x.y.z\r\n",
            16,
            401,
            format!(
                "{bearer}, error=\"invalid_token\", error_description=\"The access token is malformed\""
            ),
        ),
        (
            "POST",
            &carl,
            7,
            403,
            format!("{bearer}, error=\"insufficient_scope\""),
        ),
        ("DELETE", &carl, 7, 403, String::new()),
    ] {
        let verdict = Check::new(method, "http://app.test/jobs", fields).ask(&gateway);
        assert_eq!(
            (verdict.code, verdict.denied),
            (code, Some(status)),
            "{verdict:?}"
        );
        let challenged = verdict.field("www-authenticate");
        assert_eq!(
            challenged.split(" error_description").next(),
            challenge.split(" error_description").next()
        );
        assert_eq!(verdict.field("content-type"), "application/problem+json");
        assert_eq!(verdict.field("cache-control"), "no-store");
        assert_eq!(verdict.field("x-operator"), "here");
        let told: serde_json::Value = serde_json::from_str(&verdict.body).unwrap();
        assert_eq!(told["status"], status);
        assert!(
            verdict.set.iter().all(|added| added.action == OVERWRITE),
            "{verdict:?}"
        );
    }
}

#[test]
fn people_get_pages() {
    let gateway = trusting().start();
    let url = "https://app.test:8443/jobs?a=1";
    let page = get(url, NAVIGATION).ask(&gateway);
    assert_eq!((page.code, page.denied), (16, Some(303)), "{page:?}");
    assert_eq!(
        page.field("location"),
        "https://app.test:8443/auth/login?next=/jobs%3Fa%3D1"
    );
    let session = sign_in(&gateway, "rita");
    let refused = get(
        "http://app.test/elsewhere",
        &format!("{session}{NAVIGATION}"),
    )
    .ask(&gateway);
    assert_eq!(refused.denied, Some(403), "{refused:?}");
    assert!(
        refused.field("content-type").starts_with("text/html"),
        "{refused:?}"
    );
    assert!(refused.body.contains("rita"), "{}", refused.body);
    assert_eq!(
        refused.field("content-length"),
        "",
        "Envoy frames its answer itself"
    );
    let head = Check::new("HEAD", "http://app.test/elsewhere", NAVIGATION).ask(&gateway);
    assert_eq!(
        (head.denied, head.body.as_str()),
        (Some(403), ""),
        "{head:?}"
    );
}

#[test]
fn sessions_count_and_other_sites_cannot_use_them() {
    let gateway = trusting().start();
    let session = sign_in(&gateway, "rita");
    let host = session.replace("gatelatch=", "__Host-gatelatch=");
    for (method, url, fields, expected) in [
        ("GET", "http://app.test/jobs", session.clone(), 200),
        ("GET", "https://app.test/jobs", session.clone(), 401),
        ("GET", "https://app.test/jobs", host.clone(), 200),
        (
            "GET",
            "http://app.test/jobs",
            format!("{host}X-Forwarded-Proto: https\r\n"),
            200,
        ),
        ("POST", "http://app.test/jobs", session.clone(), 403),
        (
            "POST",
            "http://app.test/jobs",
            format!("{session}Origin: http://app.test\r\n"),
            200,
        ),
        (
            "POST",
            "http://app.test/jobs",
            format!("{session}Origin: http://evil.test\r\n"),
            403,
        ),
        (
            "GET",
            "http://app.test/socket",
            format!("{session}Upgrade: websocket\r\n"),
            403,
        ),
        (
            "GET",
            "http://app.test/socket",
            format!("{session}Upgrade: websocket\r\nOrigin: http://app.test\r\n"),
            200,
        ),
    ] {
        for check in both(&Check::new(method, url, &fields)) {
            let verdict = check.ask(&gateway);
            assert_eq!(
                verdict.status(),
                expected,
                "{method} {url} {fields}: {verdict:?}"
            );
        }
    }
}

/// Envoy's own idea of its client counts, and behind another trusted proxy what that one wrote.
#[test]
fn the_address_is_envoys_and_no_clients() {
    let gateway = trusting().start();
    for (source, chain, expected) in [
        (Some("10.1.2.3"), "", 200),
        (Some("::ffff:10.1.2.3"), "", 200),
        (Some("192.0.2.7"), "", 403),
        (Some("192.0.2.7"), "10.1.2.3", 403),
        (Some("192.0.2.7"), "10.1.2.3, 192.0.2.7", 403),
        (Some("10.9.0.1"), "10.1.2.3", 200),
        (Some("10.9.0.1"), "10.1.2.3, 10.9.0.1", 200),
        (Some("10.9.0.1"), "10.1.2.3, 192.0.2.7", 403),
        (Some("10.9.0.1"), "10.1.2.3, 192.0.2.7, 10.9.0.1", 403),
        (
            Some("10.9.0.1"),
            "10.1.2.3, 192.0.2.7, 10.9.0.1, 10.9.0.2",
            403,
        ),
        (
            Some("10.9.0.2"),
            "192.0.2.7, 10.1.2.3, 10.9.0.1, 10.9.0.2",
            200,
        ),
        (Some("10.9.0.1"), "rubbish, 10.9.0.1", 403),
        (Some(""), "10.1.2.3", 403),
        (Some("localhost"), "10.1.2.3", 403),
        (None, "10.1.2.3", 403),
    ] {
        let fields = match chain {
            "" => String::new(),
            chain => format!("X-Forwarded-For: {chain}\r\n"),
        };
        for check in both(&get("http://app.test/inside", &fields).from(source)) {
            assert_eq!(check.ask(&gateway).status(), expected, "{source:?} {chain}");
        }
    }
}

#[test]
fn what_a_proxy_before_envoy_wrote_stays() {
    let gateway = trusting().start();
    let fields = "X-Forwarded-Host: shown.test\r\nX-Forwarded-Port: 8443\r\nForwarded: for=10.1.2.3\r\n\
         X-Forwarded_Host: evil.test\r\nX-Forwarded-User: admin\r\n";
    for (source, removed) in [
        ("192.0.2.7", &["forwarded", "x-forwarded-port"][..]),
        ("10.9.0.1", &[]),
    ] {
        let verdict = get("http://app.test/public/x", fields)
            .from(Some(source))
            .ask(&gateway);
        assert_eq!(verdict.field("x-forwarded-host"), "app.test");
        for name in ["forwarded", "x-forwarded-port"] {
            assert_eq!(
                verdict.removes(name),
                removed.contains(&name),
                "{source}: {verdict:?}"
            );
        }
        assert!(verdict.removes("x-forwarded_host") && verdict.removes("x-forwarded-user"));
    }
}

/// With `failure_mode_allow`, Envoy lets pass what it got an error for: a client must not be able to cause one.
#[test]
fn what_a_client_can_cause_is_a_denial() {
    let gateway = trusting().start();
    let rita = gateway.bearer("rita");
    let public = "http://app.test/public/x";
    let twice = format!("{rita}{rita}");
    let (long, many) = (
        format!("{public}?{}", "x".repeat(20_000)),
        (0..200)
            .map(|number| format!("x-{number}: 1\r\n"))
            .collect::<String>(),
    );
    for (method, url, fields, expected) in [
        ("get", public, "", 400),
        ("TRACE", public, "", 405),
        ("CONNECT", public, "", 405),
        ("G T", public, "", 400),
        ("GET", "http://a b/public/x", "", 400),
        ("GET", "http://app.test, b.test/public/x", "", 400),
        ("GET", "ftp://app.test/public/x", "", 400),
        ("GET", "http://app.test/public/../jobs", "", 400),
        ("GET", "http://app.test/public/%2e%2e/jobs", "", 400),
        ("GET", "http://app.test/public//x", "", 400),
        ("GET", "http://app.test/public/x#y", "", 400),
        ("GET", "http://app.test/public/x?a#y", "", 400),
        ("GET", &long, "", 414),
        ("GET", public, &many, 431),
        ("GET", public, &twice, 400),
        (
            "GET",
            public,
            "Authorization: Basic eA==\r\nAuthorization: Bearer x\r\n",
            400,
        ),
        ("GET", public, "X-Api-Key: a\r\nX-Api-Key: glk_a\r\n", 400),
        ("GET", public, "X-Forwarded-Proto: gopher\r\n", 400),
        ("COPY", public, "", 400),
        (
            "COPY",
            public,
            "Destination: /public/a\r\nDestination: /jobs\r\n",
            400,
        ),
        (
            "COPY",
            public,
            "Destination: /public/a\r\nDestination: http://app.test/jobs\r\n",
            400,
        ),
        ("COPY", public, "Destination: /jobs\r\n", 403),
        (
            "COPY",
            public,
            "Destination: http://evil.test/public/b\r\n",
            502,
        ),
        ("COPY", public, "Destination: /public/b\r\n", 200),
        ("COPY", public, "Destination: /public/b,c\r\n", 200),
        ("GET", public, "X-Name: Zoë\r\n", 200),
        ("GET", "http://elsewhere.test/", "", 403),
        ("GET", "http://app.test:8080/public/x", "", 200),
    ] {
        for check in both(&Check::new(method, url, fields)) {
            let verdict = check.ask(&gateway);
            assert_eq!(
                verdict.status(),
                expected,
                "{method} {url} {fields}: {verdict:?}"
            );
            assert_eq!(verdict.code == 0, expected == 200, "{verdict:?}");
        }
    }
    let mut nameless = get(public, "");
    for (name, value) in [
        ("a b", "1"),
        ("", "1"),
        ("é", "1"),
        ("x", "a\r\nremote-user: b"),
        ("x", "\0"),
    ] {
        nameless.fields = vec![(name.to_owned(), value.into())];
        for check in both(&nameless) {
            assert_eq!(check.ask(&gateway).status(), 400, "{name:?}: {value:?}");
        }
    }
}

/// A client can send an empty host, and more header fields than are read: Envoy lets pass what it got an error for, where it is
/// told to.
#[test]
fn neither_an_empty_host_nor_a_long_head_is_an_error_of_the_call() {
    let gateway = trusting().start();
    for host in ["", " "] {
        let check = Check {
            host: host.to_owned(),
            ..get("http://app.test/public/x", "")
        };
        for check in both(&check) {
            assert_eq!(check.ask(&gateway).status(), 400, "{host:?}");
        }
    }
    let long = format!("X-Long: {}\r\n", "x".repeat(1024 * 1024));
    for check in both(&get("http://app.test/public/x", &long)) {
        assert_eq!(check.ask(&gateway).status(), 431);
    }
}

/// A password whose check takes longer than Envoy waits, which a client can bring about.
#[test]
fn a_check_of_a_password_is_over_before_envoy_stops_waiting() {
    let services = "
  app:
    hosts: [app.test]
    upstream: http://127.0.0.1:9
    credentials: [basic]
    rules: [ { path: /**, allow: authenticated } ]
";
    let slow = hash().replace("$04$", "$15$");
    let gateway = gateway(services)
        .server("trusted_proxies: [127.0.0.1]")
        .users(&format!("users:\n  rita: {{ password: \"{slow}\" }}\n"))
        .start();
    let check = get("http://app.test/x", "Authorization: Basic cml0YTp4\r\n");
    let message = framed(&check.message());
    let called = call(gateway.address, CHECK, &[("grpc-timeout", "1S")], message);
    let verdict = Verdict::of(&called);
    assert_eq!(verdict.status(), 503, "{verdict:?}");
}

/// As many lines of `Authorization` as direct, however Envoy writes them.
#[test]
fn joined_credentials_are_as_many_as_were_sent() {
    let gateway = trusting().start();
    let several = [
        "Bearer x\r\nAuthorization: Negotiate z",
        "Negotiate z\r\nAuthorization: Digest a=\"b\"",
        "Digest a=\"b\", c=d\r\nAuthorization: Negotiate",
    ];
    let one = [
        "Digest username=\"a\", realm = \"b, Bearer x\", uri=\"/\", nc=00000001",
        "Negotiate z",
    ];
    for (values, expected) in [(&several[..], 400), (&one, 200)] {
        for value in values {
            let fields = format!("Authorization: {value}\r\n");
            for check in both(&get("http://app.test/public/x", &fields)) {
                assert_eq!(check.ask(&gateway).status(), expected, "{value}");
            }
        }
    }
}

/// Envoy shows whether a request upgrades.
#[test]
fn a_token_among_the_protocols_counts_where_a_websocket_is_opened() {
    let gateway = trusting().start();
    let token = gateway.token("rita");
    let fields =
        format!("Sec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: chat, bearer, {token}\r\n");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for (fields, expected) in [(format!("{upgrade}{fields}"), 200), (fields.clone(), 401)] {
        for check in both(&get("http://app.test/socket", &fields)) {
            assert_eq!(check.ask(&gateway).status(), expected, "{fields}");
        }
    }
}

#[test]
fn what_envoy_never_sends_is_an_error_of_the_call() {
    let gateway = trusting().start();
    let whole = get("http://app.test/public/x", "").message();
    let without = |change: fn(&mut Check)| {
        let mut check = get("http://app.test/public/x", "");
        change(&mut check);
        framed(&check.message())
    };
    let mut compressed = framed(&whole);
    compressed[0] = 1;
    let mut longer = framed(&whole);
    longer.push(0);
    let mut shorter = framed(&whole);
    shorter.pop();
    for (what, body, expected) in [
        ("nothing", Vec::new(), 13),
        ("half a prefix", vec![0, 0], 13),
        ("compressed", compressed, 12),
        ("an unknown flag", vec![2, 0, 0, 0, 0], 13),
        ("more than it says", longer, 13),
        ("less than it says", shorter, 13),
        (
            "two messages",
            [framed(&whole), framed(&whole)].concat(),
            13,
        ),
        ("an empty message", framed(b""), 3),
        ("no protobuf", framed(b"\xff\xff\xff\xff"), 3),
        ("a group that never ends", framed(&[0x0b; 64]), 3),
        ("no attributes", framed(&[0x0a, 0]), 3),
        ("no method", without(|check| check.method.clear()), 3),
        ("no scheme", without(|check| check.scheme.clear()), 3),
    ] {
        let called = call(gateway.address, CHECK, &[], body);
        assert_eq!(
            (called.status, called.grpc_status()),
            (200, expected),
            "{what}: {called:?}"
        );
        assert!(
            called.trailers.is_none() && called.body.is_empty(),
            "{what}: {called:?}"
        );
    }
    let nothing_read = |fields: &[(&str, &str)]| call_without_end(gateway.address, fields);
    for (fields, expected) in [
        (&[("grpc-timeout", "50m")][..], 4),
        (&[("grpc-timeout", "1x")], 3),
    ] {
        let called = nothing_read(fields);
        assert_eq!(called.grpc_status(), expected, "{fields:?}: {called:?}");
    }
    let ask =
        |path: &str, fields: &[(&str, &str)]| call(gateway.address, path, fields, framed(&whole));
    let other = ask("/envoy.service.auth.v3.Authorization/Other", &[]);
    assert_eq!((other.status, other.grpc_status()), (200, 12), "{other:?}");
    for kind in ["", "application/json"] {
        assert_eq!(
            ask(CHECK, &[("content-type", kind)]).status,
            404,
            "{kind}: no call"
        );
    }
    let fine = ask(
        CHECK,
        &[
            ("content-type", "application/grpc+proto"),
            ("grpc-timeout", "5S"),
            ("grpc-encoding", "identity"),
        ],
    );
    assert_eq!(Verdict::of(&fine).code, 0, "{fine:?}");
    assert_eq!(fine.headers["content-type"], "application/grpc");
}

#[test]
fn a_call_over_http_1_says_what_is_missing() {
    let gateway = trusting().start();
    let answer = send(
        gateway.address,
        format!(
            "POST {CHECK} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0"
        ),
    );
    assert_eq!(
        (
            answer.status,
            answer.header("grpc-status"),
            answer.header("grpc-message")
        ),
        (200, "12", "gRPC needs HTTP/2")
    );
}

fn asked(gateway: &Gateway, check: &Check) -> Called {
    call(gateway.address, CHECK, &[], framed(&check.message()))
}

#[test]
fn only_trusted_proxies_may_ask() {
    let gateway = gateway(SERVICES).start();
    let called = asked(&gateway, &get("http://app.test/public/x", ""));
    assert_eq!(
        (called.status, called.grpc_status()),
        (200, 7),
        "{called:?}"
    );
    let line = gateway.line(CHECK);
    assert_eq!(
        (line["decision"].as_str(), line["status"].as_u64()),
        (Some("forbidden"), Some(403)),
        "{line}"
    );
    let rules = "
  all: { upstream: http://127.0.0.1:9, rules: [ { path: /envoy.service.auth.v3.Authorization/Check, allow: anyone } ] }
";
    let (_, told) = crate::support::gateway(rules).fail();
    assert!(told.contains("Envoy"), "{told}");
}

#[test]
fn a_check_is_logged_counted_and_audited_as_the_request_it_is_about() {
    let gateway = trusting().more("log: { audit: audit.log }").start();
    let id = "X-Request-Id: of-envoy\r\n";
    let path = "http://app.test/jobs?secret=1";
    Check::new("POST", path, &format!("{id}{}", gateway.bearer("carl"))).ask(&gateway);
    let line = gateway.line("/jobs");
    for (key, value) in [
        ("method", "POST"),
        ("host", "app.test"),
        ("service", "app"),
        ("decision", "forbidden"),
        ("reason", "role missing"),
        ("user", "carl"),
        ("request_id", "of-envoy"),
    ] {
        assert_eq!(line[key], value, "{key}: {line}");
    }
    assert_eq!(line["status"], 403, "{line}");
    until("the denial is recorded", || {
        let audit = gateway.read("audit.log");
        audit.contains("\"denied\"") && audit.contains("of-envoy")
    });
    get("http://app.test/jobs", &gateway.bearer("carl")).ask(&gateway);
    let metrics = gateway.metrics();
    let counted = |outcome: &str| {
        let mut lines = metrics.lines();
        lines.any(|line| {
            line.starts_with("gatelatch_requests_total{service=\"app\"")
                && line.contains(&format!("decision=\"{outcome}\""))
                && !line.ends_with(" 0")
        })
    };
    assert!(counted("forbidden") && counted("allowed"), "{metrics}");
}

/// Beside the cookies of the service, which what overwrites would take away.
#[test]
fn a_session_is_renewed_in_passing() {
    let gateway = trusting().start();
    let session = made_with("due", "rita", -1000, 800, -9000);
    let renewed = get("http://app.test/jobs", &session)
        .ask(&gateway)
        .to_client;
    let names: Vec<_> = renewed
        .iter()
        .map(|added| (added.name.as_str(), added.action))
        .collect();
    assert_eq!(names, [("set-cookie", APPEND), ("cache-control", APPEND)]);
    assert!(renewed[0].value.starts_with("gatelatch="), "{renewed:?}");
}

#[test]
fn the_token_of_a_websocket_is_taken_out_of_its_protocols() {
    let gateway = trusting().start();
    let token = gateway.token("rita");
    let opened = |protocols: &str| {
        let fields = format!("Upgrade: websocket\r\nSec-WebSocket-Protocol: {protocols}\r\n");
        let check = get("http://app.test/socket", &fields.replace("TOKEN", &token));
        [check.clone(), check.merged()].map(|check| check.ask(&gateway))
    };
    for (protocols, own) in [
        ("bearer, TOKEN", ""),
        ("chat, bearer, TOKEN, json", "chat, json"),
    ] {
        for verdict in opened(protocols) {
            assert_eq!(verdict.field("remote-user"), "rita", "{verdict:?}");
            assert_eq!(verdict.field("sec-websocket-protocol"), own);
            assert_eq!(verdict.removes("sec-websocket-protocol"), own.is_empty());
            let picked = &verdict.to_client[0];
            assert_eq!(
                (&*picked.name, &*picked.value, picked.action),
                ("sec-websocket-protocol", "bearer", ADD_IF_ABSENT)
            );
        }
    }
    for (protocols, status) in [
        ("bearer", 400),
        ("bearer, TOKEN, bearer, TOKEN", 400),
        ("TOKEN", 401),
        ("chat", 401),
    ] {
        for verdict in opened(protocols) {
            assert_eq!(verdict.status(), status, "{protocols}: {verdict:?}");
        }
    }
    let field = format!("Sec-WebSocket-Protocol: bearer, {token}\r\n");
    assert_eq!(
        get("http://app.test/socket", &field).ask(&gateway).status(),
        401
    );
}
