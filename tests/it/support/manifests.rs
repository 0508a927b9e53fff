//! The manifests that ship, as those read them that they are for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::programs::python;

/// A file of the repository.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Asks a reader of this kind, `compose` or `kubernetes`, about files; `None` where the test is skipped.
pub fn validate(kind: &str, files: &[&Path]) -> Option<Output> {
    let script = shipped("tests/apps/validate_manifests.py");
    Some(
        Command::new(python()?)
            .arg(script)
            .arg(kind)
            .args(files)
            .output()
            .unwrap(),
    )
}

/// The documents of a file that ships and is valid. It is read once for all tests: the schemas of Kubernetes take seconds
/// to load.
pub fn documents(kind: &str, file: &str) -> Option<Vec<Value>> {
    static READ: Mutex<BTreeMap<String, Vec<Value>>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(documents) = read.get(file) {
        return Some(documents.clone());
    }
    let documents = validated(kind, file)?;
    read.insert(file.to_owned(), documents.clone());
    Some(documents)
}

fn validated(kind: &str, file: &str) -> Option<Vec<Value>> {
    let output = validate(kind, &[&shipped(file)])?;
    assert!(
        output.status.success(),
        "{file}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

/// The value at a JSON pointer, which must be there.
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("`{pointer}` is missing in {value:#}"))
}

/// A text with replacements, each of which must have something to replace.
pub fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in {text}");
        text.replace(from, to)
    })
}
