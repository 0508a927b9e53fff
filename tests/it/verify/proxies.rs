//! Other programs in front, with the configurations that are handed out: each gets the same table of requests.

use std::fs;

use sha2::{Digest, Sha256};

use super::fronts::{Front, Proxy};
use crate::support::frames::{END_HEADERS, END_STREAM, HEADERS, field, frame, long_field};
use crate::support::{
    Answer, Connection, FrameConnection, Gateway, NAVIGATION, PASSWORD, Received, Upstream,
    cookie_of, curl, gateway, hash, ok, send,
};

const SERVICES: &str = "
  app:
    hosts: [app.test]
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST, PUT], allow: { roles: [recruiter] } }
      - { path: /socket, allow: authenticated }
      - { path: /counted, allow: anyone, rate: { requests: 2, per: 1d, by: address } }
";

/// The example of RFC 6455, section 1.3.
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What a trusted proxy before Envoy may have written.
const WRITTEN_BEFORE_ENVOY: [&str; 5] = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Real-IP",
];

/// Names under which a client says who it is, where it comes from, or which other path, method or host counts: those that are
/// known, and some of families whose names nobody can list.
const FORGED: [&str; 69] = [
    "Cf-Connecting-Ip",
    "CF-Connecting-IPv6",
    "Fastly-Client-IP",
    "Forwarded",
    "New-Uri",
    "Proxy-Client-IP",
    "Remote-Addr",
    "Remote-Email",
    "Remote-Groups",
    "Remote-Name",
    "Remote-Tenant",
    "Remote-User",
    "True-Client-IP",
    "WL-Proxy-Client-IP",
    "X-Auth-Request-Access-Token",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Tenant",
    "X-Auth-Request-User",
    "X-Auth-User",
    "X-Authenticated-User",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Envoy-External-Address",
    "X-Forwarded-Access-Token",
    "X-Forwarded-Email",
    "X-Forwarded-For",
    "X-Forwarded-Groups",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Forwarded-User",
    "X-Gatelatch-Login",
    "X-Gatelatch-Tenant",
    "X-Gatelatch-User",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Original-URI",
    "X-Original-URL",
    "X-Real-IP",
    "X-Remote-Extra-Scope",
    "X-Remote-Group",
    "X-Remote-User",
    "X-Rewrite-URL",
    "X-SSL-Client-S-DN",
    "X-WEBAUTH-ROLE",
    "X-WEBAUTH-USER",
    "Client-IP",
    "CF-Pseudo-IPv4",
    "DO-Connecting-IP",
    "Fly-Client-IP",
    "Forwarded-For",
    "Incap-Client-IP",
    "X-AppEngine-User-IP",
    "X-Azure-ClientIP",
    "X-Azure-SocketIP",
    "X-NF-Client-Connection-IP",
    "X-Originating-IP",
    "X-ProxyUser-IP",
    "X-Sucuri-ClientIP",
    "X-True-Client-IP",
    "X-Vercel-Forwarded-For",
];

/// What a name may have besides letters, digits and hyphens (RFC 9110, section 5.6.2).
const TOKEN_CHARACTERS: &str = "!#$%&'*+.^_`|~";

/// What an application takes for the same name, once or the other.
fn spellings(name: &str) -> [String; 6] {
    [
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        name.replace('-', "_"),
        name.replacen('-', "_", 1),
        name.replace('-', "."),
    ]
}

/// What is the client's business, and the application's.
const OWN: [(&str, &str); 16] = [
    ("accept-language", "de, en;q=0.5"),
    ("content-type", "text/plain"),
    ("depth", "1"),
    ("git-protocol", "version=2"),
    ("hx-request", "true"),
    ("if-none-match", "\"x\""),
    ("last-event-id", "7"),
    ("mcp-session-id", "s"),
    ("overwrite", "F"),
    ("prefer", "return=minimal"),
    ("referer", "http://app.test/public/"),
    ("sec-fetch-dest", "empty"),
    (
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    ("user-agent", "test/1 (a; b)"),
    ("x-csrf-token", "t"),
    ("x-requested-with", "XMLHttpRequest"),
];

/// An application that answers, and echoes what comes over a WebSocket.
fn application() -> Upstream {
    Upstream::with_stream(|request, stream| {
        use std::io::{Read as _, Write as _};
        if request.fields("upgrade").is_empty() {
            return stream.write_all(&ok("jobs")).is_ok();
        }
        let mut bytes = [0; 64];
        let mut taken = stream.write_all(SWITCH.as_bytes()).is_ok();
        while taken && let Ok(length @ 1..) = stream.read(&mut bytes) {
            taken = stream.write_all(&bytes[..length]).is_ok();
        }
        false
    })
}

/// The last character carries four bits, of which two must be zero.
fn key() -> String {
    format!("glk_{}A", "k".repeat(42))
}

/// What curl says before an upload.
const EXPECTATIONS: [&str; 2] = ["Expect: 100-continue", "Expect:"];

fn deciding(app: &Upstream, verify: &str) -> Gateway {
    let digest = Sha256::digest(key());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let users = format!(
        "users:\n  rita: {{ password: \"{}\", roles: [recruiter], api_keys: [{{ name: k, hash: \"sha256:{hex}\" }}] }}\n  \
         carl: {{ password: \"{}\", roles: [candidate] }}\n",
        hash(),
        hash()
    );
    gateway(SERVICES)
        .upstream(app.address)
        .users(&users)
        .auth(verify)
        .server("trusted_proxies: [127.0.0.1]")
        .start()
}

/// How a program is started, and what it is tried with.
struct Program {
    start: fn(&Front) -> Option<Proxy>,
    /// `auth.verify`, as the recipe says.
    verify: &'static str,
    /// Whether it writes two `Cookie` lines of HTTP/1.1 as one with a comma.
    joins_with_comma: bool,
    /// What a client must say that waits for the answer before its body.
    expects: &'static str,
    /// Whether it may reset the connection of a refused client that still writes, who loses the answer then.
    resets: bool,
    /// Whether it understands HTTP/2 without TLS.
    speaks_http2: bool,
    /// Fields of a trusted proxy that stay as it wrote them: the client of these tests is at the address of one.
    keeps: &'static [&'static str],
}

impl Program {
    fn new(start: fn(&Front) -> Option<Proxy>) -> Self {
        Self {
            start,
            verify: "verify: x-forwarded",
            joins_with_comma: false,
            expects: "",
            resets: false,
            speaks_http2: true,
            keeps: &[],
        }
    }
}

/// One program, the gateway and the application.
struct Conversation<'a> {
    proxy: &'a Proxy,
    gateway: &'a Gateway,
    app: &'a Upstream,
    program: &'a Program,
}

impl Conversation<'_> {
    fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n");
        send(self.proxy.address, head)
    }

    fn post(&self, fields: &str) -> u16 {
        self.ask(
            "POST",
            "/jobs",
            &format!("{fields}Content-Length: 2\r\n\r\n{{}}"),
        )
        .status
    }

    /// What the application got of a request that it must get.
    fn seen(&self, method: &str, path: &str, fields: &str) -> Received {
        let before = self.app.received().len();
        let answer = self.ask(method, path, fields);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "jobs"),
            "{method} {path} {fields}: {answer:?}"
        );
        let received = self.app.received();
        assert_eq!(received.len(), before + 1, "{method} {path} {fields}");
        received.last().unwrap().clone()
    }

    fn programs_and_their_credentials(&self) {
        let (rita, carl) = (self.gateway.bearer("rita"), self.gateway.bearer("carl"));
        let nobody = self.ask("GET", "/jobs", "");
        assert_eq!(nobody.status, 401);
        assert!(
            nobody
                .header("www-authenticate")
                .starts_with("Bearer realm=\"gatelatch\""),
            "{nobody:?}"
        );
        assert_eq!(self.ask("GET", "/nowhere", &rita).status, 403);
        assert_eq!(self.post(&carl), 403);
        assert_eq!(self.post(&rita), 200);
        assert_eq!(self.app.received().last().unwrap().body, "{}");
        assert!(self.ask("GET", "/public/../jobs", "").status >= 400);
        let (field, bearer) = (
            format!("X-Api-Key: {}\r\n", key()),
            format!("Authorization: Bearer {}\r\n", key()),
        );
        for credential in [rita, field, bearer] {
            let seen = self.seen("GET", "/jobs", &credential);
            assert_eq!(seen.fields("remote-user"), ["rita"], "{seen:?}");
            assert_eq!(seen.fields("remote-groups"), ["recruiter"], "{seen:?}");
            for name in ["authorization", "x-api-key", "cookie"] {
                assert_eq!(seen.fields(name), [""; 0], "{seen:?}");
            }
            assert_eq!(seen.fields("x-forwarded-host"), ["app.test"], "{seen:?}");
        }
        assert_eq!(
            self.ask("GET", "/jobs", "X-Api-Key: glk_wrong\r\n").status,
            401
        );
        let own = self.seen("GET", "/public/x", "X-Api-Key: of-the-app\r\n");
        assert_eq!(own.fields("x-api-key"), ["of-the-app"]);
        assert_eq!(
            self.ask("GET", "/auth/verify", "X-Forwarded-Uri: /public/x\r\n")
                .status,
            404
        );
    }

    /// Nothing that a client says about itself, or about what it asked, in any spelling; all that is the application's.
    fn liars(&self) {
        let kept = |name: &&&str| {
            let mut kept = self.program.keeps.iter();
            kept.any(|one| name.eq_ignore_ascii_case(one))
        };
        let known = FORGED.iter().filter(|name| !kept(name));
        let known = known.flat_map(|name| spellings(name));
        let separated = TOKEN_CHARACTERS.chars().flat_map(|character| {
            ["Remote-User", "X-Remote-User", "X-Forwarded-User"]
                .map(|name| name.replace('-', &character.to_string()))
        });
        let forged: Vec<_> = known.chain(separated).collect();
        let names = forged.iter().map(|name| format!("{name}: forged\r\n"));
        let lines: Vec<_> = names.collect();
        for (path, credential, user) in [
            ("/public/x", String::new(), &[][..]),
            ("/jobs", self.gateway.bearer("carl"), &["carl"]),
        ] {
            // every program bounds how many lines there are
            for lines in lines.chunks(60) {
                let seen = self.seen("GET", path, &format!("{credential}{}", lines.concat()));
                assert!(!seen.head.contains("forged"), "{seen:?}");
                assert_eq!(seen.fields("remote-user"), user, "{seen:?}");
                assert_eq!(seen.fields("x-forwarded-host"), ["app.test"], "{seen:?}");
                assert_eq!(seen.fields("x-forwarded-proto"), ["http"], "{seen:?}");
            }
        }
        let own: String = OWN
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let seen = self.seen("GET", "/public/x", &own);
        for (name, value) in OWN {
            assert_eq!(seen.fields(name), [value], "{seen:?}");
        }
    }

    /// A client should send one line of HTTP/1.1 (RFC 6265, section 5.4); the crumbs of HTTP/2 are one (RFC 9113, section
    /// 8.2.3).
    fn cookie_lines(&self, session: &str) {
        let host = session.split('=').next().unwrap();
        let stale = format!("__Host-{host}=old");
        let session_first = format!("{session}; a=1");
        let lines = [["a=1", session], [session, "a=1"], [&session_first, &stale]];
        let expected = if self.program.joins_with_comma { 2 } else { 3 };
        for lines in &lines[..expected] {
            let fields = lines.map(|line| format!("Cookie: {line}\r\n")).concat();
            if self.program.joins_with_comma {
                // `a` may have that value: nothing in it counts, and nobody is somebody else
                assert_eq!(self.ask("GET", "/jobs", &fields).status, 401, "{fields}");
                continue;
            }
            let seen = self.seen("GET", "/jobs", &fields);
            let cookies = seen.fields("cookie").join("; ");
            let kept: Vec<_> = cookies.split("; ").filter(|one| !one.is_empty()).collect();
            assert_eq!(kept, ["a=1"], "{fields} {seen:?}");
        }
        if !self.program.speaks_http2 {
            return;
        }
        let block = [
            &[0x82, 0x86][..],
            &field(":path", "/jobs"),
            &field(":authority", "app.test"),
            &field("cookie", "a=1"),
            &long_field("cookie", session),
            &field("cookie", "b=2"),
        ];
        let mut client = FrameConnection::open(self.proxy.address);
        client.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block.concat()));
        let answer = client.until(|frame| frame.stream == 1 && frame.kind == HEADERS);
        assert!(answer.is_ok(), "{answer:?}");
        let seen = self.app.received().last().unwrap().clone();
        assert_eq!(seen.fields("cookie"), ["a=1; b=2"], "{seen:?}");
    }

    /// People: the sign-in page, and a session that stands anywhere among the cookies.
    fn people(&self) -> String {
        let page = self.ask("GET", "/jobs?a=1", NAVIGATION);
        assert_eq!(page.status, 303, "{page:?}");
        let location = page.header("location");
        let location = location.strip_prefix("http://app.test").unwrap_or(location);
        assert_eq!(location, "/auth/login?next=/jobs%3Fa%3D1");
        let form = format!(
            "username=rita&password={}&next=/jobs",
            PASSWORD.replace(' ', "+")
        );
        let fields =
            "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded";
        let rest = format!(
            "{NAVIGATION}{fields}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let signed_in = self.ask("POST", "/auth/login", &rest);
        assert_eq!(
            (signed_in.status, signed_in.header("location")),
            (303, "/jobs"),
            "{signed_in:?}"
        );
        let session = cookie_of(&signed_in, "gatelatch");
        for (cookies, left) in [
            ("SESSION", None),
            ("SESSION; a=1", Some("a=1")),
            ("a=1; SESSION", Some("a=1")),
            (
                "lang=en; SESSION; theme=dark; x=\"1 2\"",
                Some("lang=en; theme=dark; x=\"1 2\""),
            ),
            ("__Host-gatelatch=old; SESSION; b=2", Some("b=2")),
            ("a=1; SESSION; __Host-gatelatch=old", Some("a=1")),
            (
                "xgatelatch=1; SESSION; gatelatch2=2; y=gatelatch=3",
                Some("xgatelatch=1; gatelatch2=2; y=gatelatch=3"),
            ),
            // of sign-ins at a provider that are under way, and other ones beside the session
            (
                "gatelatch-oidc-abcdefgh=1; a=1; gatelatch-signin=1.0; SESSION; gatelatch-oidc-ijklmnop=2; b=2; gatelatch-device=d",
                Some("a=1; b=2"),
            ),
            (
                "__Host-gatelatch-oidc-abcdefgh=1; SESSION; __Host-gatelatch-device=d",
                None,
            ),
        ] {
            let cookies = cookies.replace("SESSION", &session);
            let seen = self.seen("GET", "/jobs", &format!("Cookie: {cookies}\r\n"));
            assert_eq!(seen.fields("remote-user"), ["rita"], "{seen:?}");
            assert_eq!(seen.fields("cookie"), Vec::from_iter(left), "{cookies}");
        }
        // spellings that no browser sends are nobody's session, and reach no application
        for cookies in [
            "a=1;  SESSION",
            "a=1;\tSESSION",
            "a=1; SPACED",
            "SPACED; a=1",
            "a=1; \tSPACED",
            "a=1;  __Host-SESSION",
        ] {
            let spaced = session.replacen('=', " =", 1);
            let cookies = cookies
                .replace("SESSION", &session)
                .replace("SPACED", &spaced);
            let fields = format!("Cookie: {cookies}\r\n");
            assert_eq!(self.ask("GET", "/jobs", &fields).status, 401, "{cookies:?}");
            let seen = self.seen("GET", "/public/x", &fields);
            assert_eq!(seen.fields("remote-user"), [""; 0], "{seen:?}");
            assert_eq!(seen.fields("cookie"), ["a=1"], "{cookies:?}");
        }
        let untouched = self.seen("GET", "/public/x", "Cookie: a=1; b=2\r\n");
        assert_eq!(untouched.fields("cookie"), ["a=1; b=2"]);
        for (origin, status) in [("http://evil.test", 403), ("http://app.test", 200)] {
            assert_eq!(
                self.post(&format!("Cookie: {session}\r\nOrigin: {origin}\r\n")),
                status
            );
        }
        session
    }

    /// Too many requests are 429 and say when to come again, whatever a program makes of that status.
    fn rates(&self) {
        let answers = [(); 3].map(|()| self.ask("GET", "/counted", ""));
        let statuses = answers.each_ref().map(|answer| answer.status);
        assert_eq!(statuses, [200, 200, 429], "{answers:?}");
        let retry: u64 = answers[2].header("retry-after").parse().unwrap();
        assert!((43_000..=43_200).contains(&retry), "{retry}");
    }

    fn sockets(&self, session: &str) {
        let open = |fields: &str| {
            let mut client = Connection::open(self.proxy.address);
            client.write(format!(
                "GET /socket HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}{fields}\r\n"
            ));
            let head = client.read_head().unwrap();
            let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
            (status, client)
        };
        assert_eq!(open("").0, 401);
        assert_eq!(
            open(&format!(
                "Cookie: {session}\r\nOrigin: http://evil.test\r\n"
            ))
            .0,
            403
        );
        for fields in [
            self.gateway.bearer("carl"),
            format!("X-Api-Key: {}\r\n", key()),
            format!(
                "Sec-WebSocket-Protocol: bearer, {}\r\n",
                self.gateway.token("carl")
            ),
            format!("Cookie: {session}\r\nOrigin: http://app.test\r\n"),
        ] {
            let (status, mut client) = open(&fields);
            assert_eq!(status, 101, "{fields}");
            client.write("ping");
            assert_eq!(client.read_exact(4), "ping");
        }
    }

    /// A refusal comes before the body, whether the client waits for it or not.
    fn uploads(&self) {
        let file = self.gateway.path("upload");
        fs::write(&file, vec![b'x'; 2 * 1024 * 1024]).unwrap();
        let url = format!("http://{}/jobs", self.proxy.address);
        let bearer = |user: &str| self.gateway.bearer(user).trim().to_owned();
        for (credential, status) in [
            (String::new(), 401),
            (bearer("carl"), 403),
            (bearer("rita"), 200),
        ] {
            if status != 200 {
                // not a byte of the body is there
                let credential = format!("{credential}\r\n{}", self.program.expects);
                let fields = format!("Content-Length: 2097152\r\n{}", credential.trim_start());
                assert_eq!(self.ask("PUT", "/jobs", &fields).status, status, "{fields}");
            }
            for expect in EXPECTATIONS {
                let file = file.to_str().unwrap();
                let Some(answer) = curl(&[
                    "-T",
                    file,
                    "-H",
                    "Host: app.test",
                    "-H",
                    &credential,
                    "-H",
                    expect,
                    &url,
                ]) else {
                    return;
                };
                // curl says so: it could not send, or not receive
                let is_reset = self.program.resets && matches!(answer.code, Some(55 | 56));
                assert!(
                    answer.status == status || is_reset && status != 200,
                    "{expect} {status}: {answer:?}"
                );
            }
        }
        let received = self.app.received();
        let bodies: Vec<usize> = received
            .iter()
            .rev()
            .take(EXPECTATIONS.len())
            .map(|request| request.body.len())
            .collect();
        assert!(
            bodies.iter().all(|length| *length == 2 * 1024 * 1024),
            "{bodies:?}"
        );
    }

    /// WebDAV's second path is decided on wherever the program passes it on.
    fn destinations(&self) {
        let seen = self.seen(
            "COPY",
            "/public/a",
            "Destination: http://app.test/public/b\r\n",
        );
        assert_eq!(seen.fields("destination"), ["http://app.test/public/b"]);
        for refused in [
            "Destination: /jobs\r\n",
            "Destination: http://app.test/jobs\r\n",
        ] {
            assert_eq!(self.ask("COPY", "/public/a", refused).status, 403);
        }
        assert!(
            self.ask(
                "COPY",
                "/public/a",
                "Destination: http://evil.test/public/b\r\n"
            )
            .status
                >= 400
        );
    }
}

fn converse(program: &Program) {
    let app = application();
    let gateway = deciding(&app, program.verify);
    let front = Front {
        gateway: gateway.address,
        app: app.address,
        folder: gateway.path("front"),
    };
    let Some(proxy) = (program.start)(&front) else {
        return;
    };
    let conversation = Conversation {
        proxy: &proxy,
        gateway: &gateway,
        app: &app,
        program,
    };
    conversation.programs_and_their_credentials();
    conversation.liars();
    let session = conversation.people();
    conversation.cookie_lines(&session);
    conversation.sockets(&session);
    conversation.uploads();
    conversation.rates();
    conversation.destinations();
}

#[test]
fn nginx_asks() {
    converse(&Program {
        verify: "verify: x-original",
        speaks_http2: false,
        ..Program::new(Front::nginx)
    });
}

#[test]
fn haproxy_asks() {
    converse(&Program {
        resets: true,
        ..Program::new(Front::haproxy)
    });
}

#[test]
fn caddy_asks() {
    converse(&Program::new(Front::caddy));
}

#[test]
fn envoy_asks() {
    converse(&Program {
        verify: "",
        ..Program::new(Front::envoy)
    });
}

/// Gatelatch itself says what the client's fields become.
#[test]
fn envoy_asks_over_grpc() {
    converse(&Program {
        verify: "",
        keeps: &WRITTEN_BEFORE_ENVOY,
        ..Program::new(Front::envoy_grpc)
    });
}

#[test]
fn envoy_asks_over_grpc_with_fields_joined() {
    converse(&Program {
        verify: "",
        keeps: &WRITTEN_BEFORE_ENVOY,
        ..Program::new(Front::envoy_grpc_merging)
    });
}

#[test]
fn apache_forwards() {
    converse(&Program {
        verify: "",
        joins_with_comma: true,
        // it waits for the body otherwise
        expects: "Expect: 100-continue\r\n",
        speaks_http2: false,
        ..Program::new(Front::apache)
    });
}
