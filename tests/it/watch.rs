//! The ways in which the files of a running gateway are replaced.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::reload::{GET_OPEN, SERVICES, close, open_status, reloads};
use crate::support::{Connection, Gateway, Upstream, gateway};

/// Longer than files are left to rest before they are read, without a sleep: an idle connection is closed.
fn pause(gateway: &Gateway) {
    assert_eq!(
        Connection::open(gateway.address)
            .write(GET_OPEN)
            .read()
            .status,
        200
    );
    let mut idle = Connection::open(gateway.address);
    idle.write("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        .read();
    assert_eq!(idle.read_to_end(), "");
}

#[test]
fn a_file_that_is_taken_away_and_comes_back_is_read() {
    let gateway = gateway(SERVICES).start();
    let config = gateway.read("gateway.yaml");
    fs::remove_file(gateway.path("gateway.yaml")).unwrap();
    gateway.event("configuration not reloaded");
    fs::write(gateway.path("gateway.yaml"), close(&config)).unwrap();
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 403);
}

#[test]
fn files_are_written_in_place_or_through_another_name() {
    let upstream = Upstream::saying("hi");
    let elsewhere = tempfile::tempdir().unwrap();
    let other_name = elsewhere.path().join("gateway.yaml");
    let link = other_name.clone();
    let prepare = move |folder: &Path| fs::hard_link(folder.join("gateway.yaml"), link).unwrap();
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .prepare(prepare)
        .start();
    let config = gateway.read("gateway.yaml");
    fs::write(gateway.path("gateway.yaml"), close(&config)).unwrap();
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 403);
    // no event of the folder, as with a file that is mounted alone
    fs::write(other_name, &config).unwrap();
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 200);
}

/// A volume as the kubelet lays it out.
fn publish(folder: &Path, version: &str, config: &str, users: &str) {
    let data = folder.join(version);
    fs::create_dir(&data).unwrap();
    fs::write(data.join("gateway.yaml"), config).unwrap();
    fs::write(data.join("users.yaml"), users).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    let before = fs::read_link(folder.join("..data"));
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if let Ok(before) = before {
        fs::remove_dir_all(folder.join(before)).unwrap();
    }
}

#[test]
fn a_config_map_is_exchanged_again_and_again() {
    let upstream = Upstream::saying("hi");
    let prepare = |folder: &Path| {
        let [config, users] = ["gateway.yaml", "users.yaml"].map(|name| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            fs::remove_file(folder.join(name)).unwrap();
            symlink(format!("..data/{name}"), folder.join(name)).unwrap();
            text
        });
        publish(folder, "..2026_01", &config, &users);
    };
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .prepare(prepare)
        .start();
    let (config, users) = (gateway.read("gateway.yaml"), gateway.read("users.yaml"));
    for (version, config, expected) in [
        ("..2026_02", close(&config), 403),
        ("..2026_03", config.clone(), 200),
        ("..2026_04", close(&config), 403),
    ] {
        publish(gateway.folder(), version, &config, &users);
        gateway.event("configuration reloaded");
        assert_eq!(open_status(&gateway), expected, "{version}");
    }
}

#[test]
fn a_release_is_switched_by_a_link_to_its_folder() {
    let prepare = |folder: &Path| {
        for release in ["1", "2"] {
            fs::create_dir_all(folder.join("releases").join(release)).unwrap();
        }
        let config = fs::read_to_string(folder.join("gateway.yaml")).unwrap();
        fs::write(folder.join("releases/1/gateway.yaml"), &config).unwrap();
        fs::write(folder.join("releases/2/gateway.yaml"), close(&config)).unwrap();
        for release in ["1", "2"] {
            fs::copy(
                folder.join("users.yaml"),
                folder.join("releases").join(release).join("users.yaml"),
            )
            .unwrap();
        }
        fs::remove_file(folder.join("gateway.yaml")).unwrap();
        fs::create_dir(folder.join("deploy")).unwrap();
        symlink("../releases/1", folder.join("deploy/current")).unwrap();
        symlink("deploy/current/gateway.yaml", folder.join("gateway.yaml")).unwrap();
    };
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .prepare(prepare)
        .start();
    assert_eq!(open_status(&gateway), 200);
    symlink("../releases/2", gateway.path("deploy/next")).unwrap();
    fs::rename(gateway.path("deploy/next"), gateway.path("deploy/current")).unwrap();
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 403);
}

#[test]
fn other_files_and_the_gateways_own_reading_cause_no_reload() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("timeouts: { idle: 600ms }")
        .start();
    for name in [
        "notes.txt",
        ".gateway.yaml.swp",
        "gateway.yaml~",
        "..x",
        "users.yaml.bak",
        "4913",
    ] {
        fs::write(gateway.path(name), "x").unwrap();
        fs::remove_file(gateway.path(name)).unwrap();
    }
    pause(&gateway);
    let all = || ["applied", "unchanged", "refused"].map(|outcome| reloads(&gateway, outcome));
    assert_eq!(all(), [0.0, 0.0, 0.0]);
    gateway.replace(
        "users.yaml",
        &gateway.read("users.yaml").replace("Rita", "Margherita"),
    );
    gateway.event("configuration reloaded");
    pause(&gateway);
    assert_eq!(all(), [1.0, 0.0, 0.0]);
    // the same again is noticed, and is no new configuration
    gateway.replace("users.yaml", &gateway.read("users.yaml"));
    assert!((0..20).any(|_| {
        pause(&gateway);
        all() == [1.0, 1.0, 0.0]
    }));
}

#[test]
fn a_users_file_elsewhere_is_watched_from_the_reload_on_that_names_it() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let users = gateway.read("users.yaml");
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("users.yaml", "people/list.yaml"),
    );
    gateway.event("configuration not reloaded");
    fs::create_dir(gateway.path("people")).unwrap();
    fs::write(gateway.path("people/list.yaml"), &users).unwrap();
    gateway.event("configuration reloaded");
    let rita = gateway.bearer("rita");
    gateway.replace(
        "people/list.yaml",
        &users.replace("[recruiter], name", "[], name"),
    );
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/jobs", &rita).status, 403);
}
