//! gRPC of another library: trailers, streams in both directions, over TLS and in the clear.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::{Authority, Gateway, GatewayBuilder, gateway, output, python};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/grpc_echo.py");

const SERVICES: &str = "
  echo:
    upstream: h2c://UPSTREAM
    rules:
      - { path: /echo.Echo/*, methods: [POST], allow: { roles: [recruiter] } }
";

/// What a client sees that may do everything: a trailer made of an identity header, errors of the service and of the
/// gateway, a thousand messages one way, and a conversation.
const EXPECTED: &str = "\
unary HELLO rita
error FAILED_PRECONDITION as asked
error UNAUTHENTICATED
download 1000 999
chat re: one, re: two, re: three 0
";

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(python: &PathBuf) -> (Service, SocketAddr) {
    let mut service = Command::new(python)
        .args([SCRIPT, "serve"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(service.stdout.as_mut().unwrap())
        .read_line(&mut port)
        .unwrap();
    (
        Service(service),
        format!("127.0.0.1:{}", port.trim()).parse().unwrap(),
    )
}

fn start(address: SocketAddr, change: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Gateway {
    change(gateway(SERVICES).upstream(address)).start()
}

#[test]
fn calls_of_every_kind_work_in_the_clear() {
    let Some(python) = python() else { return };
    let (_service, address) = serve(&python);
    let gateway = start(address, |builder| builder);
    let target = gateway.address.to_string();
    let said =
        output(Command::new(&python).args([SCRIPT, "talk", &target, &gateway.token("rita")]));
    assert_eq!(said.replace(" \n", "\n"), EXPECTED);
}

#[test]
fn calls_of_every_kind_work_over_tls() {
    let Some(python) = python() else { return };
    let (_service, address) = serve(&python);
    let authority = Authority::new("test");
    let certified = authority.issue(&["localhost", "127.0.0.1"]);
    let certificate = authority.certificate().to_owned();
    let token = start(address, |builder| builder).token("rita");
    let gateway = start(address, |builder| {
        builder
            .server("tls: { certificate: own.crt, private_key: own.key }")
            .prepare(move |folder| {
                certified.write(folder, "own");
                std::fs::write(folder.join("ca.crt"), certificate).unwrap();
            })
    });
    let target = format!("localhost:{}", gateway.address.port());
    let ca = gateway.path("ca.crt");
    let said = output(
        Command::new(&python)
            .args([SCRIPT, "talk", &target, &token])
            .arg(ca),
    );
    assert_eq!(said.replace(" \n", "\n"), EXPECTED);
}
