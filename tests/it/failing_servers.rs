//! Servers that no other can stand in for: what is reported when requests do not reach them, and that they are tried on.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use crate::support::{
    Authority, Gateway, Modern, RawUpstream, Stoppable, Tongue, Upstream, gateway, ok,
};

const SERVICE: &str = "
  all:
    upstream: { servers: [SERVERS], timeouts: { connect: 300ms, response: 300ms }, MORE }
    rules: [ { path: /**, allow: anyone } ]
";

fn service(servers: &[String], more: &str) -> String {
    SERVICE
        .replace("SERVERS", &servers.join(", "))
        .replace("MORE", more)
}

/// What is reported of a server: `/readyz`, the metric, and the data of the dashboard.
fn reported(gateway: &Gateway, server: &str) -> (String, f64, String) {
    let ready: Value = gateway.probe("/readyz").json();
    let overview: Value = gateway.probe("/api/overview").json();
    let series = format!("gatelatch_upstream_server_up{{service=\"all\",server=\"{server}\"}}");
    let servers = overview["services"][0]["servers"].as_array().unwrap();
    let one = servers.iter().find(|one| one["server"] == server).unwrap();
    (
        ready["upstreams"]["all"][server]
            .as_str()
            .unwrap()
            .to_owned(),
        gateway.metric(&series),
        one["state"].as_str().unwrap().to_owned(),
    )
}

fn failing() -> (String, f64, String) {
    ("failing".to_owned(), 0.0, "failing".to_owned())
}

fn up() -> (String, f64, String) {
    ("up".to_owned(), 1.0, "up".to_owned())
}

fn events(gateway: &Gateway, name: &str) -> usize {
    let wanted = format!("\"event\":\"{name}\"");
    gateway.printed().matches(&wanted).count()
}

/// Sends requests until the server is reported as failing, which one request with its repetition is enough for, and then
/// some more, each of which is tried.
fn assert_seen(gateway: &Gateway, server: &str, why: &str) {
    let tried = || {
        gateway.metric(&format!(
            "gatelatch_upstream_requests_total{{service=\"all\",server=\"{server}\"}}"
        ))
    };
    assert_eq!(reported(gateway, server), up(), "it begins as up");
    assert!(gateway.get("/first", "").status >= 502);
    assert_eq!(reported(gateway, server), failing());
    let down = gateway.named_event("server_down");
    assert_eq!(
        (&down["service"], &down["server"]),
        (&"all".into(), &server.into())
    );
    assert!(down["why"].as_str().unwrap().contains(why), "{down}");
    let before = tried();
    for _ in 0..5 {
        assert!(gateway.get("/more", "").status >= 502);
    }
    assert_eq!(tried(), before + 10.0, "each is tried, and once more");
    assert_eq!(reported(gateway, server), failing());
    assert_eq!(events(gateway, "server_down"), 1);
}

fn assert_well(gateway: &Gateway, server: &str) {
    assert_eq!(gateway.get("/well", "").status, 200);
    assert_eq!(reported(gateway, server), up());
    assert_eq!(gateway.named_event("server_up")["server"], server);
    assert_eq!(events(gateway, "server_up"), 1);
}

#[test]
fn the_only_server_is_seen_to_be_away_and_to_be_back() {
    let mut server = Stoppable::start("hi");
    let name = server.address.to_string();
    server.stop();
    let gateway = gateway(&service(&[format!("http://{name}")], "")).start();
    assert_seen(&gateway, &name, "refused");
    server.restart();
    assert_well(&gateway, &name);
}

#[test]
fn the_only_server_is_seen_to_swallow_packets() {
    use socket2::{Domain, Socket, Type};
    // with a full queue, further connections are neither made nor refused
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let nowhere: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&nowhere.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let fillers: Vec<Socket> = (0..4)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address.into());
            filler
        })
        .collect();
    let gateway = gateway(&service(&[format!("http://{address}")], "")).start();
    assert_seen(&gateway, &address.to_string(), "in time");
    drop(fillers);
}

#[test]
fn a_certificate_that_is_exchanged_is_seen_once_and_counted() {
    let (former, present) = (Authority::new("former"), Authority::new("present"));
    let tls = present.issue(&["127.0.0.1"]).server(&["http/1.1"], None);
    let upstream = Modern::echo(Tongue::Tls(tls));
    let name = format!("https://{}", upstream.address);
    let certificate = former.certificate().to_owned();
    let gateway = gateway(&service(std::slice::from_ref(&name), "tls: { ca: ca.crt }"))
        .prepare(move |folder| std::fs::write(folder.join("ca.crt"), certificate).unwrap())
        .start();
    assert_seen(&gateway, &name, "UnknownIssuer");
    assert_eq!(events(&gateway, "upstream_tls_failed"), 1);
    let series = format!(
        "gatelatch_upstream_tls_failures_total{{service=\"all\",server=\"{name}\",reason=\"unknown_issuer\"}}"
    );
    assert_eq!(gateway.metric(&series), 12.0);
    gateway.replace("ca.crt", present.certificate());
    gateway.event("configuration reloaded");
    assert_well(&gateway, &name);
}

#[test]
fn every_kind_of_failed_handshake_has_its_reason() {
    let authority = Authority::new("test");
    let clients = Authority::new("clients");
    let serve = |tls| Modern::echo(Tongue::Tls(tls)).address;
    let expired = serve(
        authority
            .issue_until(&["127.0.0.1"], 2020)
            .server(&[], None),
    );
    let other = serve(authority.issue(&["api.test"]).server(&[], None));
    let stranger = serve(Authority::new("x").issue(&["127.0.0.1"]).server(&[], None));
    let asks = serve(authority.issue(&["127.0.0.1"]).server(&[], Some(&clients)));
    let clear = Upstream::saying("hi").address;
    for (server, reason) in [
        (expired, "expired"),
        (other, "wrong_name"),
        (stranger, "unknown_issuer"),
        (asks, "alert"),
        (clear, "handshake"),
    ] {
        let name = format!("https://{server}");
        let certificate = authority.certificate().to_owned();
        let more = "tls: { ca: ca.crt }, retries: 0";
        let gateway = gateway(&service(std::slice::from_ref(&name), more))
            .prepare(move |folder| std::fs::write(folder.join("ca.crt"), certificate).unwrap())
            .start();
        assert_eq!(gateway.get("/a", "").status, 502, "{reason}");
        let event = gateway.named_event("upstream_tls_failed");
        assert_eq!(event["reason"], reason, "{event}");
    }
}

#[test]
fn where_all_servers_fail_all_are_seen_and_tried() {
    let mut servers = [Stoppable::start("one"), Stoppable::start("two")];
    servers.iter_mut().for_each(Stoppable::stop);
    let names = servers.each_ref().map(|server| server.address.to_string());
    let urls = names.each_ref().map(|name| format!("http://{name}"));
    let gateway = gateway(&service(&urls, "")).workers(1).start();
    for _ in 0..20 {
        assert_eq!(gateway.get("/a", "").status, 502);
    }
    let mut states = names.each_ref().map(|name| reported(&gateway, name).0);
    states.sort();
    assert_eq!(states, ["failing", "resting"]);
    assert!(names.iter().all(|name| reported(&gateway, name).1 == 0.0));
    assert_eq!(events(&gateway, "server_down"), 2, "one each");
    // the one that was left alone is tried again after its rest, and nothing says that it is up
    crate::support::until("the end of the rest", || {
        names
            .iter()
            .all(|name| reported(&gateway, name) == failing())
    });
    assert_eq!(events(&gateway, "server_up"), 0);
    servers.iter_mut().for_each(Stoppable::restart);
    for _ in 0..30 {
        assert_eq!(gateway.get("/a", "").status, 200);
    }
    assert!(names.iter().all(|name| reported(&gateway, name) == up()));
    assert_eq!(events(&gateway, "server_up"), 2, "one each");
}

#[test]
fn a_server_that_answers_nothing_is_seen_after_some_requests() {
    let silent = RawUpstream::new(|mut wire, _| {
        wire.head();
    });
    let name = silent.address.to_string();
    let gateway = gateway(&service(&[format!("http://{name}")], "retries: 0"))
        .workers(1)
        .start();
    for _ in 0..4 {
        assert_eq!(gateway.get("/a", "").status, 502);
        assert_eq!(reported(&gateway, &name), up(), "it may be these requests");
    }
    assert_eq!(gateway.get("/a", "").status, 502);
    assert_eq!(reported(&gateway, &name), failing());
}

#[test]
fn a_server_that_does_not_speak_http_is_seen_after_some_requests() {
    for said in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let stranger = RawUpstream::new(move |mut wire, _| {
            wire.head();
            wire.say(said);
        });
        let name = stranger.address.to_string();
        let gateway = gateway(&service(&[format!("http://{name}")], "retries: 0"))
            .workers(1)
            .start();
        for _ in 0..4 {
            assert_eq!(gateway.get("/a", "").status, 502);
            assert_eq!(reported(&gateway, &name), up(), "it may be these requests");
        }
        assert_eq!(gateway.get("/a", "").status, 502);
        assert_eq!(reported(&gateway, &name), failing(), "{said:?}");
        let down = gateway.named_event("server_down");
        assert!(down["why"].as_str().unwrap().contains("not HTTP"), "{down}");
    }
}

/// What a client asks for does not speak against the server.
#[test]
fn a_request_that_the_server_has_no_way_to_answer_is_not_its_fault() {
    let server = Modern::echo(Tongue::H2c { streams: 10 });
    let name = format!("h2c://{}", server.address);
    let gateway = gateway(&service(std::slice::from_ref(&name), "retries: 0"))
        .workers(1)
        .start();
    for _ in 0..10 {
        let asked = gateway.get("/a", "Connection: upgrade\r\nUpgrade: other\r\n");
        assert_eq!(asked.status, 502);
    }
    assert_eq!(reported(&gateway, &name), up());
}

#[test]
fn an_answer_is_an_answer_whatever_it_says() {
    let broken = Upstream::new(|_| {
        let answer = String::from_utf8(ok("")).unwrap();
        answer.replace("200 OK", "503 Service Unavailable").into()
    });
    let name = broken.address.to_string();
    let gateway = gateway(&service(&[format!("http://{name}")], "")).start();
    for _ in 0..10 {
        assert_eq!(gateway.get("/a", "").status, 503);
    }
    assert_eq!(reported(&gateway, &name), up());
}

#[test]
fn nobody_is_failing_before_a_request() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = free.local_addr().unwrap().to_string();
    drop(free);
    let gateway = gateway(&service(&[format!("http://{name}")], "")).start();
    assert_eq!(reported(&gateway, &name), up());
}
