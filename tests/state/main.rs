//! The store of sessions against a Redis that a test scripts: what it answers, and when.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test ends where something is missing"
)]

mod server;

use std::path::Path;
use std::time::Duration;

use gatelatch::session::{Sessions, StateSettings};
use gatelatch::telemetry::metrics::Metrics;
use tokio::runtime::Builder;
use tokio::time::timeout;

use server::ScriptedRedis;

/// Sessions that have ended, of which the server knows at first.
const ENDED: usize = 200;

/// A server that comes back without its data is told of every session that has ended, and nobody signs in before: were it told
/// of one after the other, that would take as long as the way to it and its disk make each.
#[test]
fn a_redis_that_has_forgotten_is_told_of_many_at_a_time() {
    let redis = ScriptedRedis::start(ENDED);
    let state = format!("redis://{}", redis.address);
    let state = StateSettings::parse(&state, Path::new("/")).unwrap();
    let hasher = gatelatch::ambient::hash_state();
    let sessions = Sessions::start(&state, Metrics::new(), hasher).unwrap();
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let ready = async { timeout(Duration::from_secs(60), sessions.ready()).await };
    runtime.block_on(ready).unwrap().unwrap();
    redis.forget();
    assert_eq!(redis.announced(ENDED), ENDED, "each session is ended again");
    let together = redis.most_together();
    assert!(together >= 16, "{together} at a time");
}
