//! Logins under load, and bodies that are no logins.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use crate::support::{Answer, Connection, Gateway, PASSWORD, Upstream, gateway, send, until};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
";

/// A user whose password takes a large part of a second to check, and one whose password does not.
pub fn slow_and_quick() -> String {
    let quick = bcrypt::hash(PASSWORD, 4).unwrap();
    // of nobody's password
    let slow = "$2b$13$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC";
    format!("users:\n  slow: {{ password: \"{slow}\" }}\n  quick: {{ password: \"{quick}\" }}\n")
}

fn form(fields: &str) -> String {
    format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{fields}",
        fields.len()
    )
}

/// More logins than all threads and their queue take, over connections that are kept open.
fn flood(gateway: &Gateway) -> Vec<TcpStream> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let more_than_fit = (cores / 2).max(1) * 65 + 8;
    let one = || {
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream
            .write_all(form("username=slow&password=x").as_bytes())
            .unwrap();
        stream
    };
    (0..more_than_fit).map(|_| one()).collect()
}

fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let answered = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).unwrap();
    answered
}

#[test]
fn logins_beyond_the_queue_are_put_off_and_requests_go_on() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .users(&slow_and_quick())
        // so that the limits of one network come after the queue's
        .auth("login: { attempts: 1000 }")
        .start();
    let flood = flood(&gateway);
    until("a full queue", || {
        gateway.metric("gatelatch_logins_total{outcome=\"busy\"}") >= 8.0
    });
    // one of the flood itself: until another one is sent, there may be room
    until("a login that is put off", || flood.iter().any(is_answered));
    let answered = flood.iter().find(|stream| is_answered(stream)).unwrap();
    let refused = Connection::over(answered.try_clone().unwrap()).read();
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, "1"),
        "{refused:?}"
    );
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    for _ in 0..20 {
        assert_eq!(gateway.get("/open", "").status, 200);
    }
    // the checks of clients that have gone are not made: they would take a minute
    flood
        .iter()
        .for_each(|stream| stream.shutdown(Shutdown::Both).unwrap());
    until("room in the queue", || {
        gateway.login("quick", PASSWORD).status == 200
    });
    let line = std::iter::repeat_with(|| gateway.line("/auth/login"))
        .find(|line| line["status"] == 503)
        .unwrap();
    assert_eq!(line["reason"], "login failed: busy", "{line}");
}

/// Sends a request and, right behind it, one for `/open`. Returns the first answer, and the second one where the
/// connection goes on.
fn and_then_open(gateway: &Gateway, first: &str) -> (Answer, Option<Answer>) {
    let mut connection = Connection::open(gateway.address);
    connection.write(format!("{first}GET /open HTTP/1.1\r\nHost: a\r\n\r\n"));
    let answer = connection.read();
    (answer, connection.try_read())
}

#[test]
fn a_body_that_is_too_large_is_refused_and_the_connection_stays_in_step() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    // what would be read as a request if the body were not counted
    let body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2000);
    assert!(body.len() > 64 * 1024);
    let head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let announced = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for request in [announced, chunked] {
        let (refused, next) = and_then_open(&gateway, &request);
        assert_eq!(refused.status, 413, "{refused:?}");
        assert_eq!(refused.json()["detail"], "the body is larger than 64 KiB");
        assert!(next.is_none_or(|answer| (answer.status, answer.body.as_str()) == (200, "hi")));
    }
    for request in upstream.received() {
        assert_eq!(request.line(), "GET /open HTTP/1.1");
    }
}

#[test]
fn after_a_login_the_connection_stays_in_step() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let good = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
    let chunked = format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{good}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        good.len()
    );
    let unread =
        form("username=rita&password=x").replace("application/x-www-form-urlencoded", "text/plain");
    for (request, status) in [
        (form(&good), 200),
        (chunked, 200),
        (form("username=rita&password=wrong"), 401),
        (form("nonsense"), 422),
        (unread, 415),
        (
            form(&good).replace("POST /auth/login", "PUT /auth/login"),
            405,
        ),
        (
            form(&good).replace("POST /auth/login", "POST /auth/nothing"),
            404,
        ),
    ] {
        let (answer, next) = and_then_open(&gateway, &request);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert!(
            next.is_none_or(|next| (next.status, next.body.as_str()) == (200, "hi")),
            "{request}"
        );
    }
}

#[test]
fn a_login_that_breaks_off_harms_nobody() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    for part in [
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz",
    ] {
        let mut connection = Connection::open(gateway.address);
        let said = connection.write(part).finish().read_to_end();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400 "),
            "{said}"
        );
        assert_eq!(gateway.line("/auth/login")["user"], serde_json::Value::Null);
    }
    let answer = send(gateway.address, "GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.status, 200);
}

/// What Authelia calls `users_database.yml`, with a hash of the reference implementation.
#[test]
fn a_user_list_of_authelia_is_read_as_it_is() {
    let upstream = Upstream::saying("hi");
    let users = r#"---
users:
  john:
    disabled: false
    displayname: 'John Doe'
    password: '$argon2id$v=19$m=1024,t=3,p=4$HsSvIm+Th+dr6IL6rE5IQQ$cJ/IF1FJf7OwhAZIDd7UkDS4bZDGYGj5xDpAhdghWEQ'
    email: 'john.doe@example.com'
    groups:
      - 'recruiter'
      - 'dev'
  jane:
    disabled: true
    displayname: 'Jane Doe'
    password: '$argon2id$v=19$m=1024,t=3,p=4$HsSvIm+Th+dr6IL6rE5IQQ$cJ/IF1FJf7OwhAZIDd7UkDS4bZDGYGj5xDpAhdghWEQ'
    email: 'jane@example.com'
    groups: []
...
"#;
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /jobs, allow: { roles: [recruiter] } } ]
";
    let gateway = gateway(services)
        .users(users)
        .upstream(upstream.address)
        .start();
    assert_eq!(gateway.get("/jobs", &gateway.bearer("john")).status, 200);
    let told = upstream.only();
    for (name, expected) in [
        ("remote-name", "John Doe"),
        ("remote-email", "john.doe@example.com"),
        ("remote-groups", "recruiter,dev"),
    ] {
        assert_eq!(told.fields(name), [expected]);
    }
    let refused = ["john", "jane", "nobody"].map(|user| gateway.login(user, "wrong"));
    assert!(
        refused
            .iter()
            .all(|answer| answer.status == 401 && answer.body == refused[0].body),
        "{refused:?}"
    );
    assert_eq!(gateway.login("jane", PASSWORD).status, 401);
}
