//! What loads, and what it means.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use gatelatch::access::{
    AuthenticationDemand, CaseRule, Claim, ClaimMatch, ClaimValue, Condition, Expected, Methods,
    PathOptions,
};
use gatelatch::access::{Mode, Requirement, RoleMatch, Rule, RuleId, UserMatch};
use gatelatch::config::{Code, Config, Listen, LogFormat, ProxiedTls, ProxyMode, ProxyProtocol};
use gatelatch::session::{AttemptLimits, StateSettings};
use gatelatch::upstream::{Balance, Health, HostHeader, Timeouts};
use gatelatch::wire::{Authorization, ForwardedFields, IdentityField, IdentitySettings};

use super::{Case, repository, schema};

const SMALLEST: &str = "services: { app: { upstream: 'http://127.0.0.1:9000' } }";

fn config(gateway: &str, users: &str) -> Config {
    let case = Case::of(gateway, users);
    match case.load() {
        Ok(loaded) => {
            schema::accepts(&case);
            loaded.config
        }
        Err(problems) => panic!("{}", case.rendered(problems.as_slice())),
    }
}

/// The warnings about `gateway`, without the one about the missing secret.
fn warnings(gateway: &str) -> Vec<(Code, String)> {
    let case = Case::of(gateway, "users: {}");
    let loaded = case.load().unwrap();
    schema::accepts(&case);
    let warnings = loaded
        .warnings
        .into_iter()
        .filter(|problem| problem.code != Code::NoSecret);
    warnings
        .map(|problem| (problem.code, problem.message))
        .collect()
}

fn rules(rules: &str) -> Vec<Rule> {
    let config = config(
        &format!("services: {{ app: {{ upstream: 'http://127.0.0.1:9', rules: [{rules}] }} }}"),
        "users:",
    );
    config.services[0].policy.rules().to_vec()
}

fn allow(text: &str) -> Requirement {
    rules(&format!("{{ path: '/{{id}}', allow: {text} }}"))
        .remove(0)
        .requirement
}

fn tcp(address: &str) -> Listen {
    Listen::Tcp(address.parse().unwrap())
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// The one family has no addresses of the other, and 0 is a port that nobody has yet.
#[test]
fn operators_are_served_beside_clients() {
    for (clients, operators) in [
        ("[::]:9900", "127.0.0.1:9900"),
        ("127.0.0.2:9900", "127.0.0.1:9900"),
        ("0.0.0.0:9901", "127.0.0.1:9900"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:9900", "off"),
    ] {
        let server = format!(
            "server: {{ listen: '{clients}' }}\nadmin: {{ listen: '{operators}' }}\n{SMALLEST}"
        );
        assert_eq!(config(&server, "users:").server.listen, [tcp(clients)]);
    }
}

#[test]
fn everything_but_services_has_a_default() {
    let config = config(SMALLEST, "users:");
    let server = &config.server;
    assert_eq!(server.listen, [tcp("0.0.0.0:8080")]);
    assert_eq!(
        (
            server.workers,
            server.trusted_proxies.len(),
            server.proxy_protocol,
            server.forwarded,
        ),
        (4, 0, None, ForwardedFields::Auto)
    );
    assert!(server.tls.is_none());
    let timeouts = &server.timeouts;
    assert_eq!(
        (timeouts.header, timeouts.body, timeouts.idle),
        (seconds(10), seconds(60), seconds(75))
    );
    assert_eq!(
        (timeouts.handshake, server.limits.streams),
        (seconds(10), 100)
    );
    assert_eq!(
        (timeouts.drain_delay, timeouts.drain),
        (seconds(0), seconds(30))
    );
    let limits = &server.limits;
    assert_eq!(
        (
            limits.header_bytes,
            limits.headers,
            limits.body,
            limits.connections
        ),
        (32_768, 100, None, None)
    );
    assert_eq!(
        (config.admin, config.admin_token),
        (Some("127.0.0.1:9900".parse().unwrap()), None)
    );
    assert_eq!(
        (config.log.format, config.log.level, config.log.access),
        (LogFormat::Auto, tracing::Level::INFO, true)
    );
    assert_eq!(
        (config.auth.path.as_str(), config.auth.token_paths.len()),
        ("/auth", 0)
    );
    let token = &config.auth.token;
    assert_eq!(
        (token.issuer.as_str(), token.audience.as_str()),
        ("gatelatch", "gatelatch")
    );
    assert_eq!(
        (token.access_ttl, token.leeway, token.max_lifetime),
        (seconds(1800), seconds(30), seconds(86_400))
    );
    assert_eq!(
        (&*token.roles_claim.to_string(), token.refresh_ttl),
        ("roles", seconds(7 * 86_400))
    );
    let AttemptLimits {
        attempts,
        window,
        lockout,
    } = config.auth.attempts;
    assert_eq!((attempts, window, lockout), (5, seconds(120), seconds(300)));
    assert_eq!(config.state, StateSettings::Memory);
}

#[test]
fn a_service_has_defaults_too() {
    let service = config(SMALLEST, "users:").services.remove(0);
    assert_eq!(
        (
            service.name.as_str(),
            service.hosts.len(),
            service.mount.source()
        ),
        ("app", 0, "/")
    );
    assert_eq!(
        (service.strip_path, service.paths),
        (false, PathOptions::default())
    );
    assert_eq!(service.policy.case(), CaseRule::Sensitive);
    assert_eq!(service.upstream.servers[0].to_string(), "127.0.0.1:9000");
    assert_eq!(
        (service.upstream.retries, service.upstream.host),
        (1, HostHeader::Preserve)
    );
    assert_eq!(service.upstream.timeouts, Timeouts::default());
    assert_eq!(service.identity, IdentitySettings::default());
    assert_eq!(service.body_limit, None);
}

#[test]
fn every_key_of_server_is_read() {
    let gateway = "
server:
  listen: '[::1]:1'
  trusted_proxies: [10.0.0.0/8, '::1']
  forwarded: forwarded
  proxy_protocol: { tls: always, mode: tcp }
  workers: ${WORKERS:-3}
  timeouts: { handshake: 1s, header: 500ms, body: 15m, idle: 1h, drain_delay: 1s, drain: 1d }
  limits: { header_bytes: 16KiB, headers: 50, body: 10MiB, connections: 7, streams: 8 }
admin: { listen: off }
log: { format: json, level: debug, access: false }
state: memory
services:
  one: { upstream: http://h, limits: { body: 1MiB } }
  two: { upstream: http://h, path: /two, limits: { body: 20MiB } }
";
    let config = config(gateway, "users:");
    assert_eq!(config.server.listen, [tcp("[::1]:1")]);
    let expected = ProxyProtocol {
        tls: ProxiedTls::Always,
        mode: ProxyMode::Tcp,
    };
    assert_eq!(config.server.proxy_protocol, Some(expected));
    assert_eq!(config.server.forwarded, ForwardedFields::Forwarded);
    assert_eq!(
        config.server.trusted_proxies,
        ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]
    );
    assert_eq!(config.server.workers, 3);
    assert_eq!(
        (config.server.timeouts.header, config.server.timeouts.drain),
        (Duration::from_millis(500), seconds(86_400))
    );
    assert_eq!(
        (
            config.server.limits.header_bytes,
            config.server.limits.connections
        ),
        (16_384, NonZeroUsize::new(7))
    );
    assert_eq!(
        (
            config.server.timeouts.handshake,
            config.server.limits.streams
        ),
        (seconds(1), 8)
    );
    assert_eq!(
        (config.admin, config.log.format, config.log.access),
        (None, LogFormat::Json, false)
    );
    assert_eq!(config.services[0].body_limit, NonZeroU64::new(1 << 20));
    assert_eq!(
        config.services[1].body_limit,
        NonZeroU64::new(10 << 20),
        "the server's limit is smaller"
    );
    for off in ["off", "false", "\"off\""] {
        assert_eq!(
            self::config(&format!("admin: {{ listen: {off} }}\n{SMALLEST}"), "users:").admin,
            None,
            "{off}"
        );
    }
}

#[test]
fn an_admin_token_is_read_and_not_shown() {
    let token = "0123456789abcdef";
    for admin in [
        format!("{{ token: {token:?} }}"),
        "{ token: \"${SECRET:-0123456789abcdef}\", listen: off }".to_owned(),
    ] {
        let config = self::config(&format!("admin: {admin}\n{SMALLEST}"), "users:");
        let known = config.admin_token.expect("a token");
        assert!(!format!("{config:?}").contains(token), "{admin}");
        assert!(!known.is(b"another-one-of-16"), "{admin}");
    }
    let case = Case::of(
        &format!("admin: {{ token_file: token }}\n{SMALLEST}"),
        "users:",
    )
    .file("token", format!("{token}\n"));
    assert!(
        case.load()
            .unwrap()
            .config
            .admin_token
            .unwrap()
            .is(token.as_bytes())
    );
}

#[test]
fn names_of_the_admin_listener_are_read() {
    let config = config(
        &format!("admin: {{ hosts: [Metrics.example.com, '*.ops.example.com'] }}\n{SMALLEST}"),
        "users:",
    );
    for (host, listed) in [
        ("metrics.example.com", true),
        ("a.ops.example.com", true),
        ("gatelatch", false),
    ] {
        assert_eq!(config.admin_hosts.admit_scraper(host), listed, "{host}");
    }
    let default = self::config(SMALLEST, "users:").admin_hosts;
    assert!(default.admit_scraper("gatelatch") && !default.admit_scraper("metrics.example.com"));
}

#[test]
fn every_place_to_listen_is_read() {
    let config = config(
        &format!("server: {{ listen: [0.0.0.0:1, 'unix:/run/a.sock', systemd] }}\n{SMALLEST}"),
        "users:",
    );
    assert_eq!(
        config.server.listen,
        [
            tcp("0.0.0.0:1"),
            Listen::Unix("/run/a.sock".into()),
            Listen::Systemd
        ]
    );
    let shown: Vec<String> = config.server.listen.iter().map(Listen::to_string).collect();
    assert_eq!(shown, ["0.0.0.0:1", "unix:/run/a.sock", "systemd"]);
}

#[test]
fn certificates_are_read_and_their_files_watched() {
    let certified = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    let tls = "tls: { certificate: tls.crt, private_key: tls.key, client_ca: ca.crt }";
    let case = Case::of(&format!("server: {{ {tls} }}\n{SMALLEST}"), "users:")
        .file("tls.crt", certified.cert.pem())
        .file("tls.key", certified.signing_key.serialize_pem())
        .file("ca.crt", certified.cert.pem());
    let loaded = case.load().unwrap_or_else(|problems| panic!("{problems}"));
    for file in ["tls.crt", "tls.key", "ca.crt"] {
        assert!(
            loaded.files.contains(&case.directory.path().join(file)),
            "{file} in {:?}",
            loaded.files
        );
    }
    let tls = loaded.config.server.tls.unwrap();
    assert_eq!(
        (tls.certified.cert.len(), tls.client_ca.is_some()),
        (1, true)
    );
    assert_eq!(
        format!("{tls:?}"),
        "ServerTls { certificates: 1, client_ca: Some(ClientCa { certificates: 1, .. }) }"
    );
    assert!(
        loaded
            .warnings
            .iter()
            .all(|problem| problem.code != Code::ExpiredCertificate),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn every_key_of_sessions_is_read() {
    let gateway = format!(
        "auth: {{ login: {{ attempts: 3, window: 10s, lockout: 1h }}, token: {{ refresh_ttl: 12h }} }}\n{SMALLEST}"
    );
    let auth = config(&gateway, "users:").auth;
    let AttemptLimits {
        attempts,
        window,
        lockout,
    } = auth.attempts;
    assert_eq!(
        (attempts, window, lockout, auth.token.refresh_ttl),
        (3, seconds(10), seconds(3600), seconds(43_200))
    );
    let case = Case::of(&format!("state_file: state.url\n{SMALLEST}"), "users:");
    let case = case.file("state.url", "redis-cluster://:pass@a:1,b\n");
    assert_eq!(
        case.load().unwrap().config.state.to_string(),
        "redis-cluster://a:1,b:6379"
    );
    for (state, awaited) in [
        ("redis://a", true),
        ("{ url: redis://a }", true),
        ("{ url: redis://a, at_start: wait }", true),
        ("{ url: redis://a, at_start: serve }", false),
        ("{ url_file: state.url, at_start: serve }", false),
        ("{ url: memory, at_start: wait }", false),
    ] {
        let case = Case::of(&format!("state: {state}\n{SMALLEST}"), "users:");
        let case = case.file("state.url", "redis://a\n");
        let read = case.load().unwrap().config.state;
        assert_eq!(read.is_awaited(), awaited, "{state}: {read}");
    }
    let case = Case::of(&format!("state: file:state.redb\n{SMALLEST}"), "users:");
    let StateSettings::File(path) = case.load().unwrap().config.state else {
        panic!("it is a file")
    };
    assert_eq!(
        path,
        case.directory.path().join("state.redb"),
        "beside the file that names it"
    );
}

#[test]
fn every_key_of_a_service_is_read() {
    let gateway = "
services:
  app:
    hosts: [jobs.example.com, '*.example.com']
    path: /jobs
    strip_path: true
    case_insensitive: true
    paths: { allow_encoded_slash: true, allow_encoded_reserved: true, allow_semicolon: true, merge_slashes: false }
    upstream: { servers: ['http://api:81'], timeouts: { connect: 1s, response: 2s, stream: 4s, idle: 3s }, retries: 0, host: upstream }
    identity: { headers: { X-User: sub, X-Tenant: tenant }, separator: '; ', authorization: forward, pass: [X-Remote-User] }
    rules: [{ path: /jobs/**, allow: anyone }]
";
    let service = config(gateway, "users:").services.remove(0);
    assert_eq!(
        (
            service.hosts.len(),
            service.mount.source(),
            service.strip_path
        ),
        (2, "/jobs", true)
    );
    assert_eq!(service.policy.case(), CaseRule::Insensitive);
    assert!(
        service.paths.allow_encoded_slash
            && service.paths.allow_semicolon
            && !service.paths.merge_slashes
    );
    assert_eq!(service.upstream.servers[0].to_string(), "api:81");
    let expected = Timeouts {
        connect: seconds(1),
        response: seconds(2),
        stream: seconds(4),
        idle: seconds(3),
    };
    assert_eq!(service.upstream.timeouts, expected);
    assert_eq!(
        (service.upstream.retries, service.upstream.host),
        (0, HostHeader::Upstream)
    );
    assert_eq!(
        (service.upstream.balance, &service.upstream.tls),
        (Balance::RoundRobin, &None)
    );
    let identity = &service.identity;
    assert_eq!(
        (identity.separator.as_str(), identity.authorization),
        ("; ", Authorization::Forward)
    );
    assert_eq!(
        identity.headers[1].field,
        IdentityField::Claim("tenant".into())
    );
    assert_eq!(
        (identity.headers[0].name.as_str(), identity.pass[0].as_str()),
        ("x-user", "x-remote-user")
    );
    let origin = &service.origins[0];
    assert_eq!(
        (
            origin.file.file_name().unwrap().to_str(),
            origin.line,
            origin.column
        ),
        (Some("gateway.yaml"), 11, 13)
    );
}

#[test]
fn the_grammar_of_allow() {
    let any_of = |condition: Condition| Requirement::AnyOf(vec![condition]);
    let empty = Condition::default;
    let sign_in = |second_factor, seconds: Option<u64>| AuthenticationDemand {
        second_factor,
        max_age: seconds.map(Duration::from_secs),
    };
    let claim = |expected| {
        vec![ClaimMatch {
            name: "c".into(),
            expected,
        }]
    };
    let one_of =
        |roles: &[&str]| RoleMatch::OneOf(roles.iter().map(|role| (*role).into()).collect());
    for (text, expected) in [
        ("anyone", Requirement::Anyone),
        ("'authenticated'", Requirement::Authenticated),
        ("nobody", Requirement::Nobody),
        (
            "{ roles: [a, b] }",
            any_of(Condition {
                roles: vec![one_of(&["a", "b"])],
                ..empty()
            }),
        ),
        (
            "{ roles: [a], all_roles: [b, c] }",
            any_of(Condition {
                roles: vec![one_of(&["a"]), RoleMatch::All(vec!["b".into(), "c".into()])],
                ..empty()
            }),
        ),
        (
            "{ user: x }",
            any_of(Condition {
                user: Some(UserMatch::OneOf(vec!["x".into()])),
                ..empty()
            }),
        ),
        (
            "{ users: [x] }",
            any_of(Condition {
                user: Some(UserMatch::OneOf(vec!["x".into()])),
                ..empty()
            }),
        ),
        (
            "{ user: '{id}' }",
            any_of(Condition {
                user: Some(UserMatch::Parameter("id".into())),
                ..empty()
            }),
        ),
        (
            "{ networks: [10.0.0.0/8] }",
            any_of(Condition {
                networks: vec!["10.0.0.0/8".parse().unwrap()],
                ..empty()
            }),
        ),
        (
            "{ claims: { c: '{id}' } }",
            any_of(Condition {
                claims: claim(Expected::Parameter("id".into())),
                ..empty()
            }),
        ),
        (
            "{ claims: { c: 12 } }",
            any_of(Condition {
                claims: claim(Expected::Value(ClaimValue::Integer(12))),
                ..empty()
            }),
        ),
        (
            "{ claims: { c: '12' } }",
            any_of(Condition {
                claims: claim(Expected::Value(ClaimValue::Text("12".into()))),
                ..empty()
            }),
        ),
        (
            "{ second_factor: true }",
            any_of(Condition {
                sign_in: sign_in(true, None),
                ..empty()
            }),
        ),
        (
            "{ roles: [a], second_factor: true, max_age: 15m }",
            any_of(Condition {
                roles: vec![one_of(&["a"])],
                sign_in: sign_in(true, Some(900)),
                ..empty()
            }),
        ),
        (
            "{ max_age: 5s }",
            any_of(Condition {
                sign_in: sign_in(false, Some(5)),
                ..empty()
            }),
        ),
        (
            "[{ roles: [a] }, { user: '{id}' }]",
            Requirement::AnyOf(vec![
                Condition {
                    roles: vec![one_of(&["a"])],
                    ..empty()
                },
                Condition {
                    user: Some(UserMatch::Parameter("id".into())),
                    ..empty()
                },
            ]),
        ),
    ] {
        assert_eq!(allow(text), expected, "{text}");
    }
}

#[test]
fn every_key_of_several_servers_is_read() {
    let upstream = "{ servers: ['http://a', 'https://b', 'h2c://c', 'unix:/run/d.sock'], balance: hash_client,
      health: { path: '/healthz?deep', interval: 1m, timeout: 1s, unhealthy_after: 5, healthy_after: 1 },
      tls: { ca: ca.crt, server_name: api.internal, client_certificate: ca.crt, client_key: ca.key } }";
    let pair = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let case = Case::of(
        &format!("services: {{ app: {{ upstream: {upstream} }} }}"),
        "users: {}",
    )
    .file("ca.crt", pair.cert.pem())
    .file("ca.key", pair.signing_key.serialize_pem());
    let loaded = case.load().unwrap();
    let upstream = &loaded.config.services[0].upstream;
    let names: Vec<_> = upstream.servers.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        ["a:80", "https://b:443", "h2c://c:80", "unix:/run/d.sock"]
    );
    assert_eq!(upstream.balance, Balance::HashClient);
    let expected = Health {
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(1),
        unhealthy_after: 5,
        healthy_after: 1,
        ..Health::of("/healthz?deep".parse().unwrap())
    };
    assert_eq!(upstream.health, Some(expected));
    assert!(upstream.tls.is_some());
    for file in ["ca.crt", "ca.key"] {
        assert!(
            loaded.files.iter().any(|path| path.ends_with(file)),
            "{file} is watched"
        );
    }
    let shown = format!("{loaded:?}");
    assert!(
        !shown.contains("PRIVATE KEY") && !shown.contains("MII"),
        "{shown}"
    );
    // what is the same serves the same: connections outlive a reload
    assert_eq!(*upstream, case.load().unwrap().config.services[0].upstream);
    let other = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let case = case
        .file("ca.crt", other.cert.pem())
        .file("ca.key", other.signing_key.serialize_pem());
    assert_ne!(*upstream, case.load().unwrap().config.services[0].upstream);
}

#[test]
fn rules_have_names_and_methods() {
    let rules = rules(
        "{ path: /a, allow: anyone }, { path: /b, methods: [GET, PROPFIND], allow: anyone }, \
         { path: /c, name: see, allow: anyone }",
    );
    let names: Vec<_> = rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["* /a", "GET,PROPFIND /b", "see"]);
    assert_eq!(rules[0].methods, Methods::All);
    assert_eq!(
        rules[1].methods,
        Methods::Only(vec![http::Method::GET, "PROPFIND".parse().unwrap()])
    );
}

#[test]
fn a_rule_has_the_mode_of_its_service_unless_it_says_otherwise() {
    let gateway = "
services:
  enforced:
    upstream: http://h
    rules: [{ path: /a, allow: anyone }, { path: /b, allow: anyone, mode: report }]
  reported:
    path: /r
    upstream: http://h
    mode: report
    rules: [{ path: /r/a, allow: anyone }, { path: /r/b, allow: anyone, mode: enforce }]
";
    let services = config(gateway, "users:").services;
    let modes = |index: usize| {
        let service = &services[index];
        [None, Some(RuleId(0)), Some(RuleId(1))].map(|rule| service.policy.mode_of(rule))
    };
    assert_eq!(modes(0), [Mode::Enforce, Mode::Enforce, Mode::Report]);
    assert_eq!(modes(1), [Mode::Report, Mode::Report, Mode::Enforce]);
}

#[test]
fn users_are_read() {
    let users = "
users:
  alice@example.com:
    password: $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW
    roles: [a, b]
    name: Alice ${A:-Doe}
    email: alice@example.com
    claims: { tenant: acme, level: 3, tags: [x, true, 1.5], deep: { a: [1, ~] } }
    tokens_valid_after: 2026-01-01T00:00:00.5Z
  bob: { groups: [c], displayname: Bob, disabled: true, tokens_valid_after: 12 }
  cleo: { created: 2026-01-01T00:00:00Z, tokens_valid_after: 12 }
  dan: { created: 12, tokens_valid_after: 13 }
  1234:
  off: {}
";
    let directory = config(SMALLEST, users).directory;
    let alice = directory.find("alice@example.com").unwrap();
    assert_eq!(
        alice.password.as_ref().map(|hash| hash.work()),
        Some(gatelatch::users::Work::Bcrypt { cost: 12 })
    );
    assert_eq!(
        (&*alice.identity.roles, alice.identity.name.as_deref()),
        (&["a".into(), "b".into()][..], Some("Alice Doe"))
    );
    assert_eq!(
        (alice.identity.email.as_deref(), alice.extras().disabled),
        (Some("alice@example.com"), false)
    );
    assert_eq!(alice.extras().tokens_valid_after, Some(1_767_225_601));
    assert_eq!(
        alice.extras().claims.as_ref().unwrap()["deep"],
        serde_json::json!({ "a": [1, null] })
    );
    let mut claims = alice.identity.claims.clone();
    claims.sort_by(|one, other| one.name.cmp(&other.name));
    let claim = |name: &str, values| Claim {
        name: name.into(),
        values,
    };
    let text = |text: &str| ClaimValue::Text(text.into());
    let expected = [
        claim("level", vec![ClaimValue::Integer(3)]),
        claim("tags", vec![text("x"), ClaimValue::Boolean(true)]),
        claim("tenant", vec![text("acme")]),
    ];
    assert_eq!(claims, expected);
    let bob = directory.find("bob").unwrap();
    assert_eq!(
        (
            bob.extras().disabled,
            bob.extras().tokens_valid_after,
            bob.identity.name.as_deref()
        ),
        (true, Some(12), Some("Bob"))
    );
    // tokens from before are of whoever had the name
    for (name, created, valid_after) in [("cleo", 1_767_225_600, 1_767_225_600), ("dan", 12, 13)] {
        let user = directory.find(name).unwrap();
        assert_eq!(
            (user.extras().created, user.extras().tokens_valid_after),
            (Some(created), Some(valid_after)),
            "{name}"
        );
    }
    assert!(directory.find("1234").is_some() && directory.find("off").is_some());
}

#[test]
fn secrets_have_three_spellings() {
    let gateway = |secret: &str| format!("auth: {{ token: {{ {secret} }} }}\n{SMALLEST}");
    for (secret, file) in [
        ("secret: an-inline-secret-of-enough-bytes!", ""),
        ("secret: '${SECRET}'", ""),
        ("secret: '${FROM_DOTENV}'", ""),
        (
            "secret_file: keys/token",
            "32 bytes are exactly enough here\n",
        ),
        (
            "secret_file: keys/token",
            "32 bytes are exactly enough here\r\n",
        ),
    ] {
        let case = Case::of(&gateway(secret), "users:")
            .file(".env", "FROM_DOTENV='a secret of the .env, which is long'");
        std::fs::create_dir(case.directory.path().join("keys")).unwrap();
        let case = case.file("keys/token", file);
        let loaded = case.load().unwrap();
        assert!(
            loaded
                .warnings
                .iter()
                .all(|problem| problem.code != Code::NoSecret),
            "{secret}"
        );
        assert_eq!(
            loaded.files.iter().any(|path| path.ends_with("keys/token")),
            secret.contains("file"),
            "{secret}"
        );
    }
    let short = Case::of(&gateway("secret_file: token"), "users:")
        .file("token", "31 bytes and a newline are few.\n");
    assert_eq!(
        short.load().unwrap_err().as_slice()[0].code,
        Code::WeakSecret
    );
}

#[test]
fn the_digest_follows_every_file() {
    let load = |users: &str, dotenv: &str| Case::of(SMALLEST, users).file(".env", dotenv);
    let case = load("users:", "A=1");
    let first = case.load().unwrap();
    assert_eq!(first.files.len(), 3);
    assert_eq!(case.load().unwrap().digest, first.digest);
    let changed = case.file("users.yaml", "users: { a: {} }").load().unwrap();
    assert_ne!(changed.digest, first.digest);
}

#[test]
fn the_environment_wins_over_dotenv() {
    let gateway = format!("auth: {{ token: {{ issuer: '${{WHO}}' }} }}\n{SMALLEST}");
    let case = Case::of(&gateway, "users:").file(".env", "WHO=file");
    assert_eq!(case.load().unwrap().config.auth.token.issuer, "file");
    assert_eq!(
        case.variable("WHO", "{a: b}")
            .load()
            .unwrap()
            .config
            .auth
            .token
            .issuer,
        "{a: b}"
    );
}

#[test]
fn warnings_say_what_is_worth_a_second_look() {
    let app = |rest: &str| format!("services: {{ app: {{ upstream: 'http://h', {rest} }} }}");
    let lines = |text: &str| {
        warnings(text)
            .into_iter()
            .map(|(_, message)| message)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(SMALLEST),
        ["the service `app` has no rules: it forwards nothing"]
    );
    assert_eq!(
        lines(&app(
            "rules: [{ path: /jobs, methods: [GET, PUT, PATCH, DELETE], allow: anyone }, { path: /**, allow: authenticated }]"
        )),
        [
            "`POST /jobs` is not covered by the rule `GET,PUT,PATCH,DELETE /jobs` and falls through to `* /**`"
        ]
    );
    for silent in [
        "rules: [{ path: /jobs, methods: [GET], allow: anyone }]",
        "rules: [{ path: /jobs, methods: [GET], allow: anyone }, { path: /**, allow: nobody }]",
        "rules: [{ path: '/{a}', methods: [GET], allow: anyone }, { path: '/{b}/', allow: authenticated }]",
        "path: /jobs, rules: [{ path: /**, allow: anyone }, { path: /*/a, allow: anyone }]",
    ] {
        assert_eq!(lines(&app(silent)), Vec::<String>::new(), "{silent}");
    }
}

#[test]
fn without_a_users_file_nobody_can_log_in() {
    let loaded = Case::new().file("gateway.yaml", SMALLEST).load().unwrap();
    assert_eq!(loaded.config.directory.users().count(), 0);
    assert!(
        loaded
            .warnings
            .iter()
            .any(|problem| problem.code == Code::NoUsers)
    );
}

#[test]
fn the_example_loads_without_a_warning() {
    let request = gatelatch::config::LoadRequest {
        path: repository().join("gateway.example.yaml"),
        environment: [("GATELATCH_SECRET".to_owned(), super::SECRET.to_owned())].into(),
        fallback_secret: Vec::new().into(),
        cores: 1,
    };
    let loaded = gatelatch::config::load(&request).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings, Vec::new());
    let names: Vec<_> = loaded
        .config
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["jobs", "files"]);
    assert_eq!(loaded.config.directory.users().count(), 5);
}

#[test]
fn users_with_the_same_roles_share_one_list() {
    let users =
        "users:\n  ann: { roles: [a, b] }\n  bea: { groups: [a, b] }\n  carl: { roles: [b, a] }\n";
    let directory = config(SMALLEST, users).directory;
    let roles = |name: &str| Arc::clone(&directory.find(name).unwrap().identity.roles);
    assert_eq!(roles("carl").join(","), "b,a");
    assert!(Arc::ptr_eq(&roles("ann"), &roles("bea")));
    assert!(!Arc::ptr_eq(&roles("ann"), &roles("carl")));
    let names: Vec<_> = directory
        .users()
        .map(|user| &*user.identity.subject)
        .collect();
    assert_eq!(names, ["ann", "bea", "carl"], "in the order of the file");
}

/// Nothing may grow with the square of the number of users; a slip would take minutes here.
#[test]
fn a_long_users_file_loads_in_no_time() {
    let user = |number: usize| {
        let hash = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
        format!(
            "  user{number}@example.com:\n    password: {hash}\n    roles: [a, b]\n    name: User {number}\n"
        )
    };
    let users = format!("users:\n{}", (0..20_000).map(user).collect::<String>());
    assert_eq!(config(SMALLEST, &users).directory.users().count(), 20_000);
    let broken = users.replace("roles", "rolse");
    let problems = Case::of(SMALLEST, &broken).load().unwrap_err();
    assert_eq!(problems.errors(), 20_000);
}
