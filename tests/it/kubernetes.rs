//! The manifests of docker/kubernetes: valid, whole, confined, and their configuration runs.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::manifests::{at, documents, replaced, shipped, validate};
use crate::support::{Gateway, Redis, Upstream, gateway, output, send};

const FILES: [&str; 2] = [
    "docker/kubernetes/gateway.yaml",
    "docker/kubernetes/sidecar.yaml",
];

/// The documents of a file; `None` where the test is skipped.
fn manifest(file: &str) -> Option<Vec<Value>> {
    documents("kubernetes", file)
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents
        .iter()
        .filter(|document| document["kind"] == kind)
        .collect()
}

fn deployment(documents: &[Value]) -> &Value {
    of_kind(documents, "Deployment")[0]
}

fn containers(documents: &[Value]) -> &[Value] {
    at(deployment(documents), "/spec/template/spec/containers")
        .as_array()
        .unwrap()
}

/// The gateway's container.
fn gateway_container(documents: &[Value]) -> &Value {
    containers(documents)
        .iter()
        .find(|container| container["name"] == "gatelatch")
        .unwrap()
}

fn configuration(documents: &[Value]) -> &str {
    at(of_kind(documents, "ConfigMap")[0], "/data/gateway.yaml")
        .as_str()
        .unwrap()
}

#[test]
fn the_schemas_of_kubernetes_accept_them_and_nothing_misspelt() {
    for file in FILES {
        if manifest(file).is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let misspelt = folder.path().join("misspelt.yaml");
        let text = fs::read_to_string(shipped(file)).unwrap();
        fs::write(
            &misspelt,
            replaced(
                &text,
                &[("readOnlyRootFilesystem", "readOnlyRootFileSystem")],
            ),
        )
        .unwrap();
        let refused = validate("kubernetes", &[&misspelt]).unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains("readOnlyRootFileSystem"),
            "{said}"
        );
    }
}

/// The names that an array's entries have.
fn names(value: &Value, pointer: &str) -> Vec<String> {
    let entries = value
        .pointer(pointer)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_they_refer_to_is_there() {
    for file in FILES {
        let Some(documents) = manifest(file) else {
            return;
        };
        let labels = at(deployment(&documents), "/spec/template/metadata/labels");
        assert_eq!(
            at(deployment(&documents), "/spec/selector/matchLabels"),
            labels
        );
        let container = gateway_container(&documents);
        let ports = names(container, "/ports");
        for service in of_kind(&documents, "Service") {
            assert_eq!(at(service, "/spec/selector"), labels);
            assert!(
                ports.contains(
                    &at(service, "/spec/ports/0/targetPort")
                        .as_str()
                        .unwrap()
                        .to_owned()
                )
            );
        }
        for budget in of_kind(&documents, "PodDisruptionBudget") {
            assert_eq!(at(budget, "/spec/selector/matchLabels"), labels);
            let least = at(budget, "/spec/minAvailable").as_u64();
            assert!(
                least < at(deployment(&documents), "/spec/replicas").as_u64(),
                "no node could be drained"
            );
        }
        let own: Vec<_> = of_kind(&documents, "NetworkPolicy")
            .into_iter()
            .filter(|policy| at(policy, "/spec/podSelector/matchLabels") == labels)
            .collect();
        for rule in own
            .iter()
            .flat_map(|policy| at(policy, "/spec/ingress").as_array().unwrap())
        {
            assert!(
                ports.contains(&at(rule, "/ports/0/port").as_str().unwrap().to_owned()),
                "{rule}"
            );
        }
        let volumes = names(deployment(&documents), "/spec/template/spec/volumes");
        let mounts = names(container, "/volumeMounts");
        assert!(
            mounts.iter().all(|mount| volumes.contains(mount)),
            "{mounts:?}"
        );
        // the secrets are made by the commands at the head of the file
        let text = fs::read_to_string(shipped(file)).unwrap();
        let (head, _) = text.split_once("\n\n").unwrap();
        for (kind, name, key) in sources(&documents) {
            if kind == "configMap" {
                assert!(of_kind(&documents, "ConfigMap").iter().any(|map| {
                    map["metadata"]["name"] == name.as_str() && map["data"].get(&key).is_some()
                }));
            } else {
                let made = head.contains(&format!("create secret generic {name} "));
                let holds = [
                    format!("--from-literal={key}="),
                    format!("--from-file={key}"),
                ];
                assert!(
                    made && holds.iter().any(|option| head.contains(option)),
                    "{name}/{key} in {head}"
                );
            }
        }
    }
}

/// Kind, name and key of all that the gateway's container reads.
fn sources(documents: &[Value]) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let projected = at(
        deployment(documents),
        "/spec/template/spec/volumes/0/projected/sources",
    );
    for (kind, source) in projected
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|source| source.as_object().unwrap())
    {
        for item in at(source, "/items").as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            found.push((kind.clone(), text(&source["name"]), text(&item["key"])));
        }
    }
    for variable in gateway_container(documents)["env"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let reference = at(variable, "/valueFrom/secretKeyRef");
        let text = |key: &str| reference[key].as_str().unwrap().to_owned();
        found.push(("secret".to_owned(), text("name"), text("key")));
    }
    found
}

#[test]
fn every_container_is_confined() {
    for file in FILES {
        let Some(documents) = manifest(file) else {
            return;
        };
        let pod = at(deployment(&documents), "/spec/template/spec");
        let context = at(pod, "/securityContext");
        for (key, value) in [
            ("runAsNonRoot", json!(true)),
            ("runAsUser", json!(65532)),
            ("seccompProfile", json!({ "type": "RuntimeDefault" })),
        ] {
            assert_eq!(context[key], value, "{key} in {file}");
        }
        assert_eq!(pod["automountServiceAccountToken"], false);
        for container in containers(&documents) {
            let expected = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            });
            assert_eq!(
                container["securityContext"], expected,
                "{}",
                container["name"]
            );
            at(container, "/resources/requests/memory");
            at(container, "/resources/limits/memory");
        }
    }
}

#[test]
fn pods_are_given_the_time_that_the_gateway_takes_to_end() {
    for file in FILES {
        let Some(documents) = manifest(file) else {
            return;
        };
        let configuration = configuration(&documents);
        let seconds = |key: &str| {
            let text = configuration.split_once(&format!("{key}: ")).unwrap().1;
            let text: String = text
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            humantime::parse_duration(&text).unwrap().as_secs()
        };
        let takes = seconds("drain_delay") + seconds("drain");
        let given = at(
            deployment(&documents),
            "/spec/template/spec/terminationGracePeriodSeconds",
        )
        .as_u64()
        .unwrap();
        assert!(given > takes, "{file}: {given} s for {takes} s");
        for container in containers(&documents) {
            if let Some(sleep) = container.pointer("/lifecycle/preStop/sleep/seconds") {
                assert!(
                    (takes..given).contains(&sleep.as_u64().unwrap()),
                    "the service ends after the gateway, in time"
                );
            }
        }
    }
}

/// Lays out what the pod mounts. The user list is that of the compose files.
fn mount(folder: &Path, configuration: &str) {
    fs::write(folder.join("gateway.yaml"), configuration).unwrap();
    fs::copy(shipped("docker/users.yaml"), folder.join("users.yaml")).unwrap();
    fs::write(folder.join("token"), "0123456789abcdef0123456789ABCDEF\n").unwrap();
}

#[test]
fn the_configuration_of_the_config_maps_is_valid() {
    for file in FILES {
        let Some(documents) = manifest(file) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        mount(folder.path(), configuration(&documents));
        // in a pod nobody else is on the machine
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(folder.path().join("users.yaml"), private).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(["check", "--config", "gateway.yaml"])
            .current_dir(folder.path())
            .env(
                "GATELATCH_REDIS_URL",
                "rediss://gatelatch:PASSWORD@redis.example.com:6379",
            )
            .output()
            .unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{file}: {stderr}");
        assert!(
            stdout.contains("1 service, 3 rules, 2 users"),
            "{file}: {stdout}"
        );
        assert_eq!(stderr, "", "{file} has warnings");
    }
}

/// What a pod may have fits what its gateway lets in: a number of connections, where there is one, in 96 KiB each beside
/// 32 MiB for the gateway itself. Without a number the gateway goes by the limit.
#[test]
fn the_memory_of_the_pods_is_enough_for_their_connections() {
    for file in FILES {
        let Some(documents) = manifest(file) else {
            return;
        };
        let memory = at(gateway_container(&documents), "/resources/limits/memory");
        let memory = memory.as_str().unwrap().strip_suffix("Mi").unwrap();
        let memory: usize = memory.parse().unwrap();
        let configuration: Value = serde_yaml::from_str(configuration(&documents)).unwrap();
        let connections = &configuration["server"]["limits"]["connections"];
        let fit = (memory - 32) * 1024 / 96;
        assert!(
            connections.is_null()
                || connections == "auto"
                || connections.as_u64().unwrap() as usize <= fit,
            "{file}: {connections} connections in {memory} MiB"
        );
    }
}

/// Asks as kubelet does.
fn probe(container: &Value, kind: &str, gateway: &Gateway) {
    let probe = at(container, &format!("/{kind}"));
    if let Some(request) = probe.get("httpGet") {
        assert_eq!(request["port"], "admin");
        assert_eq!(
            gateway.probe(request["path"].as_str().unwrap()).status,
            200,
            "{kind}"
        );
    } else if let Some(command) = probe.get("exec") {
        let words: Vec<&str> = at(command, "/command")
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(
            (words[0], words.last()),
            ("/gatelatch", Some(&"127.0.0.1:9900"))
        );
        let mut asked = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
        asked
            .args(&words[1..words.len() - 1])
            .arg(gateway.admin.to_string());
        assert_eq!(output(&mut asked), "ready\n", "{kind}");
    } else {
        assert_eq!(at(probe, "/tcpSocket/port"), "http");
        TcpStream::connect_timeout(&gateway.address, Duration::from_secs(20)).unwrap();
    }
}

/// Both pods, with the addresses of the test: the gateway starts, its probes are green, and its rules hold.
#[test]
fn the_pods_start_and_their_probes_are_green() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hello from the service");
    let (address, url) = (upstream.address.to_string(), redis.url());
    let places: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::from([
        (
            FILES[0],
            vec![
                ("0.0.0.0:9900", "127.0.0.1:0"),
                ("jobs:9000", address.as_str()),
            ],
        ),
        (
            FILES[1],
            vec![
                ("127.0.0.1:9900", "127.0.0.1:0"),
                ("127.0.0.1:9000", address.as_str()),
            ],
        ),
    ]);
    for (file, places) in places {
        let Some(documents) = manifest(file) else {
            return;
        };
        let text = replaced(configuration(&documents), &places);
        let text = replaced(&text, &[("0.0.0.0:8080", "127.0.0.1:0")]);
        let text = text.replace("path: /healthz", "path: /");
        let builder = gateway("")
            .whole(&text)
            .variable("GATELATCH_REDIS_URL", &url);
        let gateway = builder.prepare(move |folder| mount(folder, &text)).start();
        let container = gateway_container(&documents);
        for kind in ["startupProbe", "readinessProbe", "livenessProbe"] {
            probe(container, kind, &gateway);
        }
        let login = "username=alice&password=wonderland";
        let head = "POST /auth/login HTTP/1.1\r\nHost: jobs.example.com\r\nContent-Length: 34\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\n";
        let tokens = send(gateway.address, format!("{head}{login}")).json();
        let ask = |fields: &str| {
            send(
                gateway.address,
                format!("GET /jobs HTTP/1.1\r\nHost: jobs.example.com\r\n{fields}\r\n"),
            )
            .status
        };
        let bearer = format!(
            "Authorization: Bearer {}\r\n",
            tokens["access_token"].as_str().unwrap()
        );
        assert_eq!((ask(""), ask(&bearer)), (401, 200), "{file}");
    }
}

/// The Service of a manifest for a mesh selects the gateway's pods and leads to their port; `None` where it is not there.
fn ports_of_gateway(documents: &[Value]) -> Option<Vec<Value>> {
    let service = of_kind(documents, "Service").into_iter().next()?;
    assert_eq!(at(service, "/metadata/name"), "gatelatch");
    assert_eq!(
        at(service, "/spec/selector"),
        &json!({ "app.kubernetes.io/name": "gatelatch" })
    );
    let ports = at(service, "/spec/ports").as_array().unwrap().clone();
    assert!(ports.iter().all(|port| port["targetPort"] == "http"));
    Some(ports)
}

/// What asks leads to the gateway, lets nobody in while that is away, and leaves the gateway's own endpoints alone.
#[test]
fn the_manifests_for_meshes_ask_the_gateway() {
    let file = |name: &str| documents("mesh", &format!("config/forward-auth/{name}.yaml"));
    let (Some(istio), Some(contour), Some(route)) =
        (file("istio"), file("contour"), file("gateway-api"))
    else {
        return;
    };
    let shipped = manifest("docker/kubernetes/gateway.yaml").unwrap();
    let named_http = names(gateway_container(&shipped), "/ports");
    assert!(named_http.contains(&"http".to_owned()));

    let mesh = of_kind(&istio, "IstioOperator")[0];
    let provider = at(mesh, "/spec/meshConfig/extensionProviders/0");
    let asked = at(provider, "/envoyExtAuthzGrpc");
    assert_eq!(asked["service"], "gatelatch.default.svc.cluster.local");
    assert_eq!(asked["failOpen"], false);
    let ports = ports_of_gateway(&istio).unwrap();
    let port = ports
        .iter()
        .find(|port| port["port"] == asked["port"])
        .unwrap();
    assert!(port["name"].as_str().unwrap().starts_with("grpc"), "{port}");
    let policies = of_kind(&istio, "AuthorizationPolicy");
    let custom = policies
        .iter()
        .find(|policy| policy["spec"]["action"] == "CUSTOM")
        .unwrap();
    assert_eq!(at(custom, "/spec/provider/name"), &provider["name"]);
    assert_eq!(
        at(custom, "/spec/rules/0/to/0/operation"),
        &json!({ "notPaths": ["/auth/*"] })
    );

    let extension = of_kind(&contour, "ExtensionService")[0];
    assert_eq!(at(extension, "/spec/protocol"), "h2c");
    let service = at(extension, "/spec/services/0");
    assert_eq!(service["name"], "gatelatch");
    let shipped_ports = at(of_kind(&shipped, "Service")[0], "/spec/ports")
        .as_array()
        .unwrap();
    assert!(
        shipped_ports
            .iter()
            .any(|port| port["port"] == service["port"])
    );
    let asks = at(
        of_kind(&contour, "HTTPProxy")[0],
        "/spec/virtualhost/authorization",
    );
    assert_eq!(
        (&asks["extensionRef"]["name"], &asks["failOpen"]),
        (&json!("gatelatch"), &json!(false))
    );

    let ports = ports_of_gateway(&route).unwrap();
    let rules = at(of_kind(&route, "HTTPRoute")[0], "/spec/rules")
        .as_array()
        .unwrap();
    let asking: Vec<_> = rules
        .iter()
        .filter(|rule| !rule["filters"].is_null())
        .collect();
    assert_eq!((rules.len(), asking.len()), (3, 1));
    let filter = at(asking[0], "/filters/0/externalAuth");
    assert_eq!(
        (&filter["protocol"], &filter["backendRef"]["name"]),
        (&json!("GRPC"), &json!("gatelatch"))
    );
    let port = ports
        .iter()
        .find(|port| port["port"] == filter["backendRef"]["port"])
        .unwrap();
    assert_eq!(port["appProtocol"], "kubernetes.io/h2c");
}
