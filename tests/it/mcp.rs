//! A client of the Model Context Protocol knows the URL of a server behind the gateway and nothing else. The 401 tells it where
//! to read on (RFC 9728), the authorization server there lets somebody sign in, and the gateway takes its token. Client,
//! server and provider are those of others.

use std::process::Command;

use serde_json::{Value, json};

use crate::basic_clients::Server;
use crate::support::{Gateway, OpenIdProvider, gateway, output, python};

const SERVICES: &str = "
  jobs:
    path: /mcp
    strip_path: true
    upstream: http://UPSTREAM
    rules: [ { path: /mcp/**, allow: authenticated } ]
  other:
    path: /other
    strip_path: true
    upstream: http://UPSTREAM
    rules: [ { path: /other/**, allow: authenticated } ]
";

/// The audience of a gateway whose port is not known yet.
const NOT_KNOWN: &str = "http://gateway.test/mcp";

/// A gateway with a server behind it, which takes the provider's tokens for the service `jobs` and for no other.
fn start(server: &Server, provider: &OpenIdProvider) -> Gateway {
    let gateway = gateway(SERVICES)
        .upstream(([127, 0, 0, 1], server.port).into())
        .auth(&format!(
            "resource_metadata: {{ scopes: [\"jobs:read\"] }},
             trusted_issuers: [ {{ issuer: \"{}\", audience: \"{NOT_KNOWN}\", algorithms: [RS256] }} ]",
            provider.issuer
        ))
        .start();
    let known = format!("http://{}/mcp", gateway.address);
    let config = gateway.read("gateway.yaml").replace(NOT_KNOWN, &known);
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
    gateway
}

/// What the client says, and what it asked: the origins are `gateway` and `provider`.
fn run(
    gateway: &Gateway,
    provider: &OpenIdProvider,
    path: &str,
    client: Option<&Value>,
) -> Option<(Value, Vec<String>)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/mcp_client.py");
    let origin = format!("http://{}", gateway.address);
    let mut command = Command::new(python()?);
    command.args([script, &format!("{origin}{path}"), "ann+staff"]);
    command.args(client.map(Value::to_string));
    let mut found: Value = serde_json::from_str(&output(&mut command)).unwrap();
    let sent = found["sent"].take();
    let sent = sent.as_array().unwrap().iter().map(|line| {
        let line = line.as_str().unwrap();
        line.replace(&origin, "gateway")
            .replace(&provider.issuer, "provider")
    });
    Some((found, sent.collect()))
}

/// What a client asks before anybody signs in.
fn discovery(path: &str) -> Vec<String> {
    vec![
        format!("POST gateway{path} 401"),
        format!("GET gateway/.well-known/oauth-protected-resource{path} 200"),
        "GET provider/.well-known/oauth-authorization-server 200".to_owned(),
    ]
}

#[test]
fn an_agent_finds_out_by_the_401_where_to_sign_in_and_calls_a_tool() {
    let (Some(python), Some(mut provider)) = (python(), OpenIdProvider::start()) else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/mcp_server.py");
    let server = Server::start(Command::new(python).arg(script), false);
    let gateway = start(&server, &provider);
    let said = json!({ "said": "ann+staff, token: None", "error": null, "sent": null });
    // it registers itself (RFC 7591)
    let (found, sent) = run(&gateway, &provider, "/mcp", None).unwrap();
    assert_eq!(found, said, "{sent:#?}");
    let mut expected = discovery("/mcp");
    expected.extend(["POST provider/reg 201", "POST provider/token 200"].map(str::to_owned));
    assert_eq!(sent[..5], expected, "{sent:#?}");
    assert_eq!(sent[5], "POST gateway/mcp 200", "{sent:#?}");
    // or it is known there before
    let client = json!({
        "client_id": "agent",
        "redirect_uris": ["http://127.0.0.1:47123/callback"],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    });
    provider.register(&client);
    let (found, sent) = run(&gateway, &provider, "/mcp", Some(&client)).unwrap();
    assert_eq!(found, said, "{sent:#?}");
    assert_eq!(sent[3], "POST provider/token 200", "{sent:#?}");
    // a token of another resource is none for this gateway, whoever issued it
    let (found, sent) = run(&gateway, &provider, "/other", Some(&client)).unwrap();
    assert_eq!(found["said"], Value::Null, "{found}");
    assert_eq!(sent[..3], discovery("/other"), "{sent:#?}");
    assert_eq!(sent[4], "POST gateway/other 401", "{sent:#?}");
    let refused = gateway.metric(r#"gatelatch_token_refusals_total{reason="scope"}"#);
    assert!(refused >= 1.0, "{}", gateway.metrics());
}
