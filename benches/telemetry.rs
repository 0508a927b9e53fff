//! What one request costs in counters and log line.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, UNIX_EPOCH};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatelatch::access::ClientAddress;
use gatelatch::ambient;
use gatelatch::telemetry::LineFormat;
use gatelatch::telemetry::access_log::{AccessLine, AccessLog};
use gatelatch::telemetry::metrics::{Metrics, RequestOutcome};

const LINE: AccessLine<'static> = AccessLine {
    time: UNIX_EPOCH,
    request_id: "0193463a-5c1f-7e3b-9c41-6c0f2d1c9a7e",
    client: ClientAddress::Known(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))),
    user: Some("alice@example.com"),
    provider: None,
    method: "GET",
    host: "jobs.example.com",
    path: "/jobs/4711/candidates",
    service: Some("jobs"),
    rule: Some("GET /jobs/**"),
    decision: "allowed",
    reason: None,
    status: 200,
    bytes: 1234,
    upstream: Some("127.0.0.1:9000"),
    duration: Duration::from_micros(1234),
    upstream_duration: Some(Duration::from_micros(1001)),
    aborted: None,
    trace_id: None,
};

fn count(criterion: &mut Criterion) {
    let metrics = Metrics::new();
    let shard = metrics.shard();
    let service = shard.service("jobs", &["GET /jobs/**"]);
    criterion.bench_function("metrics/record", |bencher| {
        bencher.iter(|| {
            service.record(
                black_box(Some(0)),
                RequestOutcome::Allowed,
                black_box(200),
                black_box(LINE.duration),
            )
        });
    });
}

/// Lines between two waits for the writer: what a busy worker writes meanwhile, and far from being dropped.
const BURST: u64 = 1000;

/// Tells how much was written.
struct Meter(Sender<usize>);

impl Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(bytes.iter().filter(|byte| **byte == b'\n').count())
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a worker spends on its lines, with the time moving on; not what the writer's thread spends.
fn log(criterion: &mut Criterion) {
    for (name, format) in [
        ("access_log/text", LineFormat::Text),
        ("access_log/json", LineFormat::Json),
    ] {
        let (meter, written) = channel();
        let log = AccessLog::start(format, Box::new(Meter(meter)));
        let shard = log.shard();
        let mut time = UNIX_EPOCH + Duration::from_secs(1_735_689_600);
        let mut burst = |lines: u64| {
            let start = ambient::now();
            for _ in 0..lines {
                time += Duration::from_micros(20);
                shard.write(black_box(&AccessLine { time, ..LINE }));
            }
            let spent = start.elapsed();
            let mut missing = lines as usize;
            while missing > 0 {
                missing -= written.recv().expect("the writer is running");
            }
            spent
        };
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|lines| {
                (0..lines.div_ceil(BURST))
                    .map(|round| burst(BURST.min(lines - round * BURST)))
                    .sum()
            });
        });
        assert_eq!(
            log.dropped().lines(),
            0,
            "dropped lines cost nothing and spoil the figure"
        );
        log.close();
    }
}

/// A scrape of 1000 rules that were all used, by two workers.
fn scrape(criterion: &mut Criterion) {
    let rules: Vec<String> = (0..1000).map(|rule| format!("GET /rule/{rule}")).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let metrics = Metrics::new();
    for _ in 0..2 {
        let service = metrics.shard().service("jobs", &rules);
        (0..1000).for_each(|rule| {
            service.record(Some(rule), RequestOutcome::Allowed, 200, LINE.duration)
        });
    }
    let mut group = criterion.benchmark_group("metrics");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("scrape of 1000 rules", |bencher| {
        bencher.iter(|| metrics.encode())
    });
    group.finish();
}

criterion_group!(benches, count, log, scrape);
criterion_main!(benches);
