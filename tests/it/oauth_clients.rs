//! OAuth 2 clients of other libraries log in and refresh.

use std::process::Command;

use crate::support::{PASSWORD, gateway, output, python};

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
