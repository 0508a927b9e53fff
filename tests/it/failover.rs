//! A primary and its replica, followed by three sentinels or in a cluster: whatever becomes of the primary, sessions go on,
//! and none is taken for a stolen one.

mod cluster;

use std::fs;
use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{
    Redis, Tokens, Upstream, gateway, log_out, on_a_port, refresh, refresh_at, tokens, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

const SESSIONS: usize = 200;
const CLIENTS: usize = 8;

/// Where the replica and the sentinels connect from: another address than that of the gateway.
const INSIDE: &str = "127.0.0.9";

/// How long a failover may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// A way to the primary that can be cut off for its replica and its sentinels, and stays open for others.
struct Relay {
    port: u16,
    cut: Arc<AtomicBool>,
    inside: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, inside) = (Arc::<AtomicBool>::default(), Arc::default());
        let relay = Self {
            port,
            cut: Arc::clone(&cut),
            inside: Arc::clone(&inside),
        };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                    continue;
                };
                if client.peer_addr().unwrap().ip().to_string() == INSIDE {
                    inside.lock().unwrap().push(client.try_clone().unwrap());
                    if cut.load(Ordering::SeqCst) {
                        let _ = client.shutdown(Shutdown::Both);
                    }
                }
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    std::thread::spawn(move || {
                        let _ = copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        relay
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for connection in self.inside.lock().unwrap().iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

struct Sentinels {
    primary: Redis,
    relay: Relay,
    replica: Redis,
    sentinels: Vec<Redis>,
    url: String,
}

impl Sentinels {
    fn start() -> Option<Self> {
        let words = |text: String| text.split(' ').map(str::to_owned).collect();
        // no pause before replicas get their first copy
        let quick = "--repl-diskless-sync-delay 0 --appendfsync no --replica-announce-ip 127.0.0.1 --bind 127.0.0.1 --protected-mode no";
        let (primary, port) = on_a_port(|port| words(format!("--port {port} {quick}")))?;
        let relay = Relay::start(port);
        let (replica, _) = on_a_port(|port| {
            let follow = format!("--replicaof 127.0.0.1 {}", relay.port);
            words(format!(
                "--port {port} {follow} --bind-source-addr {INSIDE} {quick}"
            ))
        })?;
        until("the replica", || {
            replica.command("ROLE").contains("connected")
        });
        let (mut sentinels, mut nodes) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let conf = primary.path(&format!("sentinel-{number}.conf"));
            let (sentinel, port) = on_a_port(|port| {
                let monitor = format!(
                    "bind 127.0.0.1\nbind-source-addr {INSIDE}\nsentinel announce-ip 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 2\n\
                     sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 6000\n",
                    relay.port
                );
                fs::write(&conf, monitor).unwrap();
                Redis::sentinel(&conf, port)
            })?;
            nodes.push(format!("127.0.0.1:{port}"));
            sentinels.push(sentinel);
        }
        until("the sentinels to find each other", || {
            sentinels.iter().all(|sentinel| {
                let others = sentinel.command("SENTINEL SENTINELS main");
                others.starts_with("*2")
                    && !others.contains("disconnected")
                    && sentinel.command("SENTINEL REPLICAS main").starts_with("*1")
            })
        });
        Some(Self {
            url: format!("redis-sentinel://{}/main", nodes.join(",")),
            primary,
            relay,
            replica,
            sentinels,
        })
    }

    /// Whether the replica has taken over, and every sentinel says so.
    fn are_over(&self) -> bool {
        let port = self.replica.command("CONFIG GET port");
        let port = port.split("\r\n").nth(4).unwrap().to_owned();
        self.replica.command("ROLE").contains("master")
            && self.sentinels.iter().all(|sentinel| {
                sentinel
                    .command("SENTINEL GET-MASTER-ADDR-BY-NAME main")
                    .contains(&format!("\r\n{port}\r\n"))
            })
    }
}

/// One client after the other of a share refreshes, through whichever gateway, until told to stop. What is refused because
/// the store is away is tried again, as `Retry-After` asks for, only sooner.
fn keep_refreshing(
    sessions: &mut [Tokens],
    gateways: &[SocketAddr],
    rounds: &AtomicUsize,
    over: &AtomicBool,
) {
    let mut turn = 0;
    while !over.load(Ordering::Relaxed) {
        for session in &mut *sessions {
            let began = Instant::now();
            loop {
                turn += 1;
                let answer = refresh_at(gateways[turn % gateways.len()], &session.refresh);
                if answer.status == 200 {
                    *session = Tokens::of(&answer);
                    break;
                }
                assert_eq!(answer.status, 503, "{answer:?}");
                assert!(began.elapsed() < PATIENCE, "the store does not come back");
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

/// Several servers of Redis that are one store.
trait Nodes: Sized {
    /// `None` where the test is skipped.
    fn start() -> Option<Self>;

    /// As `state`.
    fn url(&self) -> &str;
}

impl Nodes for Sentinels {
    fn start() -> Option<Self> {
        Self::start()
    }

    fn url(&self) -> &str {
        &self.url
    }
}

/// What is done to the primary while 200 sessions are refreshed at two gateways, until it is over.
fn a_failover<N: Nodes>(
    happens: impl FnOnce(&mut N),
    is_over: impl Fn(&N) -> bool,
    after: impl FnOnce(&mut N),
) {
    let Some(mut redis) = N::start() else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateways = [(); 2].map(|()| {
        let builder = gateway(SERVICES).upstream(upstream.address);
        builder.more(&format!("state: {}", redis.url())).start()
    });
    let addresses: Vec<SocketAddr> = gateways.iter().map(|gateway| gateway.address).collect();
    let mut sessions: Vec<Tokens> = (0..SESSIONS)
        .map(|number| tokens(&gateways[number % 2], "rita"))
        .collect();
    let first: Vec<Tokens> = sessions.clone();
    let ended = tokens(&gateways[0], "carl");
    let (rounds, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for share in sessions.chunks_mut(SESSIONS / CLIENTS) {
            let (gateways, rounds, over) = (&addresses, &rounds, &over);
            scope.spawn(move || {
                // others must not wait for a client that has failed
                let _stop = Stop(over);
                keep_refreshing(share, gateways, rounds, over);
            });
        }
        // a failure here ends the clients as well
        let _stop = Stop(&over);
        let some_more = || {
            let (before, began) = (rounds.load(Ordering::Relaxed), Instant::now());
            while rounds.load(Ordering::Relaxed) < before + 2 * CLIENTS {
                assert!(began.elapsed() < PATIENCE && !over.load(Ordering::Relaxed));
                std::thread::park_timeout(Duration::from_millis(5));
            }
        };
        some_more();
        happens(&mut redis);
        // one that logs out just then stays out
        let left = log_out(&gateways[0], &ended).status;
        let began = Instant::now();
        while !is_over(&redis) {
            assert!(began.elapsed() < PATIENCE && !over.load(Ordering::Relaxed));
            std::thread::park_timeout(Duration::from_millis(20));
        }
        some_more();
        after(&mut redis);
        some_more();
        over.store(true, Ordering::Relaxed);
        if left == 204 {
            for gateway in &gateways {
                until("the logout to be known", || {
                    gateway.get("/me", &ended.bearer()).status == 401
                });
            }
        }
    });
    for (number, session) in sessions.iter().enumerate() {
        let gateway = &gateways[number % 2];
        assert_eq!(gateway.get("/me", &session.bearer()).status, 200);
    }
    for gateway in &gateways {
        let printed = gateway.printed();
        assert!(!printed.contains("refresh_token_reused"), "{printed}");
    }
    // and a token that was stolen before is found out after it
    for (spent, session) in first.iter().zip(&sessions).take(5) {
        assert_eq!(refresh(&gateways[0], &spent.refresh).status, 401);
        assert_eq!(refresh(&gateways[0], &session.refresh).status, 401);
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_planned_failover_ends_no_session() {
    a_failover(
        |redis: &mut Sentinels| {
            let answer = redis.sentinels[1].command("SENTINEL FAILOVER main");
            assert_eq!(answer, "+OK\r\n");
        },
        Sentinels::are_over,
        |_| {},
    );
}

#[test]
fn a_primary_that_is_killed_ends_no_session() {
    a_failover(
        |redis| redis.primary.kill(),
        Sentinels::are_over,
        |redis| redis.primary.restart(),
    );
}

#[test]
fn a_primary_that_freezes_ends_no_session() {
    a_failover(
        |redis| redis.primary.signal("STOP"),
        Sentinels::are_over,
        |redis| redis.primary.signal("CONT"),
    );
}

/// The gateway still reaches the former primary, which takes writes that nobody will see.
#[test]
fn a_primary_that_is_cut_off_ends_no_session() {
    a_failover(|redis| redis.relay.cut(), Sentinels::are_over, |_| {});
}
