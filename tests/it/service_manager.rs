//! What a service manager such as systemd is told (`sd_notify(3)`), over a real socket.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::reload::{SERVICES, close, open_status};
use crate::support::{GatewayBuilder, Upstream, gateway};

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The manager's end of the conversation.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// A gateway that is told of it.
    fn manages(&self, gateway: GatewayBuilder) -> GatewayBuilder {
        gateway.variable(
            "NOTIFY_SOCKET",
            self.folder.path().join("notify").to_str().unwrap(),
        )
    }

    /// The next message.
    fn hears(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message");
        std::str::from_utf8(&message[..length]).unwrap().to_owned()
    }

    /// The next message, in which the clock's time is `N`, and that time.
    fn hears_of_reload(&self) -> (String, u64) {
        let message = self.hears();
        let time = message
            .lines()
            .find_map(|line| line.strip_prefix("MONOTONIC_USEC="))
            .expect("the time of the reload");
        (message.replace(time, "N"), time.parse().unwrap())
    }
}

const READY: &str = "READY=1\nSTATUS=serving\n";
const RELOADING: &str = "RELOADING=1\nMONOTONIC_USEC=N\nSTATUS=reading the configuration again\n";
const REFUSED: &str = "STATUS=serving with the former configuration: the files were refused (problems: 1), see the log\n";

#[test]
fn a_manager_hears_of_every_step_in_its_order() {
    let (manager, upstream) = (Manager::new(), Upstream::saying("hi"));
    let timeouts = "timeouts: { drain_delay: 1s, drain: 2h }";
    let mut gateway = manager
        .manages(
            gateway(SERVICES)
                .upstream(upstream.address)
                .server(timeouts),
        )
        .start();
    assert_eq!(manager.hears(), READY);
    assert_eq!(open_status(&gateway), 200, "ready means ready");

    gateway.signal("HUP");
    let (message, first) = manager.hears_of_reload();
    assert_eq!(
        (message.as_str(), manager.hears().as_str()),
        (RELOADING, READY)
    );

    // the manager is told that the reload is over, and its status says that nothing has changed
    let good = gateway.read("gateway.yaml");
    gateway.replace("gateway.yaml", "{");
    assert_eq!(
        manager.hears(),
        REFUSED,
        "files that change by themselves are no reload that it waits for"
    );
    gateway.signal("HUP");
    let (message, second) = manager.hears_of_reload();
    assert_eq!(
        (message, manager.hears()),
        (RELOADING.to_owned(), format!("READY=1\n{REFUSED}"))
    );
    assert!(second > first, "{second} is not after {first}");

    gateway.replace("gateway.yaml", &close(&good));
    assert_eq!(manager.hears(), "STATUS=serving\n");
    assert_eq!(open_status(&gateway), 403);

    gateway.signal("TERM");
    // the delay, the drain and a margin of 5 s
    assert_eq!(
        manager.hears(),
        "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=7206000000\n"
    );
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn a_gateway_that_cannot_start_is_never_ready() {
    let manager = Manager::new();
    let (code, printed) = manager.manages(gateway(SERVICES).listen("systemd")).fail();
    assert_eq!(code, Some(1), "{printed}");
    manager.socket.set_nonblocking(true).unwrap();
    assert!(
        manager.socket.recv(&mut [0; 4096]).is_err(),
        "something was said"
    );
}

#[test]
fn signs_of_life_come_as_long_as_it_lives() {
    let manager = Manager::new();
    let mut gateway = manager
        .manages(gateway(SERVICES).workers(3))
        .variable("WATCHDOG_USEC", "400000")
        .start();
    assert_eq!(manager.hears(), READY);
    for _ in 0..3 {
        assert_eq!(manager.hears(), "WATCHDOG=1\n");
    }
    gateway.signal("TERM");
    let last = std::iter::repeat_with(|| manager.hears())
        .find(|message| message != "WATCHDOG=1\n")
        .unwrap();
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn the_watchdog_of_another_process_is_not_fed() {
    let manager = Manager::new();
    let builder = manager
        .manages(gateway(SERVICES))
        .variable("WATCHDOG_USEC", "1000")
        .variable("WATCHDOG_PID", "1");
    let mut gateway = builder.start();
    assert_eq!(manager.hears(), READY);
    gateway.signal("TERM");
    assert!(manager.hears().starts_with("STOPPING=1\n"));
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn a_manager_that_does_not_listen_is_no_reason_to_fail() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .variable("NOTIFY_SOCKET", "/nowhere/notify")
        .start();
    let event = gateway.event("the service manager cannot be told");
    assert_eq!(event["level"], "WARN");
    assert_eq!(open_status(&gateway), 200);
}

/// `LoadCredential=` of a unit puts files where only the service can read them, and names their folder.
#[test]
fn secrets_come_from_the_credentials_of_a_unit() {
    let (upstream, credentials) = (Upstream::saying("hi"), tempfile::tempdir().unwrap());
    std::fs::write(
        credentials.path().join("token"),
        format!("{}\n", crate::support::SECRET),
    )
    .unwrap();
    let services = SERVICES.replace("UPSTREAM", &upstream.address.to_string());
    let config = format!(
        "server: {{ listen: [\"127.0.0.1:0\"] }}
admin: {{ listen: \"127.0.0.1:0\" }}
auth: {{ token: {{ secret_file: \"${{CREDENTIALS_DIRECTORY}}/token\" }} }}
services:{services}"
    );
    let folder: &Path = credentials.path();
    let gateway = gateway("")
        .whole(&config)
        .variable("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())
        .start();
    let rita = gateway.bearer("rita");
    assert_eq!(gateway.get("/jobs", &rita).status, 200);
}
