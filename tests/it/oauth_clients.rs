//! OAuth 2 clients of other libraries log in and refresh.

use std::process::{Command, Stdio};

use crate::api_keys::key;
use crate::client_credentials;
use crate::support::{
    PASSWORD, Received, Upstream, gateway, node, openid_packages, output, program, python, until,
};

#[test]
fn the_password_grant_and_its_refresh_work_with_two_libraries() {
    let Some(python) = python() else { return };
    let gateway = gateway("  app: { upstream: 'http://127.0.0.1:9', rules: [] }").start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/oauth_clients.py");
    let base = format!("http://{}", gateway.address);
    let said = output(Command::new(python).args([script, &base, "rita", PASSWORD]));
    assert_eq!(
        said,
        "requests-oauthlib rita 200 True\nauthlib rita 200 True\n"
    );
}

#[test]
fn client_credentials_introspection_and_revocation_work_with_two_libraries() {
    let Some(python) = python() else { return };
    let upstream = Upstream::saying("hi");
    let gateway = gateway(client_credentials::SERVICES)
        .users(&client_credentials::users(&[('a', ", roles: [deployer]")]))
        .auth("clients: [{ id: \"api+1\", secret: \"a+b%2Bc/of=32+bytes+or+more,+random\" }]")
        .upstream(upstream.address)
        .start();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/apps/oauth_client_credentials.py"
    );
    let base = format!("http://{}", gateway.address);
    let mut run = Command::new(python);
    run.args([script, &base, client_credentials::NAME, &key('a')]);
    run.args(["api+1", "a+b%2Bc/of=32+bytes+or+more,+random"]);
    assert_eq!(
        output(&mut run),
        "requests-oauthlib basic ['deployer'] ['jobs']
requests-oauthlib body ['deployer'] ['jobs']
authlib basic ci+jobs@example.com
authlib body ci+jobs@example.com
introspected True ci+jobs@example.com
revoked 200
introspected {'active': False}
status 401
"
    );
}

/// npm's `openid-client` finds the endpoint by itself, and encodes the name and the key before they become Basic.
#[test]
fn client_credentials_work_with_a_library_of_node() {
    let (Some(packages), Some(node)) = (openid_packages(), node()) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = client_credentials::start(&upstream, &[('a', ", roles: [deployer]")]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/openid/client.mjs");
    let base = format!("http://{}", gateway.address);
    let mut run = Command::new(node);
    run.arg(script).arg(packages);
    run.args([&base, client_credentials::NAME, &key('a')]);
    let name = client_credentials::NAME;
    let got = format!("{name} deployer bearer jobs no refresh token");
    assert_eq!(
        output(&mut run),
        format!("basic {got}\nbody {got}\nintrospected true {name}\ninvalid_token\n")
    );
}

/// Prometheus' `oauth2` block. It encodes the name and the key before they become Basic.
#[test]
fn prometheus_scrapes_a_service_with_client_credentials() {
    let Some(prometheus) = program("prometheus") else {
        return;
    };
    let upstream = Upstream::saying("up 1\n");
    let gateway = client_credentials::start(&upstream, &[('a', ", roles: [recruiter]")]);
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "scrape_configs:
  - job_name: jobs
    scrape_interval: 1s
    metrics_path: /jobs
    oauth2:
      client_id: {}
      client_secret: {}
      token_url: http://{gateway}/auth/token
      scopes: [metrics]
    static_configs: [ {{ targets: [\"{gateway}\"] }} ]
",
        client_credentials::NAME,
        key('a'),
        gateway = gateway.address,
    );
    std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    let mut process = Command::new(prometheus)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg("--web.listen-address=127.0.0.1:0")
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let scraped = |request: &Received| request.fields("remote-user") == [client_credentials::NAME];
    until("Prometheus scrapes", || {
        upstream.received().iter().any(scraped)
    });
    process.kill().unwrap();
    process.wait().unwrap();
    // one token, for every scrape
    assert_eq!(
        gateway.metric(r#"gatelatch_logins_total{outcome="success"}"#),
        1.0
    );
}
