//! The units that ship: systemd understands them, and the gateway runs as shut in as they say.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::reload::{SERVICES, close, open_status};
use crate::support::{Upstream, gateway, output, program, superuser};

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd")
}

#[test]
fn the_exposure_of_the_unit_is_under_two() {
    let Some(analyze) = program("systemd-analyze") else {
        return;
    };
    // tenths: it fails above this
    let options = ["security", "--no-pager", "--offline=true", "--threshold=19"];
    let said = output(
        Command::new(analyze)
            .args(options)
            .arg(units().join("gatelatch.service")),
    );
    assert!(
        said.contains("Overall exposure level for gatelatch.service: "),
        "{said}"
    );
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let (Some(analyze), Some(sysusers)) = (program("systemd-analyze"), program("systemd-sysusers"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for unit in ["gatelatch.service", "gatelatch.socket"] {
        // it looks for the program
        let text = fs::read_to_string(units().join(unit)).unwrap();
        let text = text.replace("/usr/bin/gatelatch", env!("CARGO_BIN_EXE_gatelatch"));
        fs::write(folder.path().join(unit), text).unwrap();
    }
    let paths = ["gatelatch.service", "gatelatch.socket"].map(|unit| folder.path().join(unit));
    let verified = Command::new(analyze)
        .args(["verify", "--man=no"])
        .args(paths)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");

    let root = format!("--root={}", folder.path().display());
    let dry = Command::new(sysusers)
        .args(["--dry-run", &root])
        .arg(units().join("gatelatch.sysusers"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&dry.stderr);
    assert!(
        dry.status.success() && said.contains("user 'gatelatch'"),
        "{said}"
    );
}

/// The filter of system calls, the capabilities, the user and the read-only file system of the unit are put in force;
/// what systemd alone can do is left to it.
#[test]
fn the_gateway_runs_as_shut_in_as_the_unit_says() {
    let (Some(python), Some(_analyze)) = (program("python3"), program("systemd-analyze")) else {
        return;
    };
    let (Some(unshare), Some(())) = (program("unshare"), superuser()) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/confine.py");
    let unit = units().join("gatelatch.service");
    let paths = [&unshare, &python, &script, &unit].map(|path| path.to_str().unwrap());
    let launcher = [
        paths[0],
        "--mount",
        "--propagation",
        "private",
        paths[1],
        paths[2],
        paths[3],
        "--",
    ];
    let readable =
        |folder: &Path| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    // a limit that is to be raised takes a system call more
    let builder = gateway(SERVICES)
        .upstream(upstream.address)
        .open_files(256)
        .prepare(readable);
    let mut gateway = builder.launcher(&launcher).start();

    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let has = |key: &str, value: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
        assert_eq!(line, Some(value), "{key} in {status}");
    };
    has("Uid", "65532\t65532\t65532\t65532");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        has(set, "0000000000000000");
    }
    has("NoNewPrivs", "1");
    has("Seccomp", "2");
    let mounts = fs::read_to_string(format!("/proc/{}/mounts", gateway.id())).unwrap();
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some("/"))
        .unwrap();
    assert!(
        root.split(' ')
            .nth(3)
            .unwrap()
            .split(',')
            .any(|option| option == "ro"),
        "{root}"
    );

    let rita = gateway.bearer("rita");
    assert_eq!(
        (gateway.get("/jobs", &rita).status, open_status(&gateway)),
        (200, 200)
    );
    assert!(gateway.metric("gatelatch_config_last_reload_successful") == 1.0);
    gateway.replace("gateway.yaml", &close(&gateway.read("gateway.yaml")));
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 403);
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
    let printed = gateway.printed();
    // what the test's own configuration is warned of has a code
    let alarms =
        |line: &&str| line.contains("\"level\":\"WARN\"") || line.contains("\"level\":\"ERROR\"");
    assert!(
        printed
            .lines()
            .filter(alarms)
            .all(|line| line.contains("\"code\":")),
        "{printed}"
    );
}
