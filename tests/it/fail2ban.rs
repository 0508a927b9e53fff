//! fail2ban itself reads the gateway's events with the filter that is handed out, and the jail.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::attempts::{behind_a_proxy, statuses};
use crate::support::{PASSWORD, output, program, until};

fn shipped() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/fail2ban"))
}

#[test]
fn fail2ban_reads_the_address_and_cannot_be_misled() {
    let Some(reader) = program("fail2ban-regex") else {
        return;
    };
    let names = [
        "rita",
        "a%22+client_ip%3D9.9.9.9+user%3D%22b",
        "%5C%22%2C%22client_ip%22%3A%229.9.9.9",
        "%0A1+WARN+x",
    ];
    for format in ["json", "text"] {
        let builder = behind_a_proxy("attempts: 1, lockout: 5m")
            .more(&format!("log: {{ format: {format} }}"));
        let gateway = builder.start();
        for (index, name) in names.iter().enumerate() {
            let from = format!("192.0.2.{index}");
            assert_eq!(statuses(&gateway, &from, name, &["x", "x"]), [401, 429]);
        }
        assert_eq!(
            statuses(&gateway, "198.51.100.1", "carl", &[PASSWORD]),
            [200]
        );
        until("the last line", || {
            gateway.printed().contains("198.51.100.1")
        });
        let events = gateway.path("events.log");
        fs::write(&events, gateway.printed()).unwrap();
        let mut read = Command::new(&reader);
        read.args(["--out", "ip"]).arg(&events);
        let found = output(read.arg(shipped().join("filter.d/gatelatch.conf")));
        let found: Vec<_> = found.lines().collect();
        let expected = (0..names.len()).flat_map(|index| [index, index]);
        let expected: Vec<_> = expected.map(|index| format!("192.0.2.{index}")).collect();
        assert_eq!(found, expected, "{}", gateway.printed());
    }
}

#[test]
fn fail2ban_finds_nothing_wrong_with_the_jail() {
    let Some(client) = program("fail2ban-client") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // what every jail and filter is built on is fail2ban's own
    let copy = ["-r", "/etc/fail2ban/.", folder.path().to_str().unwrap()];
    output(Command::new("cp").args(copy));
    let events = folder.path().join("events.log");
    fs::write(&events, "").unwrap();
    for place in ["filter.d/gatelatch.conf", "jail.d/gatelatch.conf"] {
        let text = fs::read_to_string(shipped().join(place)).unwrap();
        let text = text.replace("/var/log/gatelatch/events.log", events.to_str().unwrap());
        fs::write(folder.path().join(place), text).unwrap();
    }
    let mut dump = Command::new(client);
    let said = output(dump.arg("-c").arg(folder.path()).args(["-d", "-q"]));
    assert!(said.contains("['start', 'gatelatch']"), "{said}");
    assert!(said.contains("'maxretry', 20"), "{said}");
}
