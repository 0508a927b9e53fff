//! The source is as ARCHITECTURE.md says: imports point down, files of a folder import in one direction and stay small.
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test ends where something is missing"
)]

mod circles;
mod lock_files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the ground up. An import points to a lower floor, or stays inside its own folder.
const FLOORS: [&[&str]; 10] = [
    &["text"],
    &["access", "ambient", "net", "factors"],
    &[
        "wire",
        "token",
        "users",
        "telemetry",
        "pages",
        "rates",
        "webauthn",
    ],
    &["upstream", "session", "analysis", "jwks", "ldap"],
    &["oidc"],
    &["config", "identify"],
    &["portal"],
    &["gateway", "admin"],
    &["server"],
    &["cli"],
];

fn floor_of(part: &str) -> Option<usize> {
    FLOORS.iter().position(|parts| parts.contains(&part))
}

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found
}

/// The part of the house a file belongs to; `None` for the files that only name parts. `authz` joins two.
fn part_of(path: &Path) -> Option<String> {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let mut names = inside.iter().map(|name| name.to_str().unwrap());
    let part = names.find(|name| *name != "authz")?;
    (!part.ends_with(".rs")).then(|| part.to_owned())
}

/// Every part that a file names with `crate::`, in imports and paths alike.
fn named_parts(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("crate::authz::", "crate::");
    let single = code.match_indices("crate::").flat_map(|(at, found)| {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => vec![word(rest)],
            // `use crate::{upstream, wire::Peer};`
            Some(group) => group
                .split('}')
                .next()
                .unwrap()
                .split(',')
                .map(|entry| word(entry.trim()))
                .collect(),
        }
    });
    single.filter(|part| !part.is_empty()).collect()
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_ascii_lowercase() || *c == '_')
        .collect()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(part) = part_of(&path) else { continue };
        let floor = floor_of(&part).unwrap_or_else(|| panic!("`{part}` stands on no floor"));
        for named in named_parts(&text).iter().filter(|named| **named != part) {
            if floor_of(named).is_some_and(|below| below >= floor) {
                wrong.push(format!("{}: `{part}` names `{named}`", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that do not point down:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_import_reader_reads_imports() {
    let text = "use crate::{upstream, wire::Peer};\n// crate::comment\nfn f() { crate::token::x(); }\nuse crate::Big;\nuse crate::authz::access::Caller;";
    assert_eq!(named_parts(text), ["upstream", "wire", "token", "access"]);
}

#[test]
fn the_decision_core_knows_nothing_else() {
    for (path, text) in sources()
        .iter()
        .filter(|(path, _)| part_of(path).as_deref() == Some("access"))
    {
        for foreign in [
            "tokio",
            "hyper",
            "tracing",
            "serde",
            "std::time",
            "std::fs",
            "std::net::Tcp",
            "std::env",
        ] {
            assert!(
                !text.contains(&format!("{foreign}::")),
                "{} names `{foreign}`",
                path.display()
            );
        }
    }
}

/// What is computed about policies depends on its arguments alone.
#[test]
fn the_analysis_has_no_io_and_no_clock() {
    let room = sources()
        .into_iter()
        .filter(|(path, _)| part_of(path).as_deref() == Some("analysis"));
    let mut files = 0;
    for (path, text) in room {
        files += 1;
        for foreign in [
            "tokio::",
            "hyper::",
            "tracing::",
            "std::fs",
            "std::io",
            "std::time",
            "std::net::Tcp",
            "std::env",
            "std::process",
            "std::thread",
            "ambient::",
        ] {
            assert!(
                !text.contains(foreign),
                "{} names `{foreign}`",
                path.display()
            );
        }
    }
    assert!(files > 0, "this test has found nothing to look at");
}

/// The makers of the other seals are private, or visible in `authz` only: the compiler keeps them.
#[test]
fn requests_to_upstreams_are_made_where_the_permit_is() {
    let makers = [
        ("Outbound::prepare(", "gateway/judge.rs"),
        ("Outbound::again(", "upstream/http"),
    ];
    for (path, text) in sources() {
        for (maker, place) in makers {
            assert!(
                path.to_str().unwrap().contains(&format!("src/{place}")) || !text.contains(maker),
                "{} makes a seal with `{maker}`",
                path.display()
            );
        }
    }
}

/// jsonwebtoken can do without AWS-LC, by crates whose `rsa` leaks its timing (RUSTSEC-2023-0071). Where any dependency
/// turns that on, the lock file says that it needs them, and jsonwebtoken no longer chooses a provider by itself. What verifies
/// passkeys uses them too, for public keys: it alone.
#[test]
fn no_second_cryptography_signs_tokens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock = fs::read_to_string(root.join(lock)).unwrap();
        let packages: Vec<_> = lock.split("\n[[package]]\n").collect();
        let named = |name: &str| format!("name = \"{name}\"\n");
        let of = |name: &str| {
            let is_named = |package: &&&str| package.contains(&named(name));
            packages.iter().filter(is_named).count()
        };
        for crate_name in ["rsa", "ed25519-dalek", "p256", "p384"] {
            for package in &packages {
                let needs = package.contains(&format!("\n \"{crate_name}\",\n"));
                let may = package.contains(&named("crypto-glue"));
                assert!(!needs || may, "`{crate_name}` is needed by {package}");
            }
        }
        assert_eq!(of("jsonwebtoken"), 1, "one jsonwebtoken, one provider");
    }
    let denied = fs::read_to_string(root.join("deny.toml")).unwrap();
    assert!(denied.contains(r#"crate = "rsa""#));
}

#[test]
fn only_the_command_line_uses_anyhow() {
    for (path, text) in sources() {
        let cli = part_of(&path).as_deref() == Some("cli");
        assert!(
            cli || !text.contains("anyhow::"),
            "{} uses anyhow",
            path.display()
        );
    }
}

/// One dialer: whoever resolves, trusts or connects by other means will disagree with it one day.
#[test]
fn only_net_opens_connections_to_others() {
    for (path, text) in sources() {
        if part_of(&path).as_deref() == Some("net") {
            continue;
        }
        for means in [
            "hickory_resolver",
            "rustls_native_certs",
            "webpki_roots",
            "ClientConfig::builder",
            "TlsConnector",
            "TcpSocket::new",
            "http1::handshake",
        ] {
            let dials = text.split("#[cfg(test)]").next().unwrap().contains(means);
            // the connections of requests are pooled, and hyper's client is spoken over them
            let pooled =
                means == "http1::handshake" && part_of(&path).as_deref() == Some("upstream");
            assert!(
                !dials || pooled || path.ends_with("tests.rs"),
                "{} uses `{means}`",
                path.display()
            );
        }
    }
}

#[test]
fn files_stay_small() {
    let long = sources()
        .into_iter()
        .filter(|(path, text)| !path.ends_with("tests.rs") && text.lines().count() > 480);
    let long: Vec<_> = long
        .map(|(path, text)| format!("{} ({})", path.display(), text.lines().count()))
        .collect();
    assert!(
        long.is_empty(),
        "files over 480 lines are two rooms: {long:?}"
    );
}

#[test]
fn the_top_level_is_as_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in [
        "Cargo.toml",
        "src",
        "config",
        "config/systemd",
        "docker",
        "docker/kubernetes",
        "tests",
        "gateway.example.yaml",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "BENCHMARKS.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
        "deny.toml",
        "benches",
        "scripts",
        ".github/workflows/ci.yml",
    ] {
        assert!(root.join(entry).exists(), "`{entry}` is missing");
    }
}

/// What others have made is embedded with its licence, and the bill of materials names it.
#[test]
fn embedded_assets_have_their_licence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = ["dashboard", "docs", "pages"];
    let sbom = fs::read_to_string(root.join("scripts/sbom.py")).unwrap();
    let mut others = 0;
    for folder in fs::read_dir(root.join("assets")).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        if ours.contains(&name.as_str()) {
            continue;
        }
        others += 1;
        for file in ["LICENSE", "README.md"] {
            assert!(
                folder.path().join(file).exists(),
                "`assets/{name}` is of others, and has no `{file}`"
            );
        }
        assert!(
            sbom.contains(&format!("{name:?}: (")),
            "`scripts/sbom.py` does not know `assets/{name}`"
        );
    }
    assert!(others > 0, "this test has found nothing to look at");
}
