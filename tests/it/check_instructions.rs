//! What a check of Envoy's over gRPC costs beside one at `/auth/verify`, in instructions.

use std::path::Path;
use std::process::Command;

use crate::instructions::{JOBS, at_most, each_exchange};
use crate::support::checks::{CHECK, Check, framed};
use crate::support::{Gateway, gateway, program};

/// The most that a check over gRPC may cost, in per cent.
const BOUND: u64 = 130;

/// With the token of `rita`.
fn check(gateway: &Gateway) -> Check {
    let token = gateway.bearer("rita");
    let fields = format!(
        "{token}Accept: application/json\r\nAccept-Encoding: gzip\r\nUser-Agent: bench/1.0\r\n\
         X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: 7a0f9f3e-98a6-4c9a-9d5a-0d8e4c0a5f1b\r\n"
    );
    Check::new("GET", "https://api.example.com/jobs/4711?page=1", &fields)
}

/// The same request, described by the head of the one that asks, in the words of h2load.
fn verify(gateway: &Gateway) -> Vec<String> {
    let Check {
        host, path, fields, ..
    } = check(gateway);
    let fields = fields.into_iter().flat_map(|(name, value)| {
        let value = String::from_utf8(value).unwrap();
        ["-H".to_owned(), format!("{name}: {value}")]
    });
    let asked = ["-H".to_owned(), format!(":authority: {host}")];
    let url = format!("http://{}/auth/verify{path}", gateway.address);
    fields.chain(asked).chain([url]).collect()
}

/// A call with this message, likewise. h2load writes head and message at once, as Envoy does.
fn call(gateway: &Gateway, check: &Check) -> Vec<String> {
    assert_eq!(check.ask(gateway).status(), 200);
    let message = gateway.folder().join("message");
    std::fs::write(&message, framed(&check.message())).unwrap();
    [
        "-H",
        "content-type: application/grpc",
        "-H",
        "te: trailers",
        "-d",
        message.to_str().unwrap(),
        &format!("http://{}{CHECK}", gateway.address),
    ]
    .map(str::to_owned)
    .into()
}

/// Asks so many times, one after the other over one connection.
fn ask(h2load: &Path, arguments: &[String], count: u64) {
    let mut asked = Command::new(h2load);
    let asked = asked.args(["-c1", "-m1", "-n", &count.to_string()]);
    let asked = asked.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(
        said.contains(&format!("status codes: {count} 2xx")),
        "{said}"
    );
}

/// In both of the forms in which Envoy describes a request.
#[test]
fn a_check_over_grpc_costs_little_more_than_one_at_verify() {
    let Some(h2load) = program("h2load") else {
        return;
    };
    let each = |arguments: &(dyn Fn(&Gateway) -> Vec<String> + Sync)| {
        let build = || gateway(JOBS).server("trusted_proxies: [127.0.0.1]");
        each_exchange(&build, &|gateway, count| {
            ask(&h2load, &arguments(gateway), count);
        })
    };
    let Some(verified) = each(&verify) else {
        return;
    };
    for raw in [true, false] {
        let checked = each(&|gateway| {
            let check = check(gateway);
            call(gateway, &Check { raw, ..check })
        });
        let checked = checked.expect("what the other one was measured with");
        at_most(
            BOUND,
            (&format!("a check over gRPC (raw: {raw})"), checked),
            ("at /auth/verify", verified),
        );
    }
}
