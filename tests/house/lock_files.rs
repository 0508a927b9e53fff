//! The lock file of the fuzz targets beside that of the gateway.

use std::fs;
use std::path::Path;

/// A package of a lock file.
struct Package {
    name: String,
    version: String,
    /// By name.
    needs: Vec<String>,
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn locked(file: &str) -> Vec<Package> {
    let package = |text: &str| {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap().trim_matches([' ', '=', '"']).to_owned()
        };
        let needed = text.lines().filter_map(|line| line.strip_prefix(" \""));
        let name = |line: &str| line.split([' ', '"']).next().map(str::to_owned);
        Package {
            name: value("name"),
            version: value("version"),
            needs: needed.filter_map(name).collect(),
        }
    };
    let text = read(file);
    text.split("[[package]]").skip(1).map(package).collect()
}

/// The packages of `[dependencies]`.
fn dependencies() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, _) = after.split_once("\n[").unwrap();
    let named = |line: &str| {
        let (name, rest) = line.split_once(" =")?;
        let renamed = rest.split_once("package = \"");
        let renamed = renamed.and_then(|(_, rest)| rest.split_once('"'));
        Some(renamed.map_or(name, |(package, _)| package).to_owned())
    };
    let lines = dependencies.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(named).collect()
}

/// `scripts/fuzz.sh` builds with `--locked`. Whoever changes a dependency has `cargo metadata --manifest-path fuzz/Cargo.toml`
/// write the second lock file anew.
#[test]
fn the_fuzz_targets_are_locked_with_what_the_gateway_needs() {
    let (shipped, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let gateway = fuzzed.iter().find(|package| package.name == "gatelatch");
    let needs = &gateway.unwrap().needs;
    let dependencies = dependencies();
    assert!(dependencies.len() > 30, "{dependencies:?}");
    for name in dependencies {
        assert!(
            needs.contains(&name),
            "`{name}` is not locked for the fuzz targets"
        );
        let versions = |packages: &[Package]| -> Vec<String> {
            let same = packages.iter().filter(|package| package.name == name);
            same.map(|package| package.version.clone()).collect()
        };
        assert_eq!(versions(&fuzzed), versions(&shipped), "{name}");
    }
}
