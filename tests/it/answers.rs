//! The heads of a service's answers: how large they may be, how they may be written, and where they lead on.

use std::net::SocketAddr;
use std::process::Command;

use http::{HeaderName, HeaderValue};

use crate::support::{
    Answer, Authority, Certified, Gateway, Modern, Tongue, Upstream, gateway, program, said,
};

const OPEN: &str = "
  all: { upstream: UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

fn before(upstream: String) -> Gateway {
    gateway(&OPEN.replace("UPSTREAM", &upstream)).start()
}

/// A service that answers with as many fields of that length as the path says: `/fields/length`.
fn wordy_http1() -> Upstream {
    Upstream::new(|request| {
        let (fields, length) = wanted(request.line().split(' ').nth(1).unwrap());
        let mut answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_owned();
        for number in 1..fields {
            answer += &format!("X-{number}: {}\r\n", "v".repeat(length));
        }
        (answer + "\r\nhi").into_bytes()
    })
}

fn wordy_http2() -> Modern {
    Modern::new(Tongue::H2c { streams: 8 }, |seen| async move {
        let (fields, length) = wanted(seen.uri.path());
        let mut answer = said("hi");
        // hyper adds `Date` and `Content-Length`
        for number in 2..fields {
            let name = HeaderName::try_from(format!("x-{number}")).unwrap();
            let value = HeaderValue::try_from("v".repeat(length)).unwrap();
            answer.headers_mut().insert(name, value);
        }
        answer
    })
}

fn wanted(path: &str) -> (usize, usize) {
    let (fields, length) = path[1..].split_once('/').unwrap();
    (fields.parse().unwrap(), length.parse().unwrap())
}

#[test]
fn an_answer_may_have_a_thousand_fields() {
    let (http1, http2) = (wordy_http1(), wordy_http2());
    for upstream in [
        format!("http://{}", http1.address),
        format!("h2c://{}", http2.address),
    ] {
        let gateway = before(upstream.clone());
        for path in ["/2/1", "/101/1", "/1000/50", "/20/5000"] {
            let answer = gateway.get(path, "");
            assert_eq!(
                (answer.status, &*answer.body),
                (200, "hi"),
                "{upstream}{path}"
            );
            let fields: usize = path[1..].split('/').next().unwrap().parse().unwrap();
            let passed = answer
                .head
                .lines()
                .filter(|line| line.to_ascii_lowercase().starts_with("x-"));
            assert!(passed.count() >= fields - 2, "{upstream}{path}");
        }
        for path in ["/1010/1", "/40/5000", "/3/140000"] {
            let answer = gateway.get(path, "");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert_eq!(answer.status, 502, "{upstream}{path}");
            assert!(
                detail.contains("too many header fields"),
                "{path}: {detail}"
            );
        }
        assert_eq!(gateway.get("/2/1", "").status, 200, "and it goes on");
        let series = "gatelatch_upstream_errors_total{service=\"all\",kind=\"protocol\"}";
        assert_eq!(gateway.metric(series), 3.0);
    }
}

#[test]
fn what_older_services_write_becomes_one_field_on_one_line() {
    let upstream = Upstream::new(|request| {
        let odd = match request.line() {
            "GET /blank HTTP/1.1" => "X-Odd : one\r\nContent-Length : 2\r\n",
            "GET /tab HTTP/1.1" => "X-Odd\t: one\r\nContent-Length\t:2\r\n",
            "GET /folded HTTP/1.1" => "X-Odd: one\r\n  two\r\n\tthree\r\nContent-Length:\r\n 2\r\n",
            _ => "X-Odd : one\r\nTransfer-Encoding :\r\n chunked\r\n",
        };
        let body = if odd.contains("chunked") {
            "2\r\nhi\r\n0\r\n\r\n"
        } else {
            "hi"
        };
        format!("HTTP/1.1 200 OK\r\n{odd}\r\n{body}").into_bytes()
    });
    let gateway = before(format!("http://{}", upstream.address));
    for path in ["/blank", "/tab", "/folded", "/chunked"] {
        let answer = gateway.get(path, "");
        assert_eq!(
            (answer.status, &*answer.body),
            (200, "hi"),
            "{path}: {answer:?}"
        );
        let words: Vec<_> = answer.header("x-odd").split_whitespace().collect();
        let expected: &[_] = if path == "/folded" {
            &["one", "two", "three"]
        } else {
            &["one"]
        };
        assert_eq!(words, expected, "{path}");
        assert!(!answer.head.contains("x-odd :") && !answer.head.contains("one\r\n "));
    }
    // what no one can read stays refused
    for head in [
        "X Odd: one\r\n",
        " X-Odd: one\r\n",
        ": one\r\n",
        "X-Odd\r\n",
    ] {
        let broken = Upstream::new(move |_| {
            format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\nhi").into_bytes()
        });
        let gateway = before(format!("http://{}", broken.address));
        assert_eq!(gateway.get("/", "").status, 502, "{head:?}");
    }
}

/// A service that leads on to where the query says, with `SELF` for its own address.
fn leading() -> Upstream {
    let own = std::sync::Arc::new(std::sync::OnceLock::<SocketAddr>::new());
    let inside = std::sync::Arc::clone(&own);
    let upstream = Upstream::new(move |request| {
        let target = request.line().split(' ').nth(1).unwrap();
        let to = target.split_once("?to=").unwrap().1;
        let to = to.replace("SELF", &inside.get().unwrap().to_string());
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Location: {to}\r\nRefresh: 0; url={to}\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    });
    own.set(upstream.address).unwrap();
    upstream
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert_eq!(answer.header("location"), answer.header("content-location"));
    answer.header("location").to_owned()
}

#[test]
fn an_answer_leads_on_to_where_the_client_is() {
    let upstream = leading();
    let inner = upstream.address.to_string();
    let gateway = gateway(&format!(
        "
  plain: {{ hosts: [plain.test], upstream: http://{inner}, rules: [ {{ path: /**, allow: anyone }} ] }}
  inner: {{ hosts: [inner.test], upstream: {{ servers: [http://{inner}], host: upstream }}, rules: [ {{ path: /**, allow: anyone }} ] }}
  mounted: {{ hosts: [mounted.test], path: /m, strip_path: true, upstream: http://{inner}, rules: [ {{ path: /m/**, allow: anyone }} ] }}
  alone: {{ hosts: [alone.test], path: /m, strip_path: true, rewrite_location: false, upstream: http://{inner}, rules: [ {{ path: /m/**, allow: anyone }} ] }}
"
    ))
    .server("trusted_proxies: [127.0.0.1/32]")
    .start();
    let ask = |host: &str, path: &str, fields: &str, to: &str| {
        let request = format!("GET {path}?to={to} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        crate::support::send(gateway.address, request)
    };
    let https = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: outside.test\r\n";
    let rows = [
        (
            "plain.test:81",
            "/",
            "",
            "http://SELF/x/?a=b",
            "http://plain.test:81/x/?a=b".to_owned(),
        ),
        (
            "plain.test:81",
            "/",
            "",
            "//SELF/x",
            "//plain.test:81/x".to_owned(),
        ),
        (
            "plain.test:81",
            "/",
            "",
            "http://SELF//evil.test/",
            "http://plain.test:81//evil.test/".to_owned(),
        ),
        (
            "plain.test",
            "/",
            "",
            "https://SELF/x",
            format!("https://{inner}/x"),
        ),
        (
            "plain.test",
            "/",
            "",
            "http://other.test/x",
            "http://other.test/x".to_owned(),
        ),
        ("plain.test", "/", "", "/x", "/x".to_owned()),
        (
            "plain.test",
            "/",
            https,
            "http://SELF/x",
            "https://outside.test/x".to_owned(),
        ),
        (
            "plain.test",
            "/",
            https,
            "http://plain.test/x",
            "https://outside.test/x".to_owned(),
        ),
        (
            "inner.test",
            "/",
            "",
            "http://SELF/x",
            "http://inner.test/x".to_owned(),
        ),
        ("mounted.test", "/m/a", "", "/x/", "/m/x/".to_owned()),
        ("mounted.test", "/m/a", "", "/m/x/", "/m/x/".to_owned()),
        ("mounted.test", "/m/a", "", "x/", "x/".to_owned()),
        (
            "mounted.test",
            "/m/a",
            "",
            "http://mounted.test/x",
            "http://mounted.test/m/x".to_owned(),
        ),
        (
            "mounted.test",
            "/m/a",
            "",
            "http://SELF",
            "http://mounted.test/m/".to_owned(),
        ),
        (
            "mounted.test",
            "/m/a",
            "",
            "//evil.test/x",
            "//evil.test/x".to_owned(),
        ),
        ("alone.test", "/m/a", "", "/x/", "/x/".to_owned()),
        (
            "alone.test",
            "/m/a",
            "",
            "http://SELF/x",
            format!("http://{inner}/x"),
        ),
    ];
    for (host, path, fields, to, expected) in rows {
        let answer = ask(host, path, fields, to);
        assert_eq!(location(&answer), expected, "{host} {to}");
        let untouched = to.replace("SELF", &inner);
        assert_eq!(answer.header("refresh"), format!("0; url={untouched}"));
    }
}

fn trusting(certificate: &str, upstream: SocketAddr) -> Gateway {
    let certificate = certificate.to_owned();
    let service = format!("{{ servers: [https://{upstream}], tls: {{ ca: ca.crt }}, retries: 0 }}");
    gateway(&OPEN.replace("UPSTREAM", &service))
        .prepare(move |folder| std::fs::write(folder.join("ca.crt"), certificate).unwrap())
        .start()
}

#[test]
fn a_certificate_as_openssl_makes_it_is_its_own_authority() {
    if program("openssl").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, more: &str| {
        let arguments = format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /CN=localhost {more}"
        );
        let made = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let read =
            |end| std::fs::read_to_string(folder.path().join(format!("{name}.{end}"))).unwrap();
        Certified {
            certificate: read("crt"),
            key: read("key"),
        }
    };
    let ours = make("ours", "-addext subjectAltName=IP:127.0.0.1");
    let twin = make("twin", "-addext subjectAltName=IP:127.0.0.1");
    let named = make("named", "-addext subjectAltName=DNS:other.test");
    for (shown, trusted, status) in [
        (&ours, &ours, 200),
        (&ours, &twin, 502),
        (&named, &named, 502),
    ] {
        let upstream = Modern::echo(Tongue::Tls(shown.server(&["h2", "http/1.1"], None)));
        let gateway = trusting(&trusted.certificate, upstream.address);
        assert_eq!(gateway.get("/a", "").status, status);
    }
    // an issued one, without its authority
    let issued = Authority::new("test").issue(&["127.0.0.1"]);
    let upstream = Modern::echo(Tongue::Tls(issued.server(&["http/1.1"], None)));
    let gateway = trusting(&issued.certificate, upstream.address);
    assert_eq!(gateway.get("/a", "").status, 200);
}
