//! In a real browser.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::providers::{browse, corp, register};
use crate::support::{
    OpenIdProvider, PASSWORD, Received, Upstream, gateway, output, program, python,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /form, allow: authenticated }
      - { path: /favicon.ico, allow: anyone }
      - { path: /recent, allow: { max_age: 5s } }
      - { path: /vault, allow: { second_factor: true } }
";

fn serve(request: &Received) -> Vec<u8> {
    let body = match request.line() {
        line if line.starts_with("GET /form ") => {
            "<!doctype html><form method=post action=/recent><input name=amount><button>Send</button></form>".to_owned()
        }
        line if line.starts_with("POST ") => format!("received {}", request.body),
        _ => format!("for {}", request.fields("remote-user").concat()),
    };
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[test]
fn people_sign_in_again_and_come_back_in_a_real_browser() {
    let (Some(python), Some(chromium)) = (python(), program("chromium")) else {
        return;
    };
    let gateway = gateway(SERVICES)
        .upstream(Upstream::new(serve).address)
        .start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/step_up.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(format!("http://{}", gateway.address))
        .arg(chromium)
        .args(["rita", PASSWORD])
        .args(std::env::var_os("GATELATCH_TEST_PICTURES"));
    let visits: Value = serde_json::from_str(&output(&mut command)).unwrap();
    assert_eq!(visits.as_array().unwrap().len(), 4);
    for visit in visits.as_array().unwrap() {
        let landed = json!(["/recent?tab=2", "for rita"]);
        assert_eq!((&visit["first"], &visit["again"]), (&landed, &landed));
        assert_eq!(
            visit["asked"],
            "/auth/login?next=/recent%3Ftab%3D2&reauth&max_age=5"
        );
        assert_eq!(visit["user"], "rita");
        assert_eq!(
            (&visit["overflow"], &visit["form_overflow"]),
            (&json!(false), &json!(false)),
            "{visit}"
        );
        let says = |part: &str, text: &str| {
            let shown = visit[part].to_string();
            assert!(shown.contains(text), "{part}: {text}: {visit}");
        };
        says("notice", "please confirm that it is you");
        says("form", "Your form was not sent on");
        says("form", "a sign-in within the last 5 seconds");
        assert_eq!(visit["form_asked"], "/auth/login?reauth&max_age=5");
        assert_eq!(visit["form_sent"], "received amount=seven");
        assert_eq!(
            visit["vault"][0],
            "/auth/login?next=/vault&reauth=second-factor"
        );
        says("vault", "asks for a second factor");
    }
}

/// The provider says when somebody was authenticated only where that is asked for.
#[test]
fn people_sign_in_at_a_real_provider_once_more() {
    if program("chromium").is_none() {
        return;
    }
    let Some(mut provider) = OpenIdProvider::start() else {
        return;
    };
    let gateway = gateway(SERVICES)
        .upstream(Upstream::new(serve).address)
        .auth(&corp(&provider, ""))
        .start();
    let origin = format!("http://{}", gateway.address);
    register(&mut provider, &origin, &["authorization_code"]);
    let Some(found) = browse(&origin, "step_up") else {
        return;
    };
    let asked = "/auth/login?next=/recent%3Ftab%3D2&reauth&max_age=5";
    let landed = json!(["/recent?tab=2", "for ann@example.com"]);
    assert_eq!(
        (&found["unknown"], &found["old"][0]),
        (&json!(asked), &json!(asked))
    );
    assert_eq!(
        (&found["asked"], &found["asked_again"]),
        (&json!(1), &json!(1))
    );
    assert_eq!((&found["landed"], &found["again"]), (&landed, &landed));
}
