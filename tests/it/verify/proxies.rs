//! Other programs in front, with the configurations that are handed out: each gets the same table of requests.

use std::fs;

use sha2::{Digest, Sha256};

use super::fronts::{Front, Proxy};
use crate::support::{
    Answer, Connection, Gateway, NAVIGATION, PASSWORD, Received, Upstream, cookie_of, curl,
    gateway, hash, ok, send,
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

/// Of families whose names nobody can list.
const FAMILY: [&str; 3] = [
    "Remote-Tenant",
    "X-Remote-Extra-Scope",
    "X-Gatelatch-Tenant",
];

/// A client's names for who it is: nothing that an application could take for one of them reaches it.
const FORGED: [&str; 21] = [
    "Remote-User",
    "REMOTE-GROUPS",
    "Remote_User",
    "remote.user",
    "X-Remote-User",
    "X_Remote_User",
    "X-WEBAUTH-USER",
    "X-Webauth_User",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X-Forwarded.User",
    "X-Forwarded_Email",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth_Request_Email",
    "X-Gatelatch-User",
    "New-Uri",
    "X.Gatelatch.User",
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

fn deciding(app: &Upstream) -> Gateway {
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
        .server("trusted_proxies: [127.0.0.1]")
        .start()
}

const NO_EXPECTATION: &str = "Expect:";

/// How a program is started, and what it is tried with.
struct Program {
    start: fn(&Front) -> Option<Proxy>,
    more_forged: &'static [&'static str],
    /// What curl says before an upload.
    expectations: &'static [&'static str],
}

impl Program {
    fn new(start: fn(&Front) -> Option<Proxy>) -> Self {
        Self {
            start,
            more_forged: &FAMILY,
            expectations: &["Expect: 100-continue", NO_EXPECTATION],
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

    /// Nothing that a client says about itself, or about the host that it asked.
    fn liars(&self) {
        let names = FORGED.iter().chain(self.program.more_forged);
        let forged: String = names.map(|name| format!("{name}: admin\r\n")).collect();
        for (path, credential, user) in [
            ("/public/x", String::new(), &[][..]),
            ("/jobs", self.gateway.bearer("carl"), &["carl"]),
        ] {
            let seen = self.seen(
                "GET",
                path,
                &format!("{credential}X-Forwarded-Host: evil.test\r\n{forged}"),
            );
            assert!(!seen.head.contains("admin"), "{seen:?}");
            assert_eq!(seen.fields("remote-user"), user, "{seen:?}");
            assert_eq!(seen.fields("x-forwarded-host"), ["app.test"], "{seen:?}");
        }
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
        ] {
            let cookies = cookies.replace("SESSION", &session);
            let seen = self.seen("GET", "/jobs", &format!("Cookie: {cookies}\r\n"));
            assert_eq!(seen.fields("remote-user"), ["rita"], "{seen:?}");
            assert_eq!(seen.fields("cookie"), Vec::from_iter(left), "{cookies}");
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
            for expect in self.program.expectations {
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
                assert_eq!(answer.status, status, "{expect}: {answer:?}");
            }
        }
        let received = self.app.received();
        let bodies: Vec<usize> = received
            .iter()
            .rev()
            .take(self.program.expectations.len())
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
    let gateway = deciding(&app);
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
    conversation.sockets(&session);
    conversation.uploads();
    conversation.rates();
    conversation.destinations();
}

#[test]
fn nginx_asks() {
    converse(&Program {
        // by name only: it removes no field by pattern
        more_forged: &[],
        ..Program::new(Front::nginx)
    });
}

#[test]
fn haproxy_asks() {
    converse(&Program::new(Front::haproxy));
}

#[test]
fn caddy_asks() {
    converse(&Program::new(Front::caddy));
}

#[test]
fn envoy_asks() {
    converse(&Program::new(Front::envoy));
}

/// Gatelatch itself says what the client's fields become.
#[test]
fn envoy_asks_over_grpc() {
    converse(&Program::new(Front::envoy_grpc));
}

#[test]
fn envoy_asks_over_grpc_with_fields_joined() {
    converse(&Program::new(Front::envoy_grpc_merging));
}

#[test]
fn apache_forwards() {
    converse(&Program {
        // for the other it needs a refusal that says that the connection is closed
        expectations: &[NO_EXPECTATION],
        ..Program::new(Front::apache)
    });
}
