//! The alert rules in a real Prometheus that scrapes a real gateway: each of them is evaluated, and what is wrong is seen.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Upstream, gateway, get, program, until};
use crate::tls_proxies::run;

const SERVICES: &str = "
  app:
    upstream: { servers: [http://UPSTREAM, http://127.0.0.1:9], health: { path: /, interval: 1s } }
    rules:
      - { path: /open, allow: anyone }
";

/// The rules with their `health` and `state`, by name; none while Prometheus still starts.
fn rules(prometheus: SocketAddr) -> Vec<(String, String, String)> {
    let answer = get(prometheus, "/api/v1/rules", "");
    if answer.status != 200 {
        return Vec::new();
    }
    let said = answer.json();
    let rules = said["data"]["groups"][0]["rules"].as_array();
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    rules
        .into_iter()
        .flatten()
        .map(|rule| {
            (
                text(rule, "name"),
                text(rule, "health"),
                text(rule, "state"),
            )
        })
        .collect()
}

#[test]
fn prometheus_sees_what_is_wrong() {
    let Some(prometheus) = program("prometheus") else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/observability");
    let settings = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [ {}/prometheus-alerts.yaml ]
scrape_configs: [ {{ job_name: gatelatch, static_configs: [ {{ targets: [\"{}\"] }} ] }} ]
",
        shipped.display(),
        gateway.admin
    );
    fs::write(folder.path().join("prometheus.yml"), settings).unwrap();
    let mut command = Command::new(prometheus);
    command
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg("--web.listen-address=127.0.0.1:0")
        .current_dir(folder.path());
    let (_running, port) = run(&mut command);
    let rules = || rules(SocketAddr::from(([127, 0, 0, 1], port)));
    let raised = || -> Vec<String> {
        let raised = rules()
            .into_iter()
            .filter(|(_, _, state)| state != "inactive");
        raised.map(|(name, ..)| name).collect()
    };

    // nobody listens at one of two servers
    until("the server that is out", || {
        raised() == ["GatelatchServerOut"]
    });
    let evaluated = rules();
    assert!(evaluated.len() > 15, "{evaluated:?}");
    let is_well = |(_, health, _): &(String, String, String)| health == "ok";
    assert!(evaluated.iter().all(is_well), "{evaluated:?}");

    gateway.replace("gateway.yaml", "services: [\n");
    until("the configuration that is refused", || {
        raised() == ["GatelatchConfigurationRefused", "GatelatchServerOut"]
    });
}
