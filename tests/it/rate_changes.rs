//! Rates as operators see them change: in the audit stream, and in the admin API behind the dashboard.

use serde_json::{Value, json};

use crate::support::{gateway, until};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rate: { requests: 100, per: 1m }
    rules:
      - { path: /a, allow: authenticated, name: a, rate: { requests: 2, per: 1s, burst: 3 } }
      - { path: /b, allow: authenticated, name: b, rate: { requests: 4, per: 1h, by: address } }
      - { path: /c, allow: authenticated, name: c }
";

#[test]
fn a_reload_that_changes_rates_is_recorded() {
    let builder = gateway(SERVICES).more("log: { audit: audit.log }");
    let config = builder.config();
    let gateway = builder.start();
    let shown = gateway.probe("/api/overview").json();
    assert_eq!(
        shown["services"][0]["rate"], "100 requests per 1m, by user",
        "{shown}"
    );
    gateway.replace(
        "gateway.yaml",
        &config
            .replace("requests: 100", "requests: 50")
            .replace("requests: 2, per: 1s", "requests: 1, per: 1s")
            .replace(", rate: { requests: 4, per: 1h, by: address }", "")
            .replace("name: c", "name: c, rate: { requests: 9, per: 1s }"),
    );
    let mut changed = Value::Null;
    until("the change is recorded", || {
        let log = gateway.read("audit.log");
        let records = log.lines().map(serde_json::from_str::<Value>);
        let found = records
            .flatten()
            .find(|one| one["event"] == "rules_changed");
        changed = found.unwrap_or_default();
        changed.is_object()
    });
    let rate = |rule: Value, before: Value, after: Value| json!({ "service": "app", "rule": rule, "before": before, "after": after });
    assert_eq!(
        changed["rates"],
        json!([
            rate(
                Value::Null,
                "100 requests per 1m, by user".into(),
                "50 requests per 1m, by user".into()
            ),
            rate(
                "a".into(),
                "2 requests per 1s and a burst of 3, by user".into(),
                "1 request per 1s and a burst of 3, by user".into()
            ),
            rate(
                "b".into(),
                "4 requests per 1h, by address".into(),
                Value::Null
            ),
            rate("c".into(), Value::Null, "9 requests per 1s, by user".into()),
        ])
    );
    // the rules themselves are the same
    let counts = ["added", "removed", "changed"].map(|name| changed[name].clone());
    assert_eq!(counts, [0, 0, 0].map(Value::from));
    assert_eq!(changed["rules"], json!([]));
}
