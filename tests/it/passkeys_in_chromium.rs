//! Keys of people on the real pages, in a real Chromium with virtual authenticators.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Gateway, PASSWORD, Received, Upstream, gateway, ok, output, program, python};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /vault, allow: { second_factor: true } }
      - { path: /favicon.ico, allow: anyone }
";

/// Keys need a name and TLS, or `localhost`.
fn browse(gateway: &Gateway) -> Option<Value> {
    let (python, chromium) = (python()?, program("chromium")?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/passkeys.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(format!("http://localhost:{}", gateway.address.port()))
        .arg(chromium)
        .args(["rita", PASSWORD, "carl"])
        .args(std::env::var_os("GATELATCH_TEST_PICTURES"));
    Some(serde_json::from_str(&output(&mut command)).unwrap())
}

fn greet(request: &Received) -> Vec<u8> {
    ok(&format!("Hello {}", request.fields("remote-user").concat()))
}

fn says(found: &Value, part: &str, text: &str) {
    let shown = found[part].as_str().unwrap();
    assert!(shown.contains(text), "{part}: {text}: {found}");
}

#[test]
fn people_register_keys_and_sign_in_with_them() {
    let upstream = Upstream::new(greet);
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth("passkeys: {}")
        .more("state: file:state\n")
        .start();
    let Some(found) = browse(&gateway) else {
        return;
    };
    look_alike(&found["looks"]);
    a_passkey(&found["passkey"]);
    for key in ["u2f", "no_pin"] {
        a_security_key(&found[key]);
    }
    gateway.named_event("key_possibly_copied");
}

fn look_alike(looks: &Value) {
    for look in looks.as_array().unwrap() {
        assert_eq!(
            look["buttons"],
            json!(["Sign in", "Sign in with a passkey"]),
            "{look}"
        );
        assert_eq!(look["without_script"], json!(["Sign in"]), "{look}");
        assert_eq!(
            (&look["overflow"], &look["complaints"]),
            (&json!(false), &json!([])),
            "{look}"
        );
        assert!(look["tall"].as_f64().unwrap() >= 44.0, "{look}");
        says(look, "alert", "No key was used.");
    }
    assert_eq!(looks.as_array().unwrap().len(), 4);
}

fn a_passkey(found: &Value) {
    says(found, "account", "My laptop");
    says(found, "account", "10 of 10 left");
    assert_eq!(found["codes"].as_array().unwrap().len(), 10, "{found}");
    assert_eq!(found["next"], "Hello rita", "{found}");
    assert_eq!(
        found["key"],
        json!([true, "localhost", "rita", "Rita Recruiter"]),
        "{found}"
    );
    says(found, "again", "This key is yours already.");
    says(found, "asked", "Use a passkey");
    assert_eq!(found["second"], json!(["/vault", "Hello rita"]), "{found}");
    for part in ["alone", "offered", "original"] {
        assert_eq!(found[part], "Hello rita", "{part}: {found}");
    }
    says(found, "with", "a passkey, in this browser");
    assert_eq!(
        found["replayed"],
        json!([400, "That took too long. Please try again."]),
        "{found}"
    );
    says(found, "unverified", "No key was used.");
    says(found, "copy", "This key may have been copied");
    assert!(
        !found["removed"].as_str().unwrap().contains("My laptop"),
        "{found}"
    );
    says(found, "unknown", "This key does not sign you in here.");
    assert_eq!(found["complaints"], json!([]), "{found}");
}

fn a_security_key(found: &Value) {
    for part in ["as_passkey", "alone"] {
        says(found, part, "No key was used.");
    }
    assert_eq!(found["codes"].as_array().unwrap().len(), 10, "{found}");
    let asked = found["asked"].as_array().unwrap();
    assert!(asked.contains(&json!("Use a security key")), "{found}");
    assert!(!asked.contains(&json!("Use a passkey")), "{found}");
    assert_eq!(found["vault"], "Hello carl", "{found}");
    assert_eq!(found["complaints"], json!([]), "{found}");
}
