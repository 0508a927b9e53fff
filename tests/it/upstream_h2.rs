//! Upstreams that speak HTTP/2.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use http::{Response, Version};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use crate::support::{
    Connection, Gateway, Modern, RawUpstream, TestBody, Tongue, gateway, get, in_pieces, said,
    until,
};

const OPEN: &str = "
  all:
    upstream: { servers: [h2c://UPSTREAM] }
    rules: [ { path: /**, allow: anyone } ]
";

const H2C: Tongue = Tongue::H2c { streams: 100 };

fn errors(gateway: &Gateway, kind: &str) -> f64 {
    gateway.metric(&format!(
        "gatelatch_upstream_errors_total{{service=\"all\",kind=\"{kind}\"}}"
    ))
}

/// Asks so many times at once.
fn get_at_once(gateway: &Gateway, times: usize) -> Vec<u16> {
    let address = gateway.address;
    let asked: Vec<_> = (0..times)
        .map(|_| std::thread::spawn(move || get(address, "/a", "").status))
        .collect();
    asked
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

#[test]
fn a_request_is_written_as_http2_has_it() {
    let upstream = Modern::echo(H2C);
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let answer = gateway.get("/a%20b?c=d", "Connection: close\r\nX-Mine: yes\r\n");
    assert_eq!(
        (answer.status, &*answer.body),
        (200, "/a%20b"),
        "{answer:?}"
    );
    assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    assert_eq!(answer.header("via"), "2.0 gatelatch", "{answer:?}");
    let seen = &upstream.seen()[0];
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.uri, "http://gateway.test/a%20b?c=d");
    assert_eq!(seen.fields["x-mine"], "yes");
    for field in ["host", "connection", "transfer-encoding", "te", "upgrade"] {
        assert!(!seen.fields.contains_key(field), "{field}: {seen:?}");
    }
    assert_eq!(
        gateway.line("/a%20b")["upstream"],
        format!("h2c://{}", upstream.address)
    );
}

#[test]
fn it_is_addressed_by_its_own_name_where_that_is_wanted() {
    let upstream = Modern::echo(H2C);
    let services = OPEN.replace("] }\n    rules", "], host: upstream }\n    rules");
    let gateway = gateway(&services).upstream(upstream.address).start();
    assert_eq!(gateway.get("/a", "").status, 200);
    assert_eq!(
        upstream.seen()[0].uri.to_string(),
        format!("http://{}/a", upstream.address)
    );
}

#[test]
fn bodies_stream_both_ways() {
    let upstream = Modern::new(H2C, |seen| async move { said(seen.body) });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    let body = "x".repeat(3 << 20);
    client.write(format!(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(client.read().body.len(), body.len());
    let chunked =
        "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(client.write(chunked).read().body, "hi");
    let [known, unknown] = &upstream.seen()[..] else {
        panic!("{:?}", upstream.seen())
    };
    assert_eq!(known.fields["content-length"], body.len().to_string());
    assert!(
        !unknown.fields.contains_key("content-length")
            && !unknown.fields.contains_key("transfer-encoding")
    );
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn requests_at_once_share_one_connection() {
    let (count, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let upstream = Modern::new(H2C, move |_| {
        let (count, all) = (Arc::clone(&count), Arc::clone(&all));
        async move {
            // none is answered before the last one has come
            if count.fetch_add(1, Ordering::SeqCst) + 1 == 20 {
                all.add_permits(20);
            }
            let _turn = all.acquire().await.unwrap();
            said("hi")
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    assert_eq!(get_at_once(&gateway, 20), [200; 20]);
    assert_eq!(upstream.connections(), 1);
    until("an idle connection", || {
        gateway.metric("gatelatch_upstream_connections{state=\"idle\"}") == 1.0
    });
    assert_eq!(
        gateway.metric("gatelatch_upstream_connections{state=\"active\"}"),
        0.0
    );
}

#[test]
fn a_server_that_takes_one_request_at_a_time_gets_one() {
    let most = Arc::new(Mutex::new((0, 0)));
    let counted = Arc::clone(&most);
    let upstream = Modern::new(Tongue::H2c { streams: 1 }, move |_| {
        let counted = Arc::clone(&counted);
        async move {
            {
                let (now, most) = &mut *counted.lock().unwrap();
                *now += 1;
                *most = (*most).max(*now);
            }
            tokio::task::yield_now().await;
            counted.lock().unwrap().0 -= 1;
            said("hi")
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    assert_eq!(
        gateway.get("/first", "").status,
        200,
        "now the server has said how many it takes"
    );
    assert_eq!(get_at_once(&gateway, 8), [200; 8]);
    assert_eq!((most.lock().unwrap().1, upstream.connections()), (1, 1));
}

#[test]
fn waiting_for_a_turn_counts() {
    let upstream = Modern::new(Tongue::H2c { streams: 1 }, |seen| async move {
        if seen.uri.path() == "/stuck" {
            std::future::pending::<()>().await;
        }
        said("hi")
    });
    let services = OPEN.replace(
        "] }\n    rules",
        "], timeouts: { response: 300ms }, retries: 0 }\n    rules",
    );
    let gateway = gateway(&services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    assert_eq!(gateway.get("/first", "").status, 200);
    let address = gateway.address;
    let stuck = std::thread::spawn(move || get(address, "/stuck", "").status);
    until("the request that is stuck", || upstream.seen().len() == 2);
    assert_eq!(gateway.get("/waits", "").status, 504);
    assert_eq!(stuck.join().unwrap(), 504);
    assert_eq!(errors(&gateway, "response_timeout"), 2.0);
}

#[test]
fn a_silent_connection_is_replaced() {
    let upstream = Modern::new(H2C, |seen| async move {
        if seen.connection == 0 {
            std::future::pending::<()>().await;
        }
        said("hi")
    });
    let services = OPEN.replace(
        "] }\n    rules",
        "], timeouts: { response: 300ms } }\n    rules",
    );
    let gateway = gateway(&services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    assert_eq!(gateway.get("/a", "").status, 504);
    assert_eq!(
        gateway.get("/b", "").status,
        200,
        "nothing was heard of the first connection: it may be dead"
    );
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_connection_that_goes_away_is_replaced() {
    let upstream = Modern::echo(H2C);
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    for round in 1..=3 {
        // every request has its answer, whenever the word arrives
        until("another connection", || {
            assert_eq!(gateway.get("/a", "").status, 200);
            upstream.connections() == round
        });
        upstream.go_away();
    }
}

/// A server that tells each connection to go away while it answers its first request, which it never ends.
fn going_away() -> RawUpstream {
    serving(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        connection.graceful_shutdown();
        // one turn writes what is ready: the word comes before the piece
        poll_fn(|cx| Poll::Ready(connection.poll_accept(cx).is_ready())).await;
        body.send_data("piece".into(), false).unwrap();
        while connection.accept().await.is_some() {}
    })
}

/// Nothing was sent over the connection that had ended, so this is no second attempt.
#[test]
fn a_connection_that_goes_away_costs_no_retry() {
    let upstream = going_away();
    let services = OPEN.replace("] }\n    rules", "], retries: 0 }\n    rules");
    let gateway = gateway(&services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let mut clients = Vec::new();
    for number in 1..=3 {
        let mut client = Connection::open(gateway.address);
        let head = client
            .write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            .read_head()
            .unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(client.read_chunk(), "piece");
        assert_eq!(upstream.accepted(), number);
        clients.push(client);
    }
}

#[test]
fn what_runs_on_a_connection_that_goes_away_runs_to_its_end() {
    let (senders, upstream) = streaming();
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    upstream.go_away();
    until("another connection", || {
        assert_eq!(gateway.get("/other", "").status, 200);
        upstream.connections() == 2
    });
    let sender = senders.lock().unwrap().remove(0);
    sender.send("late".into()).unwrap();
    assert_eq!(client.read_chunk(), "late");
    drop(sender);
    assert_eq!(client.read_chunk(), "");
}

/// A service that answers `/stream` in pieces, and hands out who sends them.
fn streaming() -> (Arc<Mutex<Vec<UnboundedSender<Bytes>>>>, Modern) {
    let senders: Arc<Mutex<Vec<_>>> = Arc::default();
    let handed = Arc::clone(&senders);
    let upstream = Modern::new(H2C, move |seen| {
        let answer: Response<TestBody> = if seen.uri.path() == "/stream" {
            let (sender, answer) = in_pieces();
            handed.lock().unwrap().push(sender);
            answer
        } else {
            said("hi")
        };
        async move { answer }
    });
    (senders, upstream)
}

#[test]
fn an_answer_that_nobody_wants_is_reset_and_nothing_else() {
    let (senders, upstream) = streaming();
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    drop(client);
    let sender = senders.lock().unwrap().remove(0);
    until("the reset", || sender.is_closed());
    assert_eq!(gateway.get("/other", "").status, 200);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_answer_that_falls_silent_breaks_off() {
    let (senders, upstream) = streaming();
    let services = OPEN.replace(
        "] }\n    rules",
        "], timeouts: { stream: 300ms } }\n    rules",
    );
    let gateway = gateway(&services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    let sender = senders.lock().unwrap().remove(0);
    sender.send("one".into()).unwrap();
    assert_eq!(client.read_chunk(), "one");
    assert_eq!(client.read_to_end(), "", "nothing that looks like an end");
    until("the reset", || sender.is_closed());
    let line = gateway.line("/stream");
    assert_eq!(
        (&line["aborted"], &line["status"]),
        (&"upstream".into(), &200.into()),
        "{line}"
    );
    assert_eq!(
        line["reason"],
        "the upstream's answer broke off: nothing more came in time"
    );
    assert_eq!(errors(&gateway, "response_timeout"), 1.0);
    assert_eq!(gateway.get("/other", "").status, 200);
    assert_eq!(upstream.connections(), 1);
}

/// A server that refuses the first stream of each connection, and answers the others.
fn refusing() -> RawUpstream {
    serving(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut first = true;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if std::mem::take(&mut first) {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            } else {
                respond.send_response(Response::new(()), true).unwrap();
            }
        }
    })
}

/// A server of which each connection is served by an asynchronous closure.
fn serving<F: Future<Output = ()>>(
    serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> RawUpstream {
    RawUpstream::streams(move |stream, _| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            stream.set_nonblocking(true).unwrap();
            serve(TcpStream::from_std(stream).unwrap()).await;
        });
    })
}

#[test]
fn a_refused_request_is_sent_again_where_that_is_harmless() {
    let upstream = refusing();
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    assert_eq!(gateway.get("/a", "").status, 200);
    assert_eq!(upstream.accepted(), 1, "over the same connection");
}

#[test]
fn a_refused_request_with_a_body_is_not_sent_again() {
    let upstream = refusing();
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(
        client
            .write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            .read()
            .status,
        502
    );
    let reason = gateway.line("/a")["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("http2 error: stream error received: refused stream"),
        "{reason}"
    );
    assert_eq!(
        client
            .write("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            .read()
            .status,
        200,
        "both connections go on"
    );
}

#[test]
fn a_server_that_speaks_something_else_is_a_bad_gateway() {
    let upstream = crate::support::Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    for path in ["/a", "/b"] {
        let answer = gateway.get(path, "");
        assert_eq!(answer.status, 502, "{answer:?}");
    }
}
