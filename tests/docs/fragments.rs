//! YAML blocks that are part of a file, loaded by the real `gatelatch check`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::block::Block;
use super::pages::{Page, pages};
use super::{read, repository};

/// What signs tokens where a page has not come to that yet.
pub(crate) const SECRET: &str = "a-secret-of-these-tests-of-enough-bytes-and-more";

const SERVICE: &str = "upstream: http://127.0.0.1:9000\n";

/// A block of keys as a whole gateway.yaml.
fn whole(block: &Block) -> String {
    let has = |key: &str| block.text.lines().any(|line| line.starts_with(key));
    let Some(inside) = &block.inside else {
        let services = if has("services:") {
            ""
        } else {
            "services: { app: { upstream: \"http://127.0.0.1:9000\" } }\n"
        };
        return format!("{}{services}", block.text);
    };
    let mut text = String::new();
    let keys: Vec<&str> = inside.split('.').collect();
    for (depth, key) in keys.iter().enumerate() {
        text.push_str(&format!("{}{key}:\n", "  ".repeat(depth)));
        let needs_upstream =
            keys[0] == "services" && depth == 1 && keys.get(2) != Some(&"upstream");
        if needs_upstream && !(keys.len() == 2 && has("upstream:")) {
            text.push_str(&format!("    {SERVICE}"));
        }
    }
    for line in block.text.lines() {
        text.push_str(&format!("{}{line}\n", "  ".repeat(keys.len())));
    }
    if keys[0] != "services" {
        text.push_str(&format!(
            "services: {{ app: {{ {} }} }}\n",
            SERVICE.trim().replace("http", "\"http") + "\""
        ));
    }
    text
}

/// Files that fragments name.
fn stage(folder: &Path, page: &Page) {
    let copy = |from: &str, to: &str| fs::copy(repository().join(from), folder.join(to)).unwrap();
    copy("tests/keys/ed25519.pem", "token.pem");
    copy("tests/keys/ed25519.pub.pem", "old.pub.pem");
    copy("tests/keys/rsa.pub.pem", "partner.pub.pem");
    let made = rcgen::generate_simple_self_signed(["gateway.example.com".to_owned()]).unwrap();
    for name in ["tls.crt", "clients.crt", "ca.crt", "gateway.crt"] {
        fs::write(folder.join(name), made.cert.pem()).unwrap();
    }
    for name in ["tls.key", "gateway.key"] {
        fs::write(folder.join(name), made.signing_key.serialize_pem()).unwrap();
    }
    let users = page
        .blocks()
        .into_iter()
        .find(|block| block.file.as_deref() == Some("users.yaml"));
    fs::write(
        folder.join("users.yaml"),
        users.map_or_else(|| "users: {}\n".to_owned(), |block| block.text),
    )
    .unwrap();
}

/// The variables that a text names and gives no default.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .filter(|name| !name.contains(':'))
}

fn is_fragment(block: &Block) -> bool {
    let elsewhere =
        block.file.is_some() || block.same_as.is_some() || block.other || block.not_run.is_some();
    block.language == "yaml" && !elsewhere
}

#[test]
fn every_yaml_block_loads() {
    let mut count = 0;
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        stage(folder.path(), &page);
        for block in page.blocks().iter().filter(|block| is_fragment(block)) {
            count += 1;
            let name = if block.text.starts_with("users:") {
                "users.yaml"
            } else {
                "gateway.yaml"
            };
            if name == "users.yaml" {
                fs::write(
                    folder.path().join("gateway.yaml"),
                    "services: { app: { upstream: \"http://127.0.0.1:9000\" } }\n",
                )
                .unwrap();
            }
            let text = if name == "users.yaml" {
                block.text.clone()
            } else {
                whole(block)
            };
            fs::write(folder.path().join(name), &text).unwrap();
            let mut check = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
            check
                .arg("check")
                .current_dir(folder.path())
                .env_remove("GATELATCH_CONFIG");
            check.envs(variables(&text).map(|name| (name, SECRET)));
            let output = check.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.success(),
                !block.wrong,
                "{}: {said}\nof\n{text}",
                block.place
            );
        }
    }
    assert!(count >= 10, "only {count} fragments were found");
}

#[test]
fn what_is_shown_of_other_files_is_what_they_are() {
    for page in pages() {
        let mut text = page.text.clone();
        for block in page.blocks() {
            if block.other && block.same_as.is_none() {
                let parsed = text_as_yaml(&block.text);
                assert!(parsed.is_ok(), "{}: {parsed:?}", block.place);
            }
            if block.language == "json" && block.not_run.is_none() {
                let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
                assert!(parsed.is_ok(), "{}: {parsed:?}", block.place);
            }
            let Some(path) = &block.same_as else { continue };
            let file = read(path);
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                text = text.replacen(
                    &format!("same-as={path}\n{}```\n", block.text),
                    &format!("same-as={path}\n{file}```\n"),
                    1,
                );
            } else {
                assert!(
                    block.text == file,
                    "{}: {path} is another: UPDATE_EXPECT=1 cargo test --test docs",
                    block.place
                );
            }
        }
        if text != page.text {
            fs::write(repository().join(&page.path), text).unwrap();
        }
    }
}

/// Of one or several documents.
fn text_as_yaml(text: &str) -> Result<(), serde_yaml::Error> {
    use serde::Deserialize as _;
    serde_yaml::Deserializer::from_str(text)
        .try_for_each(|document| serde_yaml::Value::deserialize(document).map(|_| ()))
}
