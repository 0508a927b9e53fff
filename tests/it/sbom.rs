//! What a release says that it is made of.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{output, python};

#[test]
fn the_bill_of_materials_is_what_is_linked() {
    let Some(python) = python() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let (sbom, licences) = (
            folder.path().join(name),
            folder.path().join("THIRD-PARTY.md"),
        );
        let script = root.join("scripts/sbom.py");
        output(
            Command::new(&python)
                .arg(script)
                .arg("--sbom")
                .arg(&sbom)
                .arg("--licences")
                .arg(&licences),
        );
        (
            fs::read_to_string(&sbom).unwrap(),
            fs::read_to_string(&licences).unwrap(),
        )
    };
    let (sbom, licences) = write("first.json");
    assert_eq!(
        sbom,
        write("second.json").0,
        "the same source, the same bytes"
    );
    let verdict = output(
        Command::new(&python)
            .arg(root.join("tests/apps/sbom.py"))
            .arg(folder.path().join("first.json")),
    );
    assert_eq!(verdict.trim(), "valid");

    let sbom: Value = serde_json::from_str(&sbom).unwrap();
    let components = sbom["components"].as_array().unwrap();
    let find = |name: &str| {
        components
            .iter()
            .find(|component| component["name"] == name)
    };
    for linked in [
        "hyper",
        "rustls",
        "aws-lc-sys",
        "mimalloc",
        "swagger-ui-dist",
    ] {
        assert!(find(linked).is_some(), "`{linked}` is linked");
    }
    // its licence asks to say where its source is
    assert!(licences.contains("The source of ldap3_proto "));
    for elsewhere in ["gatelatch", "criterion", "proptest", "clap_derive", "cc"] {
        assert!(find(elsewhere).is_none(), "`{elsewhere}` is in no binary");
    }
    assert_eq!(find("hyper").unwrap()["hashes"][0]["alg"], "SHA-256");
    assert_eq!(sbom["metadata"]["component"]["name"], "gatelatch");
    for component in components {
        let name = component["name"].as_str().unwrap();
        assert!(component["licenses"].is_array(), "`{name}` has no licence");
        assert!(
            name == "swagger-ui-dist" || licences.contains(&format!("| {name} |")),
            "`{name}` is not listed"
        );
    }
}
