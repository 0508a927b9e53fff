//! The JSON Schemas say the same as the loader, as far as a schema can: a validator that is not ours holds both against
//! every configuration of these tests.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::Value;

use super::programs::python;
use super::{Case, repository};

/// Answers each line, a pair of a schema's name and a value, with `null` or with what is wrong.
const VALIDATOR: &str = r#"
import json, sys
from jsonschema import Draft202012Validator
validators = {}
for name in ("gateway", "users"):
    schema = json.load(open(f"config/{name}.schema.json"))
    Draft202012Validator.check_schema(schema)
    validators[name] = Draft202012Validator(schema)
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    name, value = json.loads(line)
    errors = [f"{error.json_path}: {error.message[:300]}" for error in validators[name].iter_errors(value)]
    print(json.dumps(errors or None), flush=True)
"#;

struct Validator {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _process: Child,
}

impl Validator {
    /// `None` where there is no Python.
    fn start() -> Option<Mutex<Self>> {
        let mut command = Command::new(python()?);
        command
            .args(["-c", VALIDATOR])
            .current_dir(repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, output) = (
            process.stdin.take().unwrap(),
            BufReader::new(process.stdout.take().unwrap()),
        );
        let mut validator = Self {
            input,
            output,
            _process: process,
        };
        assert_eq!(validator.answer(), Value::from("ready"));
        Some(Mutex::new(validator))
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
    }
}

/// The validator that all tests share; `None` where there is no Python.
fn validator() -> Option<&'static Mutex<Validator>> {
    static VALIDATOR: OnceLock<Option<Mutex<Validator>>> = OnceLock::new();
    VALIDATOR.get_or_init(Validator::start).as_ref()
}

/// What the schema has against a text; `None` where it has nothing, or there is no validator.
fn complaints(name: &str, text: &str) -> Option<Value> {
    let validator = validator()?;
    let value: serde_yaml::Value =
        serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let mut validator = validator.lock().unwrap();
    writeln!(
        validator.input,
        "{}",
        Value::from(vec![Value::from(name), json(value)])
    )
    .unwrap();
    let answer = validator.answer();
    (!answer.is_null()).then_some(answer)
}

/// YAML as JSON; keys are texts.
#[allow(clippy::wildcard_enum_match_arm, reason = "all others are scalars")]
fn json(value: serde_yaml::Value) -> Value {
    match value {
        serde_yaml::Value::Sequence(items) => items.into_iter().map(json).collect(),
        serde_yaml::Value::Mapping(entries) => {
            let key = |key: serde_yaml::Value| match json(key) {
                Value::String(text) => text,
                scalar => scalar.to_string(),
            };
            Value::Object(
                entries
                    .into_iter()
                    .map(|(name, value)| (key(name), json(value)))
                    .collect(),
            )
        }
        scalar => serde_json::to_value(scalar).unwrap(),
    }
}

/// What loads must be valid.
pub(crate) fn accepts(case: &Case) {
    for (name, text) in texts(case) {
        let complaints = complaints(name, &text);
        assert!(
            complaints.is_none(),
            "the schema refuses what loads: {complaints:?}\n{text}"
        );
    }
}

/// What has an unknown key or a value of the wrong type must not be valid.
pub(crate) fn refuses(case: &Case, messages: &str) {
    if validator().is_none() {
        return;
    }
    let texts = texts(case);
    for message in messages.split("\n\n") {
        let kind = message.split(']').next().unwrap_or_default();
        let place = message
            .split("--> ")
            .nth(1)
            .and_then(|rest| rest.split(':').next());
        let name = match place {
            Some("gateway.yaml") => "gateway",
            Some("users.yaml") => "users",
            Some(_) | None => continue,
        };
        if matches!(
            kind,
            "error[unknown-key" | "error[wrong-type" | "error[missing-key"
        ) {
            assert!(
                complaints(name, &texts[name]).is_some(),
                "the schema accepts what does not load: {message}"
            );
        }
    }
}

fn texts(case: &Case) -> BTreeMap<&'static str, String> {
    let read = |name: &str| std::fs::read_to_string(case.directory.path().join(name)).ok();
    let files = [("gateway", "gateway.yaml"), ("users", "users.yaml")];
    files
        .into_iter()
        .filter_map(|(name, file)| Some((name, read(file)?)))
        .collect()
}

#[test]
fn the_examples_are_valid() {
    for (name, file) in [
        ("gateway", "gateway.example.yaml"),
        ("gateway", "docker/gateway.yaml"),
        ("gateway", "docker/replicas/gateway.yaml"),
        ("gateway", "src/cli/init/gateway.yaml"),
        ("users", "config/users.example.yaml"),
        ("users", "docker/users.yaml"),
    ] {
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        assert!(
            text.starts_with("# yaml-language-server: $schema="),
            "{file} does not say what its schema is"
        );
        let complaints = complaints(name, &text);
        assert!(complaints.is_none(), "{file}: {complaints:?}");
    }
}

#[test]
fn every_block_has_its_place() {
    let config = "
server:
  listen: [\"unix:/run/gatelatch.sock\", systemd]
  tls: { certificate: tls.crt, private_key: tls.key, client_ca: ca.crt }
  forwarded: x-forwarded
  proxy_protocol: true
  timeouts: { handshake: 5s, tunnel: 8h }
  limits: { streams: 50 }
log: { audit: audit.log }
tracing: { otlp: \"https://otel:4317\", ca: ca.crt, sample: 0.5, service_name: edge, headers: { a: b }, timeout: 5s, trust: any }
services:
  app:
    mode: report
    cors: { origins: [\"https://app.example.com\"] }
    response_headers: { X-Frame-Options: DENY, Server: null }
    upstream:
      servers: [\"https://a:1\", \"h2c://b:2\", \"unix:/run/app.sock\"]
      balance: least_connections
      health: { path: /healthz, interval: 10s, timeout: 2s, unhealthy_after: 3, healthy_after: 2 }
      timeouts: { connect: 2s, response: 60s, idle: 90s, stream: 1h }
      tls: { ca: ca.crt, server_name: app, client_certificate: c.crt, client_key: c.key }
    rules: [{ path: /**, allow: authenticated, mode: enforce, allow_lints: [shadowed-rule] }]
tests:
  - { request: POST /jobs, as: { user: alice, roles: [candidate], address: 10.0.0.1, claims: { a: 1 } }, expect: forbidden }
  - { name: own, request: GET /jobs, as: alice, expect: allowed }
";
    assert_eq!(complaints("gateway", config), None);
    for (from, to) in [
        ("handshake: 5s", "handshake: 5"),
        ("forwarded: x-forwarded", "forwarded: x-real-ip"),
        ("proxy_protocol: true", "proxy_protocol: 1"),
        ("balance: least_connections", "balance: random"),
        ("mode: report", "mode: maybe"),
        ("expect: allowed", "expect: allow"),
        (", client_key: c.key", ""),
        ("sample: 0.5", "sample: 5"),
        ("trust: any", "trust: all"),
        ("otlp: \"https://otel:4317\", ", ""),
        ("path: /healthz, ", ""),
        ("private_key: tls.key, ", ""),
    ] {
        assert!(config.contains(from));
        let broken = complaints("gateway", &config.replace(from, to));
        assert!(
            broken.is_some() || validator().is_none(),
            "{to} is accepted"
        );
    }
}
