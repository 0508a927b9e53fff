//! A real browser: what it shows, keeps and sends.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Gateway, GatewayBuilder, PASSWORD, Received, Upstream, gateway, ok, output, program, python,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    openapi: { path: /openapi.json }
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /whoami, allow: { roles: [recruiter] } }
      - { path: /admin/**, allow: { roles: [admin] } }
      - { path: /docs, allow: anyone }
      - { path: /openapi.json, allow: anyone }
      - { path: /favicon.ico, allow: anyone }
";

/// Runs a script with a browser; `None` where there is none. `GATELATCH_TEST_PICTURES` names a folder for pictures.
fn browse(script: &str, gateway: &Gateway) -> Option<Value> {
    browse_with(script, gateway, &[])
}

/// The same with further arguments.
pub fn browse_with(script: &str, gateway: &Gateway, more: &[String]) -> Option<Value> {
    let (python, chromium) = (python()?, program("chromium")?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/browser")
        .join(script);
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(format!("http://{}", gateway.address))
        .arg(chromium)
        .args(["rita", PASSWORD])
        .args(more);
    command.args(std::env::var_os("GATELATCH_TEST_PICTURES"));
    Some(serde_json::from_str(&output(&mut command)).unwrap())
}

fn page(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A service that knows nothing of logins, with a Swagger UI of its own.
fn serve(request: &Received) -> Vec<u8> {
    let user = request.fields("remote-user").concat();
    match request.line().split(' ').nth(1).unwrap() {
        "/docs" => page(
            "<!doctype html><title>Docs</title><link rel=stylesheet href=/auth/docs/swagger-ui.css><div id=ui></div>\
             <script src=/auth/docs/swagger-ui-bundle.js></script>\
             <script>SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui' })</script>",
        ),
        "/openapi.json" => {
            let document = json!({
                "openapi": "3.1.0",
                "info": { "title": "Jobs", "version": "1" },
                "paths": { "/whoami": { "get": { "operationId": "whoami", "responses": {} } } }
            });
            let document = document.to_string();
            let length = document.len();
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{document}")
                .into()
        }
        "/jobs" | "/jobs?page=2" => page(&format!(
            "<!doctype html><title>Jobs</title>Jobs for {user}"
        )),
        _ => ok(&user),
    }
}

fn set_up() -> GatewayBuilder {
    gateway(SERVICES).upstream(Upstream::new(serve).address)
}

#[test]
fn people_sign_in_and_out_without_javascript() {
    let gateway = set_up().start();
    let Some(visits) = browse("sign_in.py", &gateway) else {
        return;
    };
    for visit in visits.as_array().unwrap() {
        assert_eq!(
            visit["sent_to"], "/auth/login?next=/jobs%3Fpage%3D2",
            "{visit}"
        );
        assert_eq!(
            visit["alert"], "The user name or the password is wrong.",
            "{visit}"
        );
        assert_eq!(visit["kept"], json!(["rita", ""]), "{visit}");
        assert_eq!(visit["focus"], json!(["username", "password"]), "{visit}");
        assert_eq!(
            (&visit["came_to"], &visit["told"]),
            (&json!("/jobs?page=2"), &json!("Jobs for rita")),
            "{visit}"
        );
        assert_eq!(visit["cookie"], json!([true, "Lax", "/", false]), "{visit}");
        assert!(
            visit["account"]
                .as_str()
                .unwrap()
                .contains("Rita Recruiter"),
            "{visit}"
        );
        let says = |part: &str, texts: &[&str]| {
            let shown = visit[part].as_str().unwrap();
            for text in texts {
                assert!(shown.contains(text), "{part}: {text}: {visit}");
            }
        };
        says(
            "refused",
            &[
                "You cannot open this page",
                "Access denied. Requires role: admin.",
                "Signed in as Rita Recruiter (rita)",
                "Status 403, request ",
            ],
        );
        assert_eq!(
            visit["switch"][0], "/auth/login?next=/admin/users%3Fa%3D1&switch",
            "{visit}"
        );
        says("leaving", &["Sign out?", "a password, in this browser"]);
        says(
            "leaving",
            &["recruiter", "Stay signed in", " at the latest"],
        );
        says("landed", &["Your account", "Signed in as Rita"]);
        assert_eq!(
            (&visit["status"], &visit["cookies_left"]),
            (&json!("You are signed out."), &json!(["gatelatch-device"])),
            "{visit}"
        );
        assert!(
            visit["lost"].as_str().unwrap().contains("gatelatch"),
            "{visit}"
        );
        assert_eq!(
            (&visit["overflow"], &visit["complaints"]),
            (&json!(false), &json!([])),
            "{visit}"
        );
        let least = |of: &str| {
            visit[of]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_f64)
                .fold(f64::MAX, f64::min)
        };
        assert!(least("contrast") >= 4.5, "text is readable: {visit}");
        assert!(least("tall") >= 44.0, "a thumb finds everything: {visit}");
    }
    assert_eq!(visits.as_array().unwrap().len(), 4);
}

#[test]
fn swagger_ui_authorizes() {
    let gateway = set_up().start();
    let Some(found) = browse("swagger.py", &gateway) else {
        return;
    };
    for name in ["own", "phone"] {
        let own = &found[name];
        assert_eq!(own["status"], "200", "{own}");
        assert!(
            own["answer"]
                .as_str()
                .unwrap()
                .contains("\"sub\": \"rita\""),
            "{own}"
        );
        assert_eq!(own["complaints"], json!([]), "{own}");
    }
    let service = &found["service"];
    assert_eq!(
        (&service["status"], &service["answer"]),
        (&json!("200"), &json!("rita")),
        "{service}"
    );
    assert!(
        service["description"]
            .as_str()
            .unwrap()
            .contains("Requires role: recruiter."),
        "{service}"
    );
}

/// A page on another port is one of another origin.
#[test]
fn a_single_page_application_of_another_origin_logs_in() {
    let [allowed, stranger] =
        [(); 2].map(|()| Upstream::new(|_| page("<!doctype html><title>App</title>")));
    let [allowed, stranger] = [&allowed, &stranger].map(|app| format!("http://{}", app.address));
    let services = format!(
        "
  app:
    upstream: http://UPSTREAM
    cors: {{ origins: [\"{allowed}\"], credentials: true }}
    rules: [ {{ path: /whoami, allow: authenticated }} ]
"
    );
    let gateway = gateway(&services)
        .upstream(Upstream::new(serve).address)
        .auth("token_paths: [/token]")
        .start();
    let Some(found) = browse_with("spa.py", &gateway, &[allowed, stranger]) else {
        return;
    };
    assert_eq!(
        found["allowed"],
        json!([["bearer", "bearer", "rita", 204], ["rita", 200, "rita"]])
    );
    assert_eq!(
        found["stranger"],
        json!(["Failed to fetch", "Failed to fetch"])
    );
}
