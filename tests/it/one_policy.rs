//! One policy, six ways into it: a request, a question at the forward-auth endpoint and one over gRPC, a tunnel that a reload decides again,
//! `explain` and `tests:`, and `diff`. The same case has the same outcome everywhere.

use std::path::Path;

use serde_json::Value;

use crate::step_up::made::{Made, now};
use crate::support::checks::Check;
use crate::support::commands::{folder, gatelatch, json, text};
use crate::support::{Answer, Connection, Gateway, RawUpstream, gateway, sign_in};

/// What is in force before the reload: every path that any service could accept, for everybody.
const OPEN: &str = "
  app:
    hosts: [app.test]
    paths: { allow_encoded_slash: true, allow_encoded_reserved: true, allow_semicolon: true, merge_slashes: true }
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone } ]
  api:
    hosts: [app.test]
    path: /api
    paths: { allow_encoded_slash: true, allow_encoded_reserved: true, allow_semicolon: true, merge_slashes: true }
    upstream: http://UPSTREAM
    rules: [ { path: /api/**, allow: anyone } ]
  loose:
    hosts: [loose.test]
    paths: { allow_encoded_slash: true, allow_encoded_reserved: true, allow_semicolon: true, merge_slashes: true }
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone } ]
  gone:
    hosts: [gone.test]
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone } ]
";

/// What decides.
const RULES: &str = "
  app:
    hosts: [app.test]
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: '/users/{id}/**', allow: { user: '{id}' } }
      - { path: /inside, allow: { networks: [127.0.0.0/8] } }
      - { path: /outside, allow: { networks: [192.0.2.0/24] } }
      - { path: /closed, allow: nobody }
      - { path: /trial, allow: { roles: [recruiter] }, mode: report }
      - { path: /vault, allow: { second_factor: true } }
      - { path: /recent, allow: { roles: [candidate], max_age: 15m } }
  api:
    hosts: [app.test]
    path: /api
    paths: { allow_semicolon: true }
    upstream: http://UPSTREAM
    rules: [ { path: /api/open/*, allow: anyone }, { path: /api/**, allow: { roles: [recruiter] } } ]
  loose:
    hosts: [loose.test]
    paths: { allow_semicolon: true, merge_slashes: true }
    upstream: http://UPSTREAM
    rules: [ { path: /public/*, allow: anyone }, { path: '/matrix%3Ba=1', allow: authenticated } ]
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Allowed,
    Unauthenticated,
    Forbidden,
    /// Denied, and forwarded all the same: `mode: report`.
    Reported,
    BadRequest,
    NotFound,
}

use Outcome::{Allowed, BadRequest, Forbidden, NotFound, Reported, Unauthenticated};

struct Case {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    user: Option<&'static str>,
    outcome: Outcome,
    sign_in: SignedIn,
}

/// How the user of a case has signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignedIn {
    /// With a password, just now.
    Now,
    /// The same, 20 minutes ago.
    Before,
    /// With a second factor, just now.
    WithSecondFactor,
}

use SignedIn::{Before, Now, WithSecondFactor};

const fn case(
    method: &'static str,
    host: &'static str,
    path: &'static str,
    user: Option<&'static str>,
    outcome: Outcome,
) -> Case {
    Case {
        method,
        host,
        path,
        user,
        outcome,
        sign_in: Now,
    }
}

/// The case of Carl, who has signed in so.
const fn carl(path: &'static str, sign_in: SignedIn, outcome: Outcome) -> Case {
    Case {
        sign_in,
        ..case("GET", "app.test", path, CARL, outcome)
    }
}

const RITA: Option<&str> = Some("rita");
const CARL: Option<&str> = Some("carl");

const CASES: &[Case] = &[
    case("GET", "app.test", "/public/x", None, Allowed),
    case("GET", "app.test", "/%70ublic/x", None, Allowed),
    case("GET", "app.test", "/jobs", None, Unauthenticated),
    case("GET", "app.test", "/jobs/", CARL, Allowed),
    case("HEAD", "app.test", "/jobs", CARL, Allowed),
    case("POST", "app.test", "/jobs", CARL, Forbidden),
    case("POST", "app.test", "/jobs", RITA, Allowed),
    case("DELETE", "app.test", "/jobs", RITA, Forbidden),
    case("GET", "app.test", "/users/carl/x", CARL, Allowed),
    case("GET", "app.test", "/users/rita/x", CARL, Forbidden),
    case("GET", "app.test", "/inside", None, Allowed),
    case("GET", "app.test", "/outside", None, Forbidden),
    case("GET", "app.test", "/closed", RITA, Forbidden),
    case("GET", "app.test", "/other", RITA, Forbidden),
    case("GET", "app.test", "/trial", CARL, Reported),
    case("GET", "app.test", "/trial", RITA, Allowed),
    case("GET", "app.test", "/vault", None, Unauthenticated),
    carl("/vault", Now, Unauthenticated),
    carl("/vault", Before, Unauthenticated),
    carl("/vault", WithSecondFactor, Allowed),
    case("GET", "app.test", "/recent", None, Unauthenticated),
    case("GET", "app.test", "/recent", RITA, Forbidden),
    carl("/recent", Now, Allowed),
    carl("/recent", Before, Unauthenticated),
    carl("/recent", WithSecondFactor, Allowed),
    case("GET", "app.test", "/public/a;b", None, BadRequest),
    case("GET", "app.test", "/public//b", None, BadRequest),
    case("GET", "app.test", "/public/a%2Fb", None, BadRequest),
    case("GET", "app.test", "/public/%3Fb", None, BadRequest),
    case("GET", "app.test", "/api/open/a;b", None, Allowed),
    case("GET", "app.test", "/api/open//b", None, BadRequest),
    case("GET", "app.test", "/api/open/a%2Fb", None, BadRequest),
    case("GET", "app.test", "/api/x", CARL, Forbidden),
    case("GET", "loose.test", "/public/a;b", None, Allowed),
    case("GET", "loose.test", "//public//x", None, Allowed),
    case("GET", "loose.test", "/matrix;a=1", None, Unauthenticated),
    case("GET", "loose.test", "/matrix;a=1", CARL, Allowed),
    case("GET", "loose.test", "/public/a%2Fb", None, BadRequest),
    case("GET", "gone.test", "/public/x", RITA, NotFound),
];

impl Case {
    fn shown(&self) -> String {
        format!(
            "{} {}{} as {:?}, signed in {:?}",
            self.method, self.host, self.path, self.user, self.sign_in
        )
    }

    fn bearer(&self, gateway: &Gateway) -> String {
        self.user
            .map(|user| gateway.bearer(user))
            .unwrap_or_default()
    }

    /// The ways in which the user can send it: a token of the gateway, or the session of a browser beside a bearer token
    /// of the service's own.
    fn credentials(&self, gateway: &Gateway) -> Vec<String> {
        if let Some(made) = self.made() {
            let session = made.session("carl");
            let session = format!("Sec-Fetch-Site: same-origin\r\n{session}");
            return vec![made.bearer("carl"), session];
        }
        let beside = self.user.map(|user| {
            let session = sign_in(gateway, user);
            format!("Authorization: Bearer app-token\r\nSec-Fetch-Site: same-origin\r\n{session}")
        });
        std::iter::once(self.bearer(gateway))
            .chain(beside)
            .collect()
    }

    /// A sign-in that is not of now, or not with a password alone.
    fn made(&self) -> Option<Made> {
        match self.sign_in {
            Now => None,
            Before => Some(Made::at(now() - 1200)),
            WithSecondFactor => Some(Made::at(now()).with(&["pwd", "mfa"])),
        }
    }

    fn is_forwarded(&self) -> bool {
        matches!(self.outcome, Allowed | Reported)
    }

    fn status(&self) -> u16 {
        match self.outcome {
            Allowed | Reported => 200,
            Unauthenticated => 401,
            Forbidden => 403,
            BadRequest => 400,
            NotFound => 404,
        }
    }
}

fn ask(gateway: &Gateway, method: &str, host: &str, path: &str, fields: &str) -> Answer {
    Connection::open(gateway.address)
        .write(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        ))
        .read()
}

/// Answers requests, and echoes behind an upgrade.
fn service() -> RawUpstream {
    RawUpstream::new(|mut wire, _| {
        let Some(head) = wire.head() else { return };
        if !head.to_lowercase().contains("\r\nupgrade: echo\r\n") {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        );
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    })
}

fn start(services: &str, upstream: &RawUpstream) -> Gateway {
    gateway(services)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start()
}

#[test]
fn a_request_has_the_outcome_of_the_table() {
    let upstream = service();
    let gateway = start(RULES, &upstream);
    for case in CASES {
        for credential in case.credentials(&gateway) {
            let answer = ask(&gateway, case.method, case.host, case.path, &credential);
            assert_eq!(answer.status, case.status(), "{}", case.shown());
        }
    }
}

/// Another proxy knows 401 and 403: what no service answers for is forbidden.
#[test]
fn forward_auth_has_the_outcome_of_the_table() {
    let upstream = service();
    let gateway = start(RULES, &upstream);
    for case in CASES {
        let expected = if matches!(case.outcome, NotFound) {
            403
        } else {
            case.status()
        };
        for credential in case.credentials(&gateway) {
            let fields = format!(
                "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Method: {}\r\nX-Forwarded-Proto: http\r\n\
                 X-Forwarded-Host: {}\r\nX-Forwarded-Uri: {}\r\n{credential}",
                case.method, case.host, case.path,
            );
            let answer = ask(&gateway, "GET", "auth.test", "/auth/verify", &fields);
            assert_eq!(answer.status, expected, "{}", case.shown());
        }
    }
}

/// Over gRPC the same, whether Envoy joins fields of one name or not.
#[test]
fn checks_over_grpc_have_the_outcome_of_the_table() {
    let upstream = service();
    let gateway = start(RULES, &upstream);
    for case in CASES {
        let expected = if matches!(case.outcome, NotFound) {
            403
        } else {
            i32::from(case.status())
        };
        for credential in case.credentials(&gateway) {
            let url = format!("http://{}{}", case.host, case.path);
            let check = Check::new(case.method, &url, &credential).from(Some("127.0.0.1"));
            for check in [check.merged(), check] {
                let verdict = check.ask(&gateway);
                assert_eq!(verdict.status(), expected, "{}", case.shown());
                assert_eq!(verdict.code == 0, case.is_forwarded(), "{verdict:?}");
            }
        }
    }
}

/// A reload decides each open tunnel as if it was requested now: on the path as the client sent it.
#[test]
fn a_tunnel_has_the_outcome_of_the_table_after_a_reload() {
    let upstream = service();
    let gateway = start(OPEN, &upstream);
    let upgrades = CASES.iter().filter(|case| case.method == "GET");
    let tunnels: Vec<_> = upgrades
        .flat_map(|case| {
            let credentials = case.credentials(&gateway).into_iter();
            credentials.map(move |credential| (case, credential))
        })
        .map(|(case, credential)| {
            let mut client = Connection::open(gateway.address);
            client.write(format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n{}\r\n",
                case.path, case.host, credential
            ));
            let head = client.read_head().unwrap();
            assert!(
                head.starts_with("HTTP/1.1 101 "),
                "{}: {head}",
                case.shown()
            );
            (case, client)
        })
        .collect();
    let rules = RULES.replace("UPSTREAM", &upstream.address.to_string());
    let before = gateway.read("gateway.yaml");
    let (head, _) = before.split_once("services:").unwrap();
    gateway.replace("gateway.yaml", &format!("{head}services:{rules}"));
    gateway.event("configuration reloaded");
    for (case, mut client) in tunnels {
        if case.is_forwarded() {
            client.write("x");
            assert_eq!(client.read_exact(1), "x", "{}", case.shown());
        } else {
            assert_eq!(client.read_to_end(), "", "{}", case.shown());
        }
    }
}

/// The rules of another service say nothing about the one that the tunnel leads to.
#[test]
fn a_tunnel_ends_when_its_path_goes_to_another_service() {
    let upstream = service();
    let gateway = start(OPEN, &upstream);
    let mut client = Connection::open(gateway.address);
    client.write(
        "GET /chat/x HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    let head = client.read_head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let other = "
  other:
    hosts: [app.test]
    path: /chat
    upstream: http://127.0.0.1:9
    rules: [ { path: /chat/**, allow: anyone } ]
";
    let config = gateway.read("gateway.yaml") + other;
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
    assert_eq!(client.read_to_end(), "");
}

fn files(services: &str) -> String {
    format!(
        "auth: {{ users_file: users.yaml, token: {{ secret: 0123456789abcdef0123456789abcdef }} }}\nservices:{}",
        services.replace("UPSTREAM", "127.0.0.1:9")
    )
}

const USERS: &str = "users: { rita: { roles: [recruiter] }, carl: { roles: [candidate] } }\n";

#[test]
fn explain_has_the_outcome_of_the_table() {
    let folder = folder(&[("gateway.yaml", &files(RULES)), ("users.yaml", USERS)]);
    for case in CASES {
        let url = format!("http://{}{}", case.host, case.path);
        let mut arguments = vec!["explain", case.method, &url, "--address", "127.0.0.1"];
        arguments.extend(case.user.iter().flat_map(|user| ["--as", user]));
        match case.sign_in {
            Now => {}
            Before => arguments.extend(["--age", "20m"]),
            WithSecondFactor => arguments.push("--second-factor"),
        }
        let output = gatelatch(folder.path(), &arguments);
        let expected = match case.outcome {
            Allowed => 0,
            Unauthenticated => 3,
            Forbidden | Reported => 4,
            BadRequest | NotFound => 5,
        };
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(expected), "{}", case.shown());
        assert_eq!(
            printed.contains("mode: report"),
            case.outcome == Reported,
            "{printed}"
        );
    }
}

#[test]
fn tests_of_a_configuration_have_the_outcome_of_the_table() {
    let line = |case: &Case| {
        let user = case
            .user
            .map(|user| {
                format!(
                    "user: {user}, roles: [{}], ",
                    if user == "rita" {
                        "recruiter"
                    } else {
                        "candidate"
                    }
                )
            })
            .unwrap_or_default();
        let sign_in = match case.sign_in {
            Now => "",
            Before => "age: 20m, ",
            WithSecondFactor => "second_factor: true, ",
        };
        let expect = match case.outcome {
            Allowed => "allowed",
            Unauthenticated => "unauthenticated",
            Forbidden | Reported => "forbidden",
            BadRequest => "bad_request",
            NotFound => "not_found",
        };
        format!(
            "  - {{ request: '{} http://{}{}', as: {{ {user}{sign_in}address: 127.0.0.1 }}, expect: {expect} }}\n",
            case.method, case.host, case.path
        )
    };
    let tests: String = CASES.iter().map(line).collect();
    let config = format!("{}\ntests:\n{tests}", files(RULES));
    let folder = folder(&[("gateway.yaml", &config), ("users.yaml", USERS)]);
    let output = gatelatch(folder.path(), &["test"]);
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{printed}");
}

/// Whom to send a request as, for a caller that `diff` names.
fn bearer_of(caller: &Value, change: &Value, gateway: &Gateway) -> Option<String> {
    let users = change["users"].as_array().unwrap();
    match (caller["kind"].as_str().unwrap(), users.first()) {
        ("anonymous", _) => Some(String::new()),
        // the least sign-in of the class: without a demand one of which nothing is known
        ("known", Some(user)) => {
            let (second_factor, age) = (&caller["second_factor"], caller["max_age"].as_u64());
            let made = age.map_or_else(Made::unknown, |age| Made::at(now() - age + 2));
            let made = match second_factor.as_bool() {
                Some(true) if age.is_none() => Made::at(now() - 10_000).with(&["mfa"]),
                Some(true) => made.with(&["mfa"]),
                _ => made,
            };
            Some(made.bearer(user.as_str().unwrap()))
        }
        (_, Some(user)) => Some(gateway.bearer(user.as_str().unwrap())),
        _ => None,
    }
}

/// What `diff` says that opens or closes does so for a request that is sent to both.
#[test]
fn diff_has_the_outcomes_that_requests_have() {
    let upstream = service();
    let (old, new) = (start(OPEN, &upstream), start(RULES, &upstream));
    let folder = folder(&[
        ("old/gateway.yaml", &files(OPEN)),
        ("old/users.yaml", USERS),
        ("new/gateway.yaml", &files(RULES)),
        ("new/users.yaml", USERS),
    ]);
    let mut asked = 0;
    for (before, after, from, to) in [("old", "new", &old, &new), ("new", "old", &new, &old)] {
        let names = [before, after].map(|name| format!("{name}/gateway.yaml"));
        let answer = json(&gatelatch(
            folder.path(),
            &["diff", &names[0], &names[1], "--format", "json"],
        ));
        for change in answer["changes"].as_array().unwrap() {
            for caller in change["callers"].as_array().unwrap() {
                let example = &change["example"];
                let text = |key: &str| example[key].as_str().unwrap_or_default();
                if !example["address"].is_null() {
                    continue;
                }
                let [before, after] = [from, to].map(|gateway| {
                    let bearer = bearer_of(caller, change, gateway)?;
                    let host = Some(text("host"))
                        .filter(|host| !host.is_empty())
                        .unwrap_or("any.test");
                    Some(ask(gateway, text("method"), host, text("path"), &bearer).status == 200)
                });
                let (Some(before), Some(after)) = (before, after) else {
                    continue;
                };
                asked += 1;
                match change["effect"].as_str().unwrap() {
                    "opens" => assert!(!before && after, "{change:#}"),
                    "closes" => assert!(before && !after, "{change:#}"),
                    _ => assert_eq!(before, after, "{change:#}"),
                }
            }
        }
    }
    assert!(asked >= 10, "only {asked} requests were compared");
}

/// Every case that a reload closes is covered by what `diff` says: it names no path that stays as it was.
#[test]
fn diff_says_that_narrower_paths_close() {
    let folder = folder(&[
        ("old/gateway.yaml", &files(OPEN)),
        ("old/users.yaml", USERS),
        ("new/gateway.yaml", &files(RULES)),
        ("new/users.yaml", USERS),
    ]);
    let answer = json(&gatelatch(
        Path::new(folder.path()),
        &[
            "diff",
            "old/gateway.yaml",
            "new/gateway.yaml",
            "--format",
            "json",
        ],
    ));
    let notices: Vec<String> = answer["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| format!("{} {}", notice["effect"], notice["what"]))
        .collect();
    for option in ["allow_semicolon", "allow_encoded_slash", "merge_slashes"] {
        assert!(
            notices
                .iter()
                .any(|notice| notice.contains("closes") && notice.contains(option)),
            "{option}: {notices:?}"
        );
    }
}
