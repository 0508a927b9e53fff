//! Signing in with a recovery code, over a store that has what an account page has written.

use std::path::Path;

use gatelatch::ambient;
use gatelatch::factors::{RecoveryCode, TotpSecret};
use gatelatch::session::{FactorSwap, Sessions, StateSettings, TotpFactor};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::{Key, Sealer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::{Gateway, PASSWORD, Redis, SECRET, Upstream, gateway, post, send};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: authenticated } ]
";

/// Ten codes of `carl`, who has an app.
fn write_codes(redis: &Redis) -> Vec<String> {
    let settings = StateSettings::parse(&redis.url(), Path::new("/")).unwrap();
    let store = Sessions::start(&settings, Metrics::new(), ambient::hash_state()).unwrap();
    let key = Key::hs256(SECRET.as_bytes()).unwrap();
    let sealer = Sealer::new(&key, &key.clone().into());
    let codes = RecoveryCode::fresh(&Zeroizing::new(ambient::random_bytes()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        store.ready().await.unwrap();
        let mut record = store.find_factors("carl", None, &sealer).await.unwrap();
        record.totp = Some(TotpFactor {
            secret: TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(),
            added_at: 0,
        });
        record.recovery_codes = codes
            .iter()
            .map(|code| code.hash(&record.user_handle))
            .collect();
        let swapped = store.swap_factors("carl", &record, &sealer).await;
        assert_eq!(swapped, Ok(FactorSwap::Done));
    });
    codes.iter().map(|code| code.shown().to_string()).collect()
}

fn login(gateway: &Gateway, otp: &str) -> (u16, Value) {
    let body = json!({ "username": "carl", "password": PASSWORD, "otp": otp });
    let fields = "Content-Type: application/json\r\n";
    let answer = post(gateway.address, "/auth/login", fields, &body.to_string());
    (answer.status, answer.json())
}

#[test]
fn a_recovery_code_takes_the_place_of_a_code_once_at_every_replica() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("x");
    let replica = || {
        gateway(SERVICES)
            .upstream(upstream.address)
            .more(&format!("state: {}", redis.url()))
            .start()
    };
    let (one, other) = (replica(), replica());
    let codes = write_codes(&redis);
    assert_eq!(login(&one, &codes[0]).0, 200);
    assert_eq!(login(&other, &codes[0]).0, 401);
    // as people type it
    let typed = codes[1].to_uppercase().replace('-', " ");
    assert_eq!(login(&other, &typed).0, 200);
    assert_eq!(login(&one, &codes[1]).0, 401);
    let right = |gateway: &Gateway| {
        gateway.metric("gatelatch_second_factors_total{result=\"recovery_code\"}")
    };
    assert_eq!((right(&one), right(&other)), (1.0, 1.0));
    let ask = "GET /api/factors?user=carl HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let listed = send(one.admin, ask).json();
    assert_eq!(listed["factors"][0]["recovery_codes"], 8, "{listed}");
}
