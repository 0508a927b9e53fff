//! A rate while its bucket fills again: in no span of time more requests pass than the bucket holds and what comes back in it.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Connection, Upstream, gateway};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone, rate: { requests: 50, per: 1s, burst: 20, by: address } } ]
";
const BUCKET: usize = 70;
const INTERVAL: Duration = Duration::from_millis(20);

/// When a request that passed was sent, and when its answer was there: it was counted in between.
type Passed = (Instant, Instant);

/// Eight clients of one address send as fast as they can to four workers.
fn flood(span: Duration) -> Vec<Passed> {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .workers(4)
        .start();
    let (passed, begun) = (Mutex::new(Vec::new()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address);
                while begun.elapsed() < span {
                    let sent = Instant::now();
                    let answer = connection.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").read();
                    let answered = Instant::now();
                    match answer.status {
                        200 => passed.lock().unwrap().push((sent, answered)),
                        status => assert_eq!(status, 429),
                    }
                }
            });
        }
    });
    passed.into_inner().unwrap()
}

#[test]
fn no_span_of_time_has_more_than_the_bucket_and_what_comes_back_in_it() {
    let passed = flood(INTERVAL * 150);
    // more than the bucket passes, and then as time puts back
    assert!(passed.len() > BUCKET, "{} passed", passed.len());
    for (from, _) in &passed {
        for (_, to) in &passed {
            let within = passed
                .iter()
                .filter(|(sent, answered)| sent >= from && answered <= to);
            let span = to.saturating_duration_since(*from);
            let returned = (span.as_nanos() / INTERVAL.as_nanos()) as usize;
            let most = BUCKET + returned;
            let count = within.count();
            assert!(count <= most, "{count} in {span:?}, {most} at most");
        }
    }
}
