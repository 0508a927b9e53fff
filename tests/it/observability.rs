//! What `config/observability` and `docs/reference/metrics.md` say, held against what the gateway says and by promtool.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::Value;

use crate::support::{Gateway, Upstream, gateway, output, program, until};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
  away:
    path: /away
    upstream: http://127.0.0.1:9
    rules:
      - { path: /away, allow: anyone }
";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap()
}

/// A gateway that has something to say in every family.
fn used(upstream: &Upstream) -> Gateway {
    let issuers = "trusted_issuers: [{ issuer: \"https://idp.test\", jwks: \"http://127.0.0.1:9/keys\", audience: [a], algorithms: [RS256] }]";
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(issuers)
        .start();
    assert_eq!(
        (
            gateway.get("/open", "").status,
            gateway.get("/away", "").status
        ),
        (200, 502)
    );
    assert_eq!(gateway.login("rita", "wrong").status, 401);
    until("a fetch of keys", || {
        gateway.metrics().contains("gatelatch_jwks_fetches_total{")
    });
    until("an error", || {
        gateway
            .metrics()
            .contains("gatelatch_upstream_errors_total{")
    });
    gateway
}

/// The families of an exposition, by the names that queries use, with their types.
fn families(exposition: &str) -> Vec<(String, String)> {
    let types = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let named = types
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, kind)| match kind {
            "counter" => (format!("{name}_total"), kind.to_owned()),
            "info" => (format!("{name}_info"), kind.to_owned()),
            _ => (name.to_owned(), kind.to_owned()),
        });
    named.collect()
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let upstream = Upstream::saying("hi");
    let exposition = used(&upstream).metrics();
    let page = read("docs/reference/metrics.md");
    let sections: Vec<&str> = page.split("\n### ").skip(1).collect();
    let documented: BTreeSet<String> = sections
        .iter()
        .map(|section| section.split('`').nth(1).unwrap().to_owned())
        .collect();
    let exposed: BTreeSet<String> = families(&exposition)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(documented, exposed);
    for (name, kind) in families(&exposition) {
        let section = sections
            .iter()
            .find(|section| section.starts_with(&format!("`{name}`\n")))
            .unwrap();
        let said = section.lines().nth(1).unwrap().to_lowercase();
        assert!(said.starts_with(&kind), "`{name}` is a {kind}: {said}");
        for label in labels_of(&exposition, &name) {
            assert!(
                section.contains(&format!("`{label}`")),
                "`{name}` does not explain its label `{label}`"
            );
        }
    }
}

/// The labels that a family's series have; `le` belongs to every histogram.
fn labels_of(exposition: &str, name: &str) -> BTreeSet<String> {
    let label = Regex::new(r#"[{,]([a-z_]+)=""#).unwrap();
    let series = exposition
        .lines()
        .filter(|line| line.starts_with(name) && !line.starts_with('#'));
    let labels = series.flat_map(|line| {
        label
            .captures_iter(line)
            .map(|found| found[1].to_owned())
            .collect::<Vec<_>>()
    });
    labels.filter(|label| label != "le").collect()
}

/// As the text format of Prometheus has it: there the names of counters and infos are whole.
fn classic(exposition: &str) -> String {
    let mut text = String::new();
    for line in exposition
        .lines()
        .filter(|line| *line != "# EOF" && !line.starts_with("# UNIT"))
    {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let renamed = match words[..] {
            ["#", "TYPE", name, "counter"] => format!("# TYPE {name}_total counter"),
            ["#", "TYPE", name, "info"] => format!("# TYPE {name}_info gauge"),
            ["#", "HELP", name, help] => {
                let of = |kind: &str| exposition.contains(&format!("# TYPE {name} {kind}\n"));
                let end = if of("counter") {
                    "_total"
                } else if of("info") {
                    "_info"
                } else {
                    ""
                };
                format!("# HELP {name}{end} {help}")
            }
            _ => line.to_owned(),
        };
        text += &format!("{renamed}\n");
    }
    text
}

#[test]
fn names_follow_the_advice() {
    let upstream = Upstream::saying("hi");
    let exposition = used(&upstream).metrics();
    assert!(exposition.ends_with("# EOF\n"));
    let other_units = Regex::new("_(ms|millis|milliseconds|minutes|kb|mb|count)(_|$)").unwrap();
    for (name, kind) in families(&exposition) {
        let base = name.trim_end_matches("_total").trim_end_matches("_info");
        assert!(
            exposition.contains(&format!("# HELP {base} ")),
            "`{name}` has no HELP"
        );
        assert!(
            name.starts_with("gatelatch_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert!(!other_units.is_match(&name), "{name}");
    }
    let Some(promtool) = program("promtool") else {
        return;
    };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(classic(&exposition).as_bytes())
        .unwrap();
    let said = check.wait_with_output().unwrap();
    let said_text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && said_text.is_empty(), "{said_text}");
}

#[test]
fn alert_rules_are_rules_and_fire_when_they_should() {
    let Some(promtool) = program("promtool") else {
        return;
    };
    let run = |arguments: &[&str]| {
        output(
            Command::new(&promtool)
                .args(arguments)
                .current_dir(repository("config/observability")),
        )
    };
    assert!(run(&["check", "rules", "prometheus-alerts.yaml"]).contains("SUCCESS"));
    run(&["test", "rules", "prometheus-alerts.test.yaml"]);
}

/// Every text under a key, at any depth.
fn texts(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| texts(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| texts(value, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn dashboard_queries() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&read("config/observability/grafana-dashboard.json")).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    assert!(queries.len() > 25, "{queries:?}");
    // what Grafana fills in before it asks
    queries
        .iter()
        .map(|query| query.replace("$__rate_interval", "5m"))
        .collect()
}

#[test]
fn every_query_of_the_grafana_dashboard_is_a_query() {
    let Some(promtool) = program("promtool") else {
        return;
    };
    let rules = dashboard_queries().into_iter().enumerate();
    let rules = rules.map(
        |(index, expr)| serde_json::json!({ "record": format!("panel:{index}"), "expr": expr }),
    );
    let rules = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules.collect::<Vec<_>>() }] });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dashboard.yaml");
    fs::write(&file, rules.to_string()).unwrap();
    assert!(output(Command::new(promtool).args(["check", "rules"]).arg(&file)).contains("SUCCESS"));
}

#[test]
fn queries_name_only_what_the_gateway_says() {
    let upstream = Upstream::saying("hi");
    let exposition = used(&upstream).metrics();
    let mut known: BTreeSet<String> = families(&exposition)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for part in ["bucket", "sum", "count"] {
        known.insert(format!("gatelatch_request_duration_seconds_{part}"));
    }
    let name = Regex::new("(?:gatelatch|process)_[a-z_]+").unwrap();
    let mut named = BTreeSet::new();
    let alerts = read("config/observability/prometheus-alerts.yaml");
    for text in dashboard_queries().iter().chain([&alerts]) {
        named.extend(name.find_iter(text).map(|found| found.as_str().to_owned()));
    }
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let dashboard = read("config/observability/grafana-dashboard.json");
    let unused: Vec<_> = known
        .iter()
        .filter(|name| !dashboard.contains(*name))
        .collect();
    assert!(unused.is_empty(), "the dashboard shows none of {unused:?}");
}
