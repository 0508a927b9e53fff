//! A cluster whose nodes move, by plan or by death, while sessions are refreshed.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::{Nodes, SESSIONS, a_failover};
use crate::support::{Redis, on_a_port, until};

/// Three primaries, which elect, and a replica of the one that has all but two of the slots.
struct Cluster {
    primary: Redis,
    replica: Redis,
    others: [Redis; 2],
    url: String,
}

impl Nodes for Cluster {
    fn start() -> Option<Self> {
        let start = || {
            on_a_port(|port| {
                let quick = "--appendfsync no --repl-diskless-sync-delay 0";
                let cluster = "--cluster-enabled yes --cluster-node-timeout 2000";
                let text = format!("--port {port} {cluster} {quick}");
                text.split(' ').map(str::to_owned).collect()
            })
        };
        let (primary, port) = start()?;
        let (replica, second) = start()?;
        let (one, third) = start()?;
        let (other, fourth) = start()?;
        primary.command("CLUSTER ADDSLOTSRANGE 2 16383");
        one.command("CLUSTER ADDSLOTS 0");
        other.command("CLUSTER ADDSLOTS 1");
        for node in [&replica, &one, &other] {
            node.command(&format!("CLUSTER MEET 127.0.0.1 {port}"));
        }
        let cluster = Self {
            url: format!(
                "redis-cluster://127.0.0.1:{port},127.0.0.1:{second},127.0.0.1:{third},127.0.0.1:{fourth}"
            ),
            primary,
            replica,
            others: [one, other],
        };
        let id = id(&cluster.primary);
        until("a replica", || {
            cluster.replica.command(&format!("CLUSTER REPLICATE {id}")) == "+OK\r\n"
        });
        until("everybody to agree", || {
            let everybody = [&cluster.primary, &cluster.replica].into_iter();
            everybody.chain(&cluster.others).all(|node| {
                let info = node.command("CLUSTER INFO");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")
            }) && follows(&cluster.replica)
        });
        Some(cluster)
    }

    fn url(&self) -> &str {
        &self.url
    }
}

impl Cluster {
    /// Whether the replica has taken over, and every node that decides on it says so.
    fn is_over(&self) -> bool {
        let id = id(&self.replica);
        is_primary(&self.replica)
            && self.others.iter().all(|node| {
                let nodes = node.command("CLUSTER NODES");
                let line = nodes.lines().find(|line| line.starts_with(&id));
                line.is_some_and(|line| line.contains("master"))
            })
    }

    /// The keys of the primary, but for the one that all gateways wait for.
    fn keys(&self) -> Vec<String> {
        let all = self.primary.whole("KEYS *");
        let keys = all.lines().filter(|line| line.starts_with("gatelatch:"));
        keys.map(str::to_owned).collect()
    }

    /// Hands the slots of all sessions over to another node, key by key, up to the point where requests that find nothing
    /// here are sent there for once (`ASK`).
    fn begin_to_move(&self) -> Vec<u16> {
        let (from, to) = (&self.primary, &self.others[0]);
        let port = to.command("CONFIG GET port");
        let port = port.split("\r\n").nth(4).unwrap();
        let mut slots: Vec<u16> = self.keys().iter().map(|key| slot(from, key)).collect();
        slots.sort_unstable();
        slots.dedup();
        let (source, target) = (id(from), id(to));
        for slot in &slots {
            let importing = format!("CLUSTER SETSLOT {slot} IMPORTING {source}");
            assert_eq!(to.command(&importing), "+OK\r\n");
            let migrating = format!("CLUSTER SETSLOT {slot} MIGRATING {target}");
            assert_eq!(from.command(&migrating), "+OK\r\n");
        }
        for key in self.keys() {
            // one that has expired meanwhile is none
            let moved = from.command(&format!("MIGRATE 127.0.0.1 {port} {key} 0 5000"));
            assert!(["+OK\r\n", "+NOKEY\r\n"].contains(&&*moved), "{moved}");
        }
        slots
    }

    fn end_to_move(&self, slots: &[u16]) {
        let target = id(&self.others[0]);
        for node in [&self.others[0], &self.primary, &self.others[1]] {
            for slot in slots {
                let owned = format!("CLUSTER SETSLOT {slot} NODE {target}");
                assert_eq!(node.command(&owned), "+OK\r\n");
            }
        }
    }
}

fn id(node: &Redis) -> String {
    let answer = node.command("CLUSTER MYID");
    answer.split("\r\n").nth(1).unwrap().to_owned()
}

fn slot(node: &Redis, key: &str) -> u16 {
    let answer = node.command(&format!("CLUSTER KEYSLOT {key}"));
    answer.trim_start_matches(':').trim_end().parse().unwrap()
}

fn is_primary(node: &Redis) -> bool {
    node.command("ROLE").contains("master")
}

fn follows(node: &Redis) -> bool {
    node.command("ROLE").contains("connected")
}

/// Redis gives a failover up without a word that was not agreed on within five seconds: the others do not vote twice in a
/// row for replicas of one primary.
fn go_back(to: &Redis) {
    let mut asked: Option<Instant> = None;
    until("the way back", || {
        if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(6)) {
            to.command("CLUSTER FAILOVER");
            asked = Some(Instant::now());
        }
        is_primary(to)
    });
}

#[test]
fn a_planned_failover_of_a_cluster_ends_no_session() {
    a_failover(
        |redis: &mut Cluster| assert_eq!(redis.replica.command("CLUSTER FAILOVER"), "+OK\r\n"),
        Cluster::is_over,
        |redis| {
            until("the former one to follow", || follows(&redis.primary));
            go_back(&redis.primary);
        },
    );
}

/// Nobody plans it: the other primaries elect the replica.
#[test]
fn a_primary_of_a_cluster_that_is_killed_ends_no_session() {
    a_failover(
        |redis: &mut Cluster| redis.primary.kill(),
        Cluster::is_over,
        |redis| {
            redis.primary.restart();
            until("the former one to follow", || follows(&redis.primary));
        },
    );
}

/// It answers nothing, and comes back as a primary that nobody follows.
#[test]
fn a_primary_of_a_cluster_that_freezes_ends_no_session() {
    a_failover(
        |redis: &mut Cluster| redis.primary.signal("STOP"),
        Cluster::is_over,
        |redis| {
            redis.primary.signal("CONT");
            until("the former one to follow", || follows(&redis.primary));
        },
    );
}

/// `FORCE` does not ask the primary, `TAKEOVER` nobody: what the former primary takes until it hears of it is lost.
#[test]
fn a_replica_of_a_cluster_that_takes_over_ends_no_session() {
    for how in ["FORCE", "TAKEOVER"] {
        a_failover(
            |redis: &mut Cluster| {
                let forced = redis.replica.command(&format!("CLUSTER FAILOVER {how}"));
                assert_eq!(forced, "+OK\r\n");
            },
            Cluster::is_over,
            |redis| until("the former one to follow", || follows(&redis.primary)),
        );
    }
}

/// `ASK` while its keys are on the way, `MOVED` when the slot has another owner.
#[test]
fn slots_that_move_within_a_cluster_end_no_session() {
    let slots = RefCell::new(Vec::new());
    a_failover(
        |redis: &mut Cluster| {
            let moving = redis.begin_to_move();
            assert!(moving.len() > SESSIONS / 2, "{}", moving.len());
            slots.replace(moving);
        },
        // for as long as some hundred requests take
        |redis| asked(redis) > 4 * SESSIONS as u64,
        |redis| redis.end_to_move(&slots.borrow()),
    );
}

/// How many commands came to the importing node with `ASKING`.
fn asked(redis: &Cluster) -> u64 {
    let stats = redis.others[0].whole("INFO commandstats");
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_asking:calls="));
    let calls = line.and_then(|line| line.split(',').next()?.parse().ok());
    std::thread::park_timeout(Duration::from_millis(20));
    calls.unwrap_or(0)
}
