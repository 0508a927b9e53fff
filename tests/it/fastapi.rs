//! An unmodified FastAPI service behind the gateway, and Python clients in front of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{PASSWORD, SECRET, gateway, output, python, send};

const JOBS: &str = r#"
  jobs:
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /docs, allow: anyone }
      - { path: /openapi.json, allow: anyone }
      - { path: /whoami, allow: authenticated }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
"#;

fn app(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/apps")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

/// The service; it is killed when it is dropped.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(python: &Path) -> (Service, SocketAddr) {
    let mut process = Command::new(python)
        .arg(app("jobs.py"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    (
        Service(process),
        SocketAddr::from(([127, 0, 0, 1], port.trim().parse().unwrap())),
    )
}

#[test]
fn an_unmodified_fastapi_service_gets_logins_and_roles() {
    let Some(python) = python() else { return };
    let (_service, upstream) = start(&python);
    let gateway = gateway(JOBS).upstream(upstream).start();
    let post = |credential: &str| {
        let body = r#"{"title":"Engineer"}"#;
        let length = body.len();
        let head = "POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        send(
            gateway.address,
            format!("{head}Content-Length: {length}\r\n{credential}\r\n{body}"),
        )
    };
    let nobody = post("");
    assert_eq!(
        (nobody.status, nobody.json()["detail"].as_str()),
        (401, Some("Not authenticated"))
    );
    assert_eq!(
        nobody.header("www-authenticate"),
        "Bearer realm=\"gatelatch\""
    );
    let candidate = post(&gateway.bearer("carl"));
    assert_eq!(candidate.status, 403);
    assert_eq!(
        candidate.json()["detail"],
        "Access denied. Requires role: recruiter"
    );
    let recruiter = post(&gateway.bearer("rita"));
    assert_eq!(recruiter.status, 201, "{recruiter:?}");
    assert_eq!(
        recruiter.json(),
        serde_json::json!({ "title": "Engineer", "by": "rita" })
    );
    assert_eq!(gateway.get("/public/hello", "").json()["hello"], "world");
    assert!(
        gateway.get("/docs", "").body.contains("swagger-ui"),
        "the service's own pages pass"
    );
}

#[test]
fn its_own_documentation_gets_an_authorize_button() {
    let Some(python) = python() else { return };
    let (_service, upstream) = start(&python);
    let services = JOBS.replace(
        "    rules:\n",
        "    openapi: { path: /openapi.json }\n    rules:\n",
    );
    let document = gateway(&services)
        .upstream(upstream)
        .start()
        .get("/openapi.json", "")
        .json();
    assert_eq!(document["info"]["title"], "Jobs");
    assert_eq!(
        document["components"]["securitySchemes"]["gatelatch"]["flows"]["password"]["tokenUrl"],
        "/auth/login"
    );
    let post = &document["paths"]["/jobs"]["post"];
    assert_eq!(post["description"], "**Access:** Requires role: recruiter.");
    assert_eq!(post["security"], serde_json::json!([{ "gatelatch": [] }]));
    assert!(
        document["paths"]["/public/hello"]["get"]
            .get("security")
            .is_none()
    );
}

#[test]
fn python_libraries_log_in_and_read_and_make_tokens() {
    let Some(python) = python() else { return };
    let (_service, upstream) = start(&python);
    let gateway = gateway(JOBS).upstream(upstream).start();
    let address = format!("http://{}", gateway.address);
    let found = output(Command::new(python).arg(app("client.py")).args([
        address.as_str(),
        "rita",
        PASSWORD,
        SECRET,
    ]));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    for library in ["pyjwt", "jose"] {
        assert_eq!(found[library]["sub"], "rita", "{found}");
        assert_eq!(
            found[library]["roles"],
            serde_json::json!(["recruiter"]),
            "{found}"
        );
    }
    let told = serde_json::json!({
        "remote-user": "rita",
        "remote-groups": "recruiter",
        "remote-name": "Rita Recruiter",
        "remote-email": "rita@example.com",
        "authorization": null,
    });
    assert_eq!(found["whoami"], told);
    assert_eq!(
        found["made_by_pyjwt"], told,
        "roles come from today's user list, whoever made the token"
    );
}
