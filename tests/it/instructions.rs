//! What a request costs in instructions: a figure that no noise of the machine disturbs.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Connection, Gateway, GatewayBuilder, Upstream, gateway, ok, optimised_gateway, program,
};

/// Instructions of the gateway's own code and its libraries for one proxied request with a token that was seen before.
///
/// What is measured is the profile `bounded`: a release, but for the link-time optimisation over all crates. It counts
/// more than a release does, rises and falls with it, and is built in a part of the time: `scripts/test.sh --bound`
/// builds it, and the runs after that keep it up to date.
///
/// The bound is 8 % above what was measured. A change that lowers the figure lowers the bound with it: run
/// `cargo build --profile bounded && GATELATCH_TEST_OPTIMISED=$PWD/target/bounded/gatelatch cargo test --test it instructions`
/// and write down what it prints. A change that raises it says in its commit what the instructions bring.
const MEASURED: u64 = 64_900;
const BOUND: u64 = MEASURED + MEASURED * 8 / 100;

/// Requests between the two ends of the measurement: enough that what a start costs more or less than another is no per cent of
/// a request.
const REQUESTS: u64 = 2_000;

/// Everything takes fifty times as long as it does otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

pub const JOBS: &str = "
  jobs:
    upstream: http://UPSTREAM
    rules: [ { path: /jobs/**, allow: { roles: [recruiter] } }, { path: /admin/**, allow: { roles: [admin] } } ]
";

#[test]
fn a_request_takes_no_more_instructions_than_it_did() {
    let bearer = |gateway: &Gateway| gateway.bearer("rita");
    let Some(each) = each_request(&|| gateway(JOBS), &bearer) else {
        return;
    };
    print(&format!(
        "{each} instructions a request; the bound is {BOUND}"
    ));
    assert!(
        each <= BOUND,
        "{each} instructions a request, where {MEASURED} were measured and {BOUND} are the bound"
    );
}

/// Not `println!`, which the test harness keeps to itself.
fn print(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Holds for instructions that stand to those of something else as the bound says, in per cent.
pub fn at_most(bound: u64, (what, each): (&str, u64), (other, beside): (&str, u64)) {
    let ratio = each as f64 / beside as f64;
    let said = format!("{each} instructions {what}, {beside} {other}: {ratio:.3}");
    print(&said);
    assert!(
        each * 100 <= beside * bound,
        "{said}, where {bound} % are the bound"
    );
}

/// Instructions of a request with the fields that the second closure gives, at a gateway of the first; `None` where that
/// cannot be measured.
pub fn each_request(
    build: &(dyn Fn() -> GatewayBuilder + Sync),
    fields: &(dyn Fn(&Gateway) -> String + Sync),
) -> Option<u64> {
    each_exchange(build, &|gateway, count| {
        let request = format!(
            "GET /jobs/4711 HTTP/1.1\r\nHost: gateway.test\r\n{}\r\n",
            fields(gateway)
        );
        let mut client = Connection::open(gateway.address);
        for _ in 0..count {
            assert_eq!(client.write(&request).read().status, 200);
        }
    })
}

/// The same of what the second closure exchanges with the gateway, so many times over one connection.
pub fn each_exchange(
    build: &(dyn Fn() -> GatewayBuilder + Sync),
    exchange: &(dyn Fn(&Gateway, u64) + Sync),
) -> Option<u64> {
    let (valgrind, binary) = (program("valgrind")?, optimised_gateway()?);
    let binary = std::path::absolute(binary).unwrap();
    let valgrind = valgrind.to_str().unwrap();
    // start, login and end cost the same in both runs
    let run = |requests| {
        instructions(valgrind, &binary, build(), &|gateway| {
            exchange(gateway, requests)
        })
    };
    let (short, long) = std::thread::scope(|scope| {
        let short = scope.spawn(|| run(REQUESTS));
        let long = run(2 * REQUESTS);
        (short.join().unwrap(), long)
    });
    Some((long - short) / REQUESTS)
}

/// Instructions of a whole run with such an exchange.
fn instructions(
    valgrind: &str,
    binary: &Path,
    builder: GatewayBuilder,
    exchange: &dyn Fn(&Gateway),
) -> u64 {
    let upstream = Upstream::new(|_| ok("hello"));
    let launcher = [
        valgrind,
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let mut gateway = builder
        .upstream(upstream.address)
        .workers(1)
        .launcher(&launcher)
        .binary(binary.to_owned())
        .patience(PATIENCE)
        .start();
    exchange(&gateway);
    gateway.signal("TERM");
    let total = gateway.event("Collected");
    gateway.ended();
    let text = total.as_str().unwrap();
    text.rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap_or_else(|_| panic!("no total in {text:?}"))
}
