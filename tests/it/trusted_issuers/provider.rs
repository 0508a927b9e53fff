//! A real provider: its metadata, its JWT access tokens (RFC 9068), and its keys while they rotate.

use serde_json::Value;

use super::{ask, status, trusting};
use crate::support::{OpenIdProvider, Upstream, output, program, until};

/// An access token of a client that is nobody's browser, as `curl` gets it.
fn access_token(provider: &OpenIdProvider, curl: &std::path::Path) -> String {
    let mut command = std::process::Command::new(curl);
    command
        .args(["-sS", "--fail-with-body"])
        .arg(format!("{}/token", provider.issuer))
        .args(["-d", "grant_type=client_credentials&scope=jobs:read"])
        .args(["--data-urlencode", "client_id=nightly job"])
        .args([
            "--data-urlencode",
            "client_secret=the secret of the nightly job",
        ]);
    let answer: Value = serde_json::from_str(&output(&mut command)).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn tokens_of_a_real_provider_are_accepted_while_its_keys_rotate() {
    let (Some(curl), Some(mut provider)) = (program("curl"), OpenIdProvider::start()) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let entry = format!(
        "{{ issuer: \"{}\", audience: \"https://jobs.example.com/\", algorithms: [RS256], roles_claim: '\"jobs.example.com\".roles' }}",
        provider.issuer
    );
    let gateway = trusting(&upstream, &entry).start();
    assert_eq!(gateway.named_event("jwks_fetched")["keys"], 1);
    let first = access_token(&provider, &curl);
    assert_eq!(ask(&gateway, "/jobs", &first), (200, String::new()));
    let told = upstream.received().remove(0);
    assert_eq!(told.fields("remote-user"), ["nightly job"]);
    assert_eq!(told.fields("remote-groups"), ["recruiter"]);
    // the former key is still published, and then it is not
    assert_eq!(
        provider.rotate(false),
        serde_json::json!(["key-2", "key-1"])
    );
    let second = access_token(&provider, &curl);
    until("the second key is fetched", || {
        status(&gateway, "/jobs", &second) == 200
    });
    assert_eq!(status(&gateway, "/jobs", &first), 200);
    assert_eq!(provider.rotate(true), serde_json::json!(["key-3"]));
    let third = access_token(&provider, &curl);
    until("the third key is fetched", || {
        status(&gateway, "/jobs", &third) == 200
    });
    for former in [&first, &second] {
        let refused = (401, "the token names an unknown key".to_owned());
        assert_eq!(ask(&gateway, "/jobs", former), refused);
    }
}
