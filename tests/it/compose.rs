//! The compose files: valid, whole, confined; and the two replicas run with their very configuration.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::manifests::{at, documents, replaced, shipped};
use crate::support::{Answer, Gateway, Redis, Upstream, gateway, program, send, until};

const FILES: [&str; 3] = [
    "docker/compose.yaml",
    "docker/compose.replicas.yaml",
    "docker/compose.provider.yaml",
];

fn names(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    value
        .as_array()
        .map(|list| list.iter().map(text).collect())
        .unwrap_or_default()
}

#[test]
fn the_compose_files_are_valid_whole_and_confined() {
    for file in FILES {
        let Some(documents) = documents("compose", file) else {
            return;
        };
        let compose = &documents[0];
        for (name, service) in at(compose, "/services").as_object().unwrap() {
            let place = format!("{name} in {file}");
            assert_eq!(service["read_only"], true, "{place}");
            assert_eq!(names(&service["cap_drop"]), ["ALL"], "{place}");
            assert_eq!(
                names(&service["security_opt"]),
                ["no-new-privileges:true"],
                "{place}"
            );
            for (key, value) in [
                ("networks", &service["networks"]),
                ("secrets", &service["secrets"]),
            ] {
                for one in names(value) {
                    assert!(compose[key].get(&one).is_some(), "`{one}` of {place}");
                }
            }
            for other in service["depends_on"]
                .as_object()
                .into_iter()
                .flat_map(|map| map.keys())
            {
                assert!(
                    compose["services"].get(other).is_some(),
                    "`{other}` of {place}"
                );
            }
            for source in names(&service["volumes"])
                .iter()
                .filter_map(|volume| volume.split(':').next())
            {
                let known = shipped("docker").join(source).exists()
                    || compose["volumes"].get(source).is_some();
                assert!(known, "`{source}` of {place}");
            }
        }
    }
}

#[test]
fn only_the_balancer_is_reached_from_outside() {
    let Some(documents) = documents("compose", "docker/compose.replicas.yaml") else {
        return;
    };
    let compose = &documents[0];
    for (name, service) in at(compose, "/services").as_object().unwrap() {
        assert_eq!(service.get("ports").is_some(), name == "balancer", "{name}");
        let internal = |network: &String| compose["networks"][network]["internal"] == true;
        assert_eq!(
            names(&service["networks"]).iter().all(internal),
            name != "balancer",
            "{name}"
        );
    }
    // nothing shares a network with Redis or the service but the gateways
    for (network, members) in [("state", 3), ("back", 3)] {
        let on = |service: &&Value| names(&service["networks"]).contains(&network.to_owned());
        assert_eq!(
            at(compose, "/services")
                .as_object()
                .unwrap()
                .values()
                .filter(on)
                .count(),
            members
        );
    }
    let subnet = at(compose, "/networks/front/ipam/config/0/subnet")
        .as_str()
        .unwrap();
    let config = fs::read_to_string(shipped("docker/replicas/gateway.yaml")).unwrap();
    assert!(
        config.contains(&format!("trusted_proxies: [{subnet}]")),
        "the balancer is believed"
    );
}

/// A replica with the configuration that ships, and the addresses of the test.
fn replica(redis: &Redis, service: SocketAddr) -> Gateway {
    let secrets = tempfile::tempdir().unwrap();
    let (token, url, service) = (
        secrets.path().join("token"),
        redis.url(),
        service.to_string(),
    );
    let config = fs::read_to_string(shipped("docker/replicas/gateway.yaml")).unwrap();
    let config = replaced(
        &config,
        &[
            ("0.0.0.0:8080", "127.0.0.1:0"),
            ("127.0.0.1:9900", "127.0.0.1:0"),
            ("172.31.250.0/24", "127.0.0.1"),
            (
                "../users.yaml",
                shipped("docker/users.yaml").to_str().unwrap(),
            ),
            ("/run/secrets/gatelatch_token", token.to_str().unwrap()),
            ("redis://redis:6379", &url),
            ("service:9000", &service),
        ],
    );
    fs::write(&token, "0123456789abcdef0123456789ABCDEF\n").unwrap();
    gateway("").whole(&config).start()
}

/// HAProxy with the configuration that ships; it is killed when it is dropped.
struct Balancer {
    address: SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Balancer {
    /// `None` where the test is skipped.
    fn start(replicas: [&Gateway; 2]) -> Option<Self> {
        let (haproxy, folder) = (program("haproxy")?, tempfile::tempdir().unwrap());
        // a port that was free a moment ago: HAProxy takes none that it would have to tell
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let config = fs::read_to_string(shipped("docker/replicas/haproxy.cfg")).unwrap();
        let [bind, a, b] =
            [address, replicas[0].address, replicas[1].address].map(|address| address.to_string());
        let bind = format!("bind {bind}");
        let config = replaced(
            &config,
            &[
                ("bind :8080", &bind),
                ("gateway-a:8080", &a),
                ("gateway-b:8080", &b),
            ],
        );
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, config).unwrap();
        let process = Command::new(haproxy)
            .args(["-db", "-q", "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("the balancer listens", || {
            TcpStream::connect(address).is_ok()
        });
        Some(Self {
            address,
            process,
            _folder: folder,
        })
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn post(address: SocketAddr, path: &str, fields: &str, form: &str) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n{fields}",
        form.len()
    );
    send(
        address,
        format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"),
    )
}

fn jobs(address: SocketAddr, bearer: &str) -> u16 {
    send(
        address,
        format!(
            "GET /jobs HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 192.0.2.1\r\n{bearer}\r\n"
        ),
    )
    .status
}

#[test]
fn what_one_replica_does_counts_at_the_other() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let service = Upstream::saying("hello from the service");
    let (mut one, other) = (
        replica(&redis, service.address),
        replica(&redis, service.address),
    );
    let Some(balancer) = Balancer::start([&one, &other]) else {
        return;
    };

    let login = || {
        let tokens = post(
            balancer.address,
            "/auth/login",
            "",
            "username=alice&password=wonderland",
        )
        .json();
        format!(
            "Authorization: Bearer {}\r\n",
            tokens["access_token"].as_str().unwrap()
        )
    };
    let (alice, stays) = (login(), login());
    for address in [balancer.address, one.address, other.address] {
        assert_eq!((jobs(address, ""), jobs(address, &alice)), (401, 200));
    }
    let seen = service.received();
    assert_eq!(
        seen.first().unwrap().fields("x-real-ip"),
        ["127.0.0.1"],
        "who came to the balancer, not what it claims"
    );

    assert_eq!(post(one.address, "/auth/logout", &alice, "").status, 204);
    until("the other replica knows", || {
        jobs(other.address, &alice) == 401
    });
    assert_eq!(
        (jobs(one.address, &alice), jobs(balancer.address, &alice)),
        (401, 401)
    );

    // a replica that ends is missed by nobody
    one.signal("TERM");
    one.event("draining");
    for _ in 0..20 {
        assert_eq!(jobs(balancer.address, &stays), 200);
    }
    assert_eq!(one.ended().code(), Some(0));
    for _ in 0..20 {
        assert_eq!(jobs(balancer.address, &stays), 200);
    }
}

/// The files of the repository that the configuration of each compose file names.
#[test]
fn the_configurations_are_the_ones_that_are_mounted() {
    for (file, configuration) in FILES.into_iter().zip([
        "gateway.yaml",
        "replicas/gateway.yaml",
        "provider/gateway.yaml",
    ]) {
        let text = fs::read_to_string(shipped(file)).unwrap();
        assert!(text.contains("- .:/etc/gatelatch:ro"), "{file}");
        let path = shipped("docker").join(configuration);
        let users = fs::read_to_string(&path).unwrap();
        let users = users
            .lines()
            .find_map(|line| line.trim().strip_prefix("users_file: "))
            .unwrap()
            .to_owned();
        assert!(
            Path::new(&path).parent().unwrap().join(users).exists(),
            "{file}"
        );
    }
}

/// A name without a registry is whichever one an engine makes of it, or none.
#[test]
fn the_images_of_others_are_named_in_full() {
    let files = FILES
        .iter()
        .chain(&["docker/kubernetes/sidecar.yaml", "docker/Dockerfile"]);
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(shipped(file)).unwrap();
        let names = text.lines().filter_map(|line| {
            let line = line.trim();
            line.strip_prefix("image: ")
                .or_else(|| line.strip_prefix("FROM "))
        });
        for name in names.filter(|name| !name.starts_with("gatelatch") && *name != "scratch") {
            let registry = name.split('/').next().unwrap();
            assert!(registry.contains('.'), "`{name}` in {file}");
            assert!(name.contains(':'), "`{name}` in {file} has no version");
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} images were found");
}

/// What the gateway says of Dex is what Dex says of the gateway.
#[test]
fn the_provider_and_the_gateway_know_each_other() {
    let read = |name: &str| fs::read_to_string(shipped("docker/provider").join(name)).unwrap();
    let (gateway, dex) = (read("gateway.yaml"), read("dex.yaml"));
    let gateway: Value = serde_yaml::from_str(&gateway).unwrap();
    let dex: Value = serde_yaml::from_str(&dex).unwrap();
    let provider = &gateway["auth"]["providers"][0];
    let client = &dex["staticClients"][0];
    assert_eq!(provider["issuer"], dex["issuer"]);
    assert_eq!(provider["client_id"], client["id"]);
    let callback = format!(
        "http://localhost:8080/auth/callback/{}",
        provider["name"].as_str().unwrap()
    );
    assert_eq!(client["redirectURIs"][0], Value::from(callback));
    let folder = shipped("docker/provider");
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["check", "--config", "gateway.yaml"])
        .current_dir(folder)
        .env("GATELATCH_SECRET", "0123456789abcdef0123456789ABCDEF")
        .env("DEX_SECRET", "0123456789abcdef0123456789ABCDEF")
        .output()
        .unwrap();
    let said = String::from_utf8([check.stdout, check.stderr].concat()).unwrap();
    assert!(check.status.success(), "{said}");
}

/// The unit confines the gateway as the compose files do, and mounts a folder.
#[test]
fn the_quadlet_confines_as_compose_does() {
    let unit = fs::read_to_string(shipped("docker/quadlet/gatelatch.container")).unwrap();
    for line in [
        "ReadOnly=true",
        "DropCapability=all",
        "NoNewPrivileges=true",
        "Volume=%E/gatelatch:/etc/gatelatch:ro,Z",
        "Image=localhost/gatelatch:latest",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}
