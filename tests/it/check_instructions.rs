//! What a check of Envoy's over gRPC costs beside one at `/auth/verify`, in instructions.

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;

use crate::instructions::{JOBS, each_exchange, print};
use crate::support::checks::{Check, call_again_and_again, exchanges, framed};
use crate::support::{Gateway, gateway};

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

/// The same request, described by the head of the one that asks.
fn verify(gateway: &Gateway) -> Request<Empty<Bytes>> {
    let Check {
        host, path, fields, ..
    } = check(gateway);
    let request = Request::get(format!("http://{host}/auth/verify{path}"));
    let request = fields.into_iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    request.body(Empty::new()).unwrap()
}

/// In both of the forms in which Envoy describes a request.
#[test]
fn a_check_over_grpc_costs_little_more_than_one_at_verify() {
    let build = || gateway(JOBS).server("trusted_proxies: [127.0.0.1]");
    let verified = each_exchange(&build, &|gateway, count| {
        let request = verify(gateway);
        let requests = (0..count).map(|_| request.clone());
        exchanges(gateway.address, requests, |answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.headers["remote-user"], "rita", "{answer:?}");
        });
    });
    let Some(verified) = verified else {
        return;
    };
    for raw in [true, false] {
        let checked = each_exchange(&build, &|gateway, count| {
            let check = Check {
                raw,
                ..check(gateway)
            };
            call_again_and_again(gateway.address, framed(&check.message()), count);
        });
        let checked = checked.expect("what the other one was measured with");
        let ratio = checked as f64 / verified as f64;
        print(&format!(
            "{checked} instructions a check over gRPC (raw: {raw}), {verified} at /auth/verify: {ratio:.3}"
        ));
        assert!(
            checked * 100 <= verified * BOUND,
            "{checked} instructions where a check at /auth/verify takes {verified}: {ratio:.3}"
        );
    }
}
