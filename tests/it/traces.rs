//! Traces over OTLP: what a collector gets, what upstreams are told, and what a collector can never do to a request.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    Authority, Collector, Connection, Exported, FrameConnection, Gateway, GatewayBuilder, Modern,
    RawUpstream, Tongue, Upstream, gateway, ok, send, until,
};

const SERVICES: &str = "
  app:
    upstream: { servers: [\"http://UPSTREAM\"], timeouts: { response: 300ms } }
    rules:
      - { path: /open/**, allow: anyone }
      - { path: \"/users/{id}\", methods: [GET], allow: authenticated, name: one user }
      - { path: /admin, allow: { roles: [admin] } }
";

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const ERROR: i32 = 2;
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn tracing(collector: &Collector, entries: &str) -> String {
    format!(
        "tracing: {{ otlp: \"http://{}\"{entries} }}",
        collector.address
    )
}

fn traced(collector: &Collector, upstream: &Upstream) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing(collector, ""))
}

fn ask(gateway: &Gateway, path: &str, fields: &str) -> u16 {
    gateway.get(path, fields).status
}

/// What an upstream was told: trace, span and flags.
fn parts(field: &str) -> (String, String, String) {
    let parts: Vec<&str> = field.split('-').collect();
    assert_eq!((parts.len(), parts[0]), (4, "00"), "{field}");
    (
        parts[1].to_owned(),
        parts[2].to_owned(),
        parts[3].to_owned(),
    )
}

fn server(spans: &[Exported]) -> &Exported {
    spans.iter().find(|span| span.kind == SERVER).unwrap()
}

fn clients(spans: &[Exported]) -> Vec<&Exported> {
    spans.iter().filter(|span| span.kind == CLIENT).collect()
}

#[test]
fn a_request_is_a_server_span_with_a_client_span_inside() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let gateway = traced(&collector, &upstream).start();
    let rita = gateway.bearer("rita");
    let fields = format!("{rita}User-Agent: test/1\r\nHost: shop.test\r\n");
    let request = format!("GET /users/7?token=hidden HTTP/1.1\r\n{fields}\r\n");
    assert_eq!(send(gateway.address, request).status, 200);
    let spans = collector.spans(3);
    let login = spans
        .iter()
        .find(|span| span.name == "POST /auth/login")
        .unwrap();
    assert_eq!(
        (login.get("http.route"), login.get("gatelatch.decision")),
        ("/auth/login".into(), "gateway".into())
    );
    let spans: Vec<Exported> = spans
        .iter()
        .filter(|span| span.trace != login.trace)
        .cloned()
        .collect();
    let (server, clients) = (server(&spans), clients(&spans));
    assert_eq!(
        (
            server.name.as_str(),
            clients.len(),
            clients[0].name.as_str()
        ),
        ("GET /users/{id}", 1, "GET")
    );
    assert_eq!(
        (
            server.parent.as_str(),
            &clients[0].parent,
            &clients[0].trace
        ),
        ("", &server.id, &server.trace)
    );
    assert!(
        server.time.0 <= clients[0].time.0 && clients[0].time.1 <= server.time.1,
        "{spans:#?}"
    );
    let line = gateway.line("/users/7");
    let expected = json!({
        "http.request.method": "GET", "http.response.status_code": 200, "http.route": "/users/{id}",
        "url.path": "/users/7", "url.scheme": "http", "server.address": "shop.test", "client.address": "127.0.0.1",
        "network.protocol.version": "1.1", "user_agent.original": "test/1", "user.id": "rita",
        "gatelatch.service": "app", "gatelatch.rule": "one user", "gatelatch.decision": "allowed",
        "gatelatch.request_id": line["request_id"],
    });
    assert_eq!(json!(server.attributes), expected);
    let port = upstream.address.port();
    let expected = json!({
        "http.request.method": "GET", "http.response.status_code": 200, "url.path": "/users/7",
        "url.full": format!("http://127.0.0.1:{port}/users/7"), "server.address": "127.0.0.1", "server.port": port,
        "network.protocol.version": "1.1",
    });
    assert_eq!(json!(clients[0].attributes), expected);
    assert_eq!((server.status, clients[0].status), (0, 0));
    let resource = json!(server.resource);
    assert_eq!(
        (
            &resource["service.name"],
            &resource["telemetry.sdk.language"]
        ),
        (&json!("gatelatch"), &json!("rust"))
    );
    assert_eq!(line["trace_id"], Value::from(server.trace.clone()));
    let told = upstream.only();
    assert_eq!(
        told.fields("traceparent"),
        [format!("00-{}-{}-01", server.trace, clients[0].id)]
    );
    assert!(told.fields("tracestate").is_empty());
    let exported = format!("{:?}", collector.so_far());
    assert!(
        !exported.contains("hidden")
            && !exported.contains(rita.split_once("Bearer ").unwrap().1.trim())
    );
}

#[test]
fn a_trace_is_continued_and_passed_on() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let gateway = traced(&collector, &upstream).start();
    let state = "Tracestate: a=1\r\ntracestate: t@b=2\r\n";
    assert_eq!(
        ask(
            &gateway,
            "/open/a",
            &format!("Traceparent: {PARENT}\r\n{state}")
        ),
        200
    );
    let spans = collector.spans(2);
    let (trace, parent, _) = parts(PARENT);
    assert_eq!(
        (&server(&spans).trace, &server(&spans).parent),
        (&trace, &parent)
    );
    assert_eq!(
        (
            server(&spans).state.as_str(),
            clients(&spans)[0].trace.as_str()
        ),
        ("a=1,t@b=2", trace.as_str())
    );
    let told = upstream.only();
    assert_eq!(
        told.fields("traceparent"),
        [format!("00-{trace}-{}-01", clients(&spans)[0].id)]
    );
    assert_eq!(told.fields("tracestate"), ["a=1,t@b=2"]);
}

#[test]
fn what_names_no_trace_begins_one() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let gateway = traced(&collector, &upstream).start();
    let malformed = format!(
        "traceparent: {}\r\ntracestate: a=1\r\n",
        PARENT.to_uppercase()
    );
    assert_eq!(ask(&gateway, "/open/a", &malformed), 200);
    let double =
        format!("traceparent: {PARENT}\r\ntraceparent: {PARENT}\r\nConnection: traceparent\r\n");
    assert_eq!(ask(&gateway, "/open/b", &double), 200);
    let spans = collector.spans(4);
    assert!(
        spans
            .iter()
            .all(|span| span.trace != parts(PARENT).0 && span.state.is_empty()),
        "{spans:#?}"
    );
    for told in upstream.received() {
        let (trace, span, flags) = parts(told.fields("traceparent")[0]);
        assert!(
            spans
                .iter()
                .any(|sent| (&sent.trace, &sent.id) == (&trace, &span)),
            "{told:?}"
        );
        assert_eq!((flags.as_str(), told.fields("tracestate").len()), ("01", 0));
    }
}

#[test]
fn without_tracing_nothing_is_touched_and_nothing_connected() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    assert_eq!(
        ask(
            &gateway,
            "/open/a",
            &format!("Traceparent: {PARENT}\r\ntracestate: not valid;\r\n")
        ),
        200
    );
    assert_eq!(
        ask(&gateway, "/open/b", "traceparent: 1\r\ntraceparent: 2\r\n"),
        200
    );
    let told = upstream.received();
    assert!(
        told[0].head.contains(&format!("traceparent: {PARENT}\r\n")),
        "{told:?}"
    );
    assert_eq!(
        (told[0].fields("tracestate"), told[1].fields("traceparent")),
        (vec!["not valid;"], vec!["1", "2"])
    );
    assert_eq!(gateway.line("/open/a")["trace_id"], Value::Null);
    assert_eq!(collector.asked(), 0);
    let threads = std::fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap();
    let names: Vec<String> = threads
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap())
        .collect();
    assert!(
        !names.iter().any(|name| name.trim() == "traces"),
        "{names:?}"
    );
}

/// The flags of what upstreams are told, by path.
fn flags(upstream: &Upstream) -> BTreeMap<String, String> {
    let path = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
    upstream
        .received()
        .iter()
        .map(|told| (path(told.line()), parts(told.fields("traceparent")[0]).2))
        .collect()
}

#[test]
fn a_stranger_does_not_decide_what_is_recorded() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing(&collector, ", sample: 0"))
        .start();
    let traceparent = format!("traceparent: {PARENT}\r\n");
    assert_eq!(ask(&gateway, "/open/a", &traceparent), 200);
    let (trace, span, flags) = parts(upstream.only().fields("traceparent")[0]);
    assert_eq!(
        (trace, flags.as_str()),
        (parts(PARENT).0, "00"),
        "continued, and not recorded"
    );
    assert_ne!(span, parts(PARENT).1);
    assert_eq!(
        gateway.line("/open/a")["trace_id"],
        Value::from(parts(PARENT).0)
    );
    gateway.signal("TERM");
    let mut gateway = gateway;
    assert!(gateway.ended().success());
    assert_eq!(collector.asked(), 0);
}

#[test]
fn a_trusted_proxy_decides_what_is_recorded_and_so_does_anybody_where_that_is_wanted() {
    for (server, trust) in [
        ("trusted_proxies: [127.0.0.1/32]", ""),
        ("timeouts: {}", ", trust: any"),
    ] {
        let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
        let tracing = tracing(&collector, &format!(", sample: 0{trust}"));
        let gateway = gateway(SERVICES)
            .upstream(upstream.address)
            .server(server)
            .more(&tracing)
            .start();
        assert_eq!(
            ask(&gateway, "/open/yes", &format!("traceparent: {PARENT}\r\n")),
            200
        );
        assert_eq!(
            ask(
                &gateway,
                "/open/no",
                &format!("traceparent: {}\r\n", PARENT.replace("-01", "-00"))
            ),
            200
        );
        assert_eq!(ask(&gateway, "/open/new", ""), 200);
        let spans = collector.spans(2);
        assert_eq!(spans.len(), 2, "{spans:#?}");
        assert!(
            spans.iter().all(|span| span.get("url.path") == "/open/yes"),
            "{spans:#?}"
        );
        let expected = [("/open/new", "00"), ("/open/no", "00"), ("/open/yes", "01")];
        assert_eq!(
            flags(&upstream),
            expected
                .map(|(path, flag)| (path.to_owned(), flag.to_owned()))
                .into()
        );
    }
}

#[test]
fn a_share_of_new_traces_is_recorded() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing(&collector, ", sample: 0.5"))
        .start();
    let mut client = Connection::open(gateway.address);
    for _ in 0..200 {
        client.write("GET /open/a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.read().status, 200);
    }
    let told: Vec<String> = upstream
        .received()
        .iter()
        .map(|told| parts(told.fields("traceparent")[0]).2)
        .collect();
    let recorded = told.iter().filter(|flags| *flags == "01").count();
    assert!((50..150).contains(&recorded), "{recorded} of 200");
    assert_eq!(collector.spans(2 * recorded).len(), 2 * recorded);
}

#[test]
fn what_goes_wrong_is_said() {
    let (collector, upstream) = (
        Collector::new(),
        Upstream::new(|request| match request.line().split(' ').nth(1) {
            Some("/open/500") => b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
            Some("/open/reset") => Vec::new(),
            Some("/open/slow") => {
                std::thread::park_timeout(std::time::Duration::from_secs(10));
                ok("late")
            }
            Some(_) | None => ok("fine"),
        }),
    );
    let gateway = traced(&collector, &upstream).start();
    let carl = gateway.bearer("carl");
    let of = |path: &str, fields: &str, status: u16| {
        let before = collector.so_far().len();
        assert_eq!(ask(&gateway, path, fields), status, "{path}");
        until("its span", || collector.so_far().len() > before);
        let last: Vec<Exported> = collector
            .so_far()
            .into_iter()
            .filter(|span| span.get("url.path") == path)
            .collect();
        let said = |span: &Exported| {
            (
                span.status,
                span.get("http.response.status_code"),
                span.get("error.type"),
            )
        };
        let attempt = clients(&last).first().map(|span| said(span));
        (
            said(server(&last)),
            attempt,
            server(&last).name.clone(),
            server(&last).get("gatelatch.decision"),
        )
    };
    collector.spans(1);
    let no = Value::Null;
    // a client that may not is no failure of the server
    let denied = of("/users/7", "", 401);
    assert_eq!(
        denied,
        (
            (0, 401.into(), no.clone()),
            None,
            "GET /users/{id}".into(),
            "unauthenticated".into()
        )
    );
    let denied = of("/admin", &carl, 403);
    assert_eq!(
        denied,
        (
            (0, 403.into(), no.clone()),
            None,
            "GET /admin".into(),
            "forbidden".into()
        )
    );
    let denied = of("/nowhere", &carl, 403);
    assert_eq!(
        denied,
        (
            (0, 403.into(), no.clone()),
            None,
            "GET".into(),
            "forbidden".into()
        )
    );
    let (server, attempt, ..) = of("/open/500", "", 500);
    assert_eq!(server, (ERROR, 500.into(), "500".into()));
    assert_eq!(attempt, Some((ERROR, 500.into(), "500".into())));
    let (server, attempt, ..) = of("/open/reset", "", 502);
    assert_eq!(server, (ERROR, 502.into(), "reset".into()));
    assert_eq!(attempt, Some((ERROR, no.clone(), "reset".into())));
    let (server, attempt, ..) = of("/open/slow", "", 504);
    assert_eq!(server, (ERROR, 504.into(), "response_timeout".into()));
    assert_eq!(
        attempt,
        Some((ERROR, no.clone(), "response_timeout".into()))
    );
    let (bad, attempt, name, _) = of("/open/../a", "", 400);
    assert_eq!(
        (bad, attempt, name.as_str()),
        ((0, 400.into(), no.clone()), None, "GET")
    );
}

#[test]
fn each_further_attempt_is_a_span_of_its_own() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let services = "
  app:
    upstream: { servers: [\"http://127.0.0.1:1\", \"http://UPSTREAM\"], retries: 1, timeouts: { connect: 2s } }
    rules: [ { path: /**, allow: anyone } ]
";
    let gateway = gateway(services)
        .upstream(upstream.address)
        .more(&tracing(&collector, ""))
        .start();
    // whichever server comes first, one of two requests meets the closed one
    assert_eq!(
        (ask(&gateway, "/a", ""), ask(&gateway, "/a", "")),
        (200, 200)
    );
    until("an attempt that was repeated", || {
        let spans = collector.so_far();
        spans
            .iter()
            .any(|span| span.get("http.request.resend_count") == 1)
            || {
                assert_eq!(ask(&gateway, "/a", ""), 200);
                false
            }
    });
    let spans = collector.so_far();
    let again = spans
        .iter()
        .find(|span| span.get("http.request.resend_count") == 1)
        .unwrap();
    let first = spans
        .iter()
        .find(|span| span.parent == again.parent && span.id != again.id)
        .unwrap();
    assert_eq!(
        (
            first.get("error.type"),
            first.get("server.port"),
            first.status
        ),
        ("connect".into(), 1.into(), ERROR)
    );
    assert_eq!(
        (again.status, again.get("http.response.status_code")),
        (0, 200.into())
    );
    let told: Vec<String> = upstream
        .received()
        .iter()
        .map(|told| parts(told.fields("traceparent")[0]).1)
        .collect();
    assert!(told.contains(&again.id) && !told.contains(&first.id));
}

#[test]
fn http2_on_both_sides_and_tunnels_are_traced() {
    let (collector, upstream) = (Collector::new(), Modern::echo(Tongue::H2c { streams: 10 }));
    let services = SERVICES.replace("http://UPSTREAM", "h2c://UPSTREAM");
    let gateway = gateway(&services)
        .upstream(upstream.address)
        .more(&tracing(&collector, ""))
        .start();
    let mut client = FrameConnection::open(gateway.address);
    client.get(1, "/open/two");
    let spans = collector.spans(2);
    let versions = |span: &Exported| span.get("network.protocol.version");
    assert_eq!(
        (versions(server(&spans)), versions(clients(&spans)[0])),
        ("2".into(), "2".into())
    );
    let told = upstream.seen()[0].fields["traceparent"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(parts(&told).1, clients(&spans)[0].id);
}

#[test]
fn a_tunnel_is_a_span_until_it_ends() {
    let collector = Collector::new();
    let upstream = RawUpstream::new(|mut wire, _| {
        assert!(
            wire.head()
                .unwrap()
                .to_lowercase()
                .contains("\r\ntraceparent: 00-")
        );
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        );
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    });
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing(&collector, ""))
        .start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /open/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    assert!(client.read_head().unwrap().starts_with("HTTP/1.1 101 "));
    client.write("ping");
    assert_eq!(client.read_exact(4), "ping");
    client.finish();
    let spans = collector.spans(2);
    assert_eq!(server(&spans).get("http.response.status_code"), 101);
    assert_eq!(
        (
            server(&spans).status,
            clients(&spans)[0].get("http.response.status_code")
        ),
        (0, 101.into())
    );
}

#[test]
fn a_collector_over_tls_gets_the_fields_that_it_asks_for() {
    let authority = Authority::new("collectors");
    let collector = Collector::with_tls(&authority.issue(&["127.0.0.1"]));
    let upstream = Upstream::saying("hello");
    let tracing = format!(
        "tracing: {{ otlp: \"https://{}\", ca: ca.pem, service_name: edge, headers: {{ Authorization: \"${{KEY}}\" }} }}",
        collector.address
    );
    let certificate = authority.certificate().to_owned();
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing)
        .variable("KEY", "Bearer collector-secret")
        .variable(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test,service.name=other",
        )
        .prepare(move |folder| std::fs::write(folder.join("ca.pem"), certificate).unwrap())
        .start();
    assert_eq!(ask(&gateway, "/open/a", ""), 200);
    let spans = collector.spans(2);
    assert_eq!(spans[0].fields["authorization"], "Bearer collector-secret");
    assert_eq!(spans[0].resource["service.name"], "edge");
    assert_eq!(spans[0].resource["deployment.environment.name"], "test");
    assert!(!gateway.printed().contains("collector-secret"));
}

#[test]
fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let upstream = Upstream::saying("hello");
    let tracing = format!("tracing: {{ otlp: \"http://{closed}\", timeout: 1s }}");
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing)
        .start();
    let mut client = Connection::open(gateway.address);
    for _ in 0..100 {
        client.write("GET /open/a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.read().status, 200);
    }
    assert_eq!(gateway.named_event("trace_export_failed")["level"], "WARN");
    until("all are counted", || {
        gateway.metric("gatelatch_trace_spans_dropped_total") >= 200.0
    });
    assert!(gateway.metric("gatelatch_trace_spans_exported_total") < 1.0);
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    assert_eq!(
        gateway.printed().matches("trace_export_failed").count(),
        1,
        "one event is enough"
    );
}

#[test]
fn a_collector_that_does_not_answer_never_holds_more_than_a_queue() {
    let (collector, upstream) = (Collector::new(), Upstream::saying("hello"));
    let builder = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&tracing(&collector, ", timeout: 60s"));
    let mut gateway = builder.server("timeouts: { drain: 1s }").start();
    collector.stall();
    let mut client = Connection::open(gateway.address);
    let burst = "GET /open/a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50);
    // the queue takes 2048 requests of two spans each
    for _ in 0..60 {
        client.write(&burst);
        for _ in 0..50 {
            assert_eq!(client.read().status, 200);
        }
    }
    until("what does not fit is dropped", || {
        gateway.metric("gatelatch_trace_spans_dropped_total") > 500.0
    });
    gateway.signal("TERM");
    assert!(
        gateway.ended().success(),
        "it does not wait for the collector"
    );
}

#[test]
fn the_last_spans_are_sent_before_the_end_and_a_reload_changes_where_they_go() {
    let (first, second, upstream) = (
        Collector::new(),
        Collector::new(),
        Upstream::saying("hello"),
    );
    let builder = traced(&first, &upstream);
    let moved = builder
        .config()
        .replace(&first.address.to_string(), &second.address.to_string());
    let mut gateway = builder.start();
    assert_eq!(ask(&gateway, "/open/one", ""), 200);
    assert_eq!(first.spans(2)[0].get("url.path"), "/open/one");
    gateway.replace("gateway.yaml", &moved);
    gateway.event("configuration reloaded");
    assert_eq!(ask(&gateway, "/open/two", ""), 200);
    gateway.line("/open/two");
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    let spans = second.so_far();
    assert_eq!(
        (spans.len(), spans[0].get("url.path"), first.so_far().len()),
        (2, "/open/two".into(), 2)
    );
}
