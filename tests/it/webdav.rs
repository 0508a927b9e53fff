//! WebDAV: the `Destination` of a request is decided on as its path is.

use serde_json::Value;

use crate::commands::{gatelatch, text};
use crate::support::commands::{folder, json};
use crate::support::{Answer, Gateway, Upstream, gateway, send};

const SERVICES: &str = "
  dav:
    hosts: [dav.test]
    path: /dav
    upstream: http://UPSTREAM
    rules:
      - { path: /dav/**, allow: authenticated }
      - { path: /dav/open/**, allow: anyone }
      - { path: /dav/a/private/**, allow: { roles: [recruiter] }, name: private }
      - { path: /dav/trial/**, allow: { roles: [recruiter] }, mode: report }
      - { path: /dav/get/**, methods: [GET], allow: authenticated }
      - { path: /dav/get/**, allow: nobody }
  stripped:
    hosts: [dav.test]
    path: /st
    strip_path: true
    upstream: { servers: [http://UPSTREAM], host: upstream }
    rules: [ { path: /**, allow: anyone } ]
  loose:
    hosts: [dav.test]
    path: /loose
    upstream: http://UPSTREAM
    paths: { merge_slashes: true }
    rules: [ { path: /**, allow: anyone } ]
  other:
    hosts: [dav.test]
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone } ]
";

fn ask(gateway: &Gateway, method: &str, path: &str, fields: &str) -> Answer {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: dav.test\r\n{fields}\r\n");
    send(gateway.address, head)
}

/// The path and the `Destination` in every order and spelling: what is refused alone is refused in either place.
#[test]
fn both_paths_must_be_allowed() {
    let app = Upstream::saying("done");
    let gateway = gateway(SERVICES).upstream(app.address).start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    for (method, path, destination, caller, status) in [
        ("COPY", "/dav/a/x", "/dav/b", &carl, 200),
        ("COPY", "/dav/a/x", "/dav/a/private/x", &carl, 403),
        ("MOVE", "/dav/a/private/x", "/dav/b", &carl, 403),
        ("MOVE", "/dav/a/private/x", "/dav/a/private/y", &rita, 200),
        ("MOVE", "/dav/b", "/dav/a/private/x", &rita, 200),
        // whatever the method: who knows what a service does with the field
        ("PUT", "/dav/b", "/dav/a/private/x", &carl, 403),
        ("GET", "/dav/b", "/dav/a/private/x", &carl, 403),
        ("BIND", "/dav/b", "/dav/a/private/x", &carl, 403),
        // with the same method
        ("GET", "/dav/b", "/dav/get/x", &carl, 200),
        ("COPY", "/dav/b", "/dav/get/x", &carl, 403),
        // spellings
        ("COPY", "/dav/b", "/dav/a/%70rivate/x", &carl, 403),
        ("COPY", "/dav/b", "/dav/a/private", &carl, 403),
        ("COPY", "/dav/b", "/dav/a/private/", &carl, 403),
        (
            "COPY",
            "/dav/b",
            "http://dav.test/dav/a/private/x",
            &carl,
            403,
        ),
        (
            "COPY",
            "/dav/b",
            "HTTP://DAV.test:80/dav/a/private/x",
            &carl,
            403,
        ),
        ("COPY", "/dav/b", "/dav/c/../a/private/x", &carl, 400),
        ("COPY", "/dav/b", "/dav/c/%2e%2e/a/private/x", &carl, 400),
        ("COPY", "/dav/b", "/dav/a%2Fprivate/x", &carl, 400),
        ("COPY", "/dav/b", "/dav/a%252Fprivate/x", &carl, 400),
        ("COPY", "/dav/b", "/dav//a/private/x", &carl, 400),
        ("COPY", "/dav/b", "//dav.test/dav/a/private/x", &carl, 400),
        ("COPY", "/dav/b", "/dav/a\\private", &carl, 400),
        ("COPY", "/dav/b", "/dav/b?/../a/private/x", &carl, 400),
        ("COPY", "/dav/b", "/dav/b#x", &carl, 400),
        ("COPY", "/dav/b", "dav/a/private/x", &carl, 400),
        ("COPY", "/dav/b", "http:/dav/a/private/x", &carl, 400),
        ("COPY", "/dav/b", "http://me@dav.test/dav/b", &carl, 400),
        ("COPY", "/dav/b", "", &carl, 400),
        // elsewhere
        ("COPY", "/dav/b", "http://evil.test/dav/b", &carl, 502),
        ("COPY", "/dav/b", "https://dav.test/dav/b", &carl, 502),
        ("COPY", "/dav/b", "http://dav.test:8080/dav/b", &carl, 502),
        ("COPY", "/dav/b", "ftp://dav.test/dav/b", &carl, 502),
        ("COPY", "/dav/b", "/other/b", &carl, 502),
        ("COPY", "/other/b", "/dav/b", &rita, 502),
        ("COPY", "/dav/b", "/auth/login", &carl, 502),
        ("POST", "/other/b", "/.well-known/jwks.json", &rita, 502),
        // a denial that is only reported
        ("COPY", "/dav/b", "/dav/trial/x", &carl, 200),
        ("COPY", "/dav/trial/x", "/dav/a/private/x", &carl, 403),
        ("COPY", "/dav/a/private/x", "/dav/trial/x", &carl, 403),
        ("COPY", "/dav/trial/x", "/dav/trial/y", &carl, 200),
        // nobody who is known
        ("COPY", "/dav/open/x", "/dav/open/y", &String::new(), 200),
        ("COPY", "/dav/open/x", "/dav/b", &String::new(), 401),
        ("COPY", "/dav/b", "/dav/open/x", &String::new(), 401),
    ] {
        let before = app.received().len();
        let fields = format!("{caller}Destination: {destination}\r\n");
        let answer = ask(&gateway, method, path, &fields);
        assert_eq!(
            answer.status, status,
            "{method} {path} to {destination:?}: {answer:?}"
        );
        let forwarded = app.received().len() - before;
        assert_eq!(
            forwarded,
            usize::from(status == 200),
            "{method} {path} to {destination:?}"
        );
    }
    let denied = ask(
        &gateway,
        "MOVE",
        "/dav/named",
        &format!("{carl}Destination: /dav/a/private\r\n"),
    );
    assert_eq!(
        denied.json()["detail"],
        "Access denied. Requires role: recruiter (`Destination`)"
    );
    let line = gateway.line("/dav/named");
    assert_eq!(
        (&line["rule"], &line["reason"]),
        (&"private".into(), &"destination: role missing".into())
    );
}

/// What reaches the service is what was decided on, in one spelling, once, and nothing else that it could take for one.
#[test]
fn the_service_gets_the_destination_that_was_decided_on() {
    let app = Upstream::saying("done");
    let gateway = gateway(SERVICES)
        .upstream(app.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let own = format!("http://{}", app.address);
    let rita = gateway.bearer("rita");
    for (path, fields, expected) in [
        (
            "/dav/a",
            "Destination: /dav/%62/%c3%bc x\r\n",
            "/dav/b/%C3%BC%20x",
        ),
        (
            "/dav/a",
            "DESTINATION: http://DAV.test:80/dav/b\r\n",
            "http://dav.test/dav/b",
        ),
        (
            "/dav/a",
            "X-Forwarded-Proto: https\r\nDestination: https://dav.test/dav/b\r\n",
            "https://dav.test/dav/b",
        ),
        (
            "/dav/a",
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: dav.example.com\r\nDestination: https://dav.example.com/dav/b\r\n",
            "https://dav.example.com/dav/b",
        ),
        ("/loose/a", "Destination: //loose//b\r\n", "/loose/b"),
        ("/st/a", "Destination: /st/b/\r\n", "/b/"),
        ("/st/a", "Destination: /st\r\n", "/"),
        (
            "/st/a",
            "Destination: http://dav.test/st/b\r\n",
            &format!("{own}/b"),
        ),
        // names that some servers take for the same
        (
            "/dav/a",
            "New-Uri: /dav/a/private/x\r\nX-Destination: 1\r\nDestin_ation: /x\r\nDestination: /dav/b\r\n",
            "/dav/b",
        ),
    ] {
        let answer = ask(&gateway, "MOVE", path, &format!("{rita}{fields}"));
        assert_eq!(answer.status, 200, "{fields}: {answer:?}");
        let received = app.received().pop().unwrap();
        assert_eq!(received.fields("destination"), [expected], "{fields}");
        for alias in ["new-uri", "destin_ation"] {
            assert_eq!(received.fields(alias), [""; 0], "{fields}");
        }
    }
    let several = "Destination: /dav/b\r\nDestination: /dav/b\r\n";
    assert_eq!(
        ask(&gateway, "MOVE", "/dav/a", &format!("{rita}{several}")).status,
        400
    );
    // a trailer is none
    let chunked = format!(
        "{rita}Transfer-Encoding: chunked\r\nTrailer: Destination\r\n\r\n0\r\nDestination: /dav/a/private/x\r\n"
    );
    assert_eq!(ask(&gateway, "MOVE", "/dav/a", &chunked).status, 200);
    let received = app.received().pop().unwrap();
    assert!(
        !received.head.to_ascii_lowercase().contains("destination"),
        "{received:?}"
    );
}

/// Another proxy forwards what it passes on: without the field, it cannot be decided.
#[test]
fn forward_auth_decides_on_the_destination() {
    let gateway = gateway(SERVICES)
        .upstream("127.0.0.1:9".parse().unwrap())
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    for (method, destination, caller, status, of_nginx) in [
        ("COPY", "Destination: /dav/b\r\n", &carl, 200, 200),
        (
            "COPY",
            "Destination: https://dav.test/dav/b\r\n",
            &carl,
            200,
            200,
        ),
        ("COPY", "Destination: /dav/a/private\r\n", &carl, 403, 403),
        ("COPY", "Destination: /dav/a/private\r\n", &rita, 200, 200),
        ("PUT", "Destination: /dav/a/private\r\n", &carl, 403, 403),
        (
            "COPY",
            "Destination: http://dav.test/dav/b\r\n",
            &carl,
            502,
            403,
        ),
        ("COPY", "Destination: /dav/../b\r\n", &carl, 400, 403),
        (
            "COPY",
            "Destination: /dav/b\r\nDestination: /dav/b\r\n",
            &carl,
            400,
            403,
        ),
        ("COPY", "", &rita, 400, 403),
        ("MOVE", "", &rita, 400, 403),
        ("PUT", "", &rita, 200, 200),
    ] {
        let forwarded = format!(
            "X-Forwarded-Method: {method}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: dav.test\r\n\
             X-Forwarded-Uri: /dav/a/x\r\n{caller}{destination}"
        );
        let original = format!(
            "X-Original-Method: {method}\r\nX-Original-URL: https://dav.test/dav/a/x\r\n{caller}{destination}"
        );
        for (fields, status) in [(forwarded, status), (original, of_nginx)] {
            let answer = gateway.get("/auth/verify", &fields);
            assert_eq!(answer.status, status, "{fields}: {answer:?}");
        }
    }
}

const CONFIG: &str = "
services:
  dav:
    path: /dav
    upstream: http://127.0.0.1:9
    rules:
      - { path: /dav/**, allow: authenticated, allow_lints: [recursive-method] }
      - { path: /dav/private/**, allow: { roles: [admin] } }
";

fn with_tests(tests: &str) -> tempfile::TempDir {
    let config = format!("{CONFIG}tests:\n{tests}");
    folder(&[("gateway.yaml", config.as_str())])
}

#[test]
fn simulated_requests_have_destinations() {
    let passing = with_tests(
        "  - { request: COPY /dav/a, destination: /dav/b, as: { roles: [x] }, expect: allowed }
  - { request: COPY /dav/a, destination: /dav/private, as: { roles: [x] }, expect: forbidden }
  - { request: COPY /dav/private, destination: /dav/b, as: { roles: [x] }, expect: forbidden }
  - { request: COPY /dav/private, destination: /dav/private/b, as: { roles: [admin] }, expect: allowed }
  - { request: COPY /dav/a, destination: /dav/private, expect: unauthenticated }
  - { request: COPY https://dav.test/dav/a, destination: 'https://dav.test:443/dav/b', as: { roles: [x] }, expect: allowed }
  - { request: COPY https://dav.test/dav/a, destination: 'http://dav.test/dav/b', as: { roles: [x] }, expect: bad_request }
  - { request: COPY /dav/a, destination: /elsewhere, as: { roles: [x] }, expect: bad_request }
  - { request: COPY /dav/a, destination: /dav/../x, as: { roles: [x] }, expect: bad_request }
",
    );
    let output = gatelatch(passing.path(), &["test"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let failing = with_tests(
        "  - { request: MOVE /dav/a, destination: /dav/private/b, as: { roles: [x] }, expect: allowed }\n",
    );
    let output = gatelatch(failing.path(), &["test"]);
    let said = text(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("`MOVE /dav/a to /dav/private/b` by somebody with the role x: expected `allowed`, got `forbidden` (Access denied. Requires role: admin (`Destination`))"), "{said}");
    assert!(said.contains("`* /dav/private/**` decides"), "{said}");
}

#[test]
fn explain_shows_both_paths() {
    let folder = with_tests("  - { request: GET /dav/a, expect: unauthenticated }\n");
    let explain = |more: &[&str]| {
        let arguments = [&["explain", "COPY", "/dav/a", "--destination"], more].concat();
        gatelatch(folder.path(), &arguments)
    };
    let refused = explain(&["/dav/%70rivate/b", "--roles", "x"]);
    let said = text(&refused.stdout);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(
        said.contains("its `Destination` /dav/private/b, which must be allowed as well"),
        "{said}"
    );
    let refused = json(&explain(&[
        "/dav/private/b",
        "--roles",
        "x",
        "--format",
        "json",
    ]));
    let verdicts = |report: &Value| {
        (
            report["verdict"].clone(),
            report["destination"]["verdict"].clone(),
        )
    };
    assert_eq!(
        verdicts(&refused),
        ("forbidden".into(), "forbidden".into()),
        "{refused}"
    );
    assert_eq!(refused["rule"]["name"], "* /dav/**");
    assert_eq!(refused["destination"]["rule"]["name"], "* /dav/private/**");
    let allowed = json(&explain(&["/dav/b", "--roles", "x", "--format", "json"]));
    assert_eq!(
        verdicts(&allowed),
        ("allowed".into(), "allowed".into()),
        "{allowed}"
    );
    let anonymous = json(&explain(&["/dav/private/b", "--format", "json"]));
    assert_eq!(
        verdicts(&anonymous),
        ("unauthenticated".into(), "unauthenticated".into())
    );
    assert_eq!(
        explain(&["/elsewhere", "--roles", "x"]).status.code(),
        Some(5)
    );
}
