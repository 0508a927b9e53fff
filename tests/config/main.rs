//! The configuration from the outside: what loads, and what is said about what does not.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "what cannot be set up fails the test"
)]

mod blocks;
mod broken;
mod good;
mod keys;
#[path = "../it/support/programs.rs"]
#[allow(dead_code, unreachable_pub, reason = "a tool box of another test")]
mod programs;
mod random;
mod schema;
mod secrets;

use std::collections::BTreeMap;
use std::path::Path;

use gatelatch::config::{LoadRequest, Loaded, Problem, Problems, Style, load, render};
use tempfile::TempDir;

/// What `${SECRET}` stands for.
const SECRET: &str = "an-environment-secret-of-enough-bytes";

/// A directory of configuration files.
struct Case {
    directory: TempDir,
    environment: BTreeMap<String, String>,
}

impl Case {
    fn new() -> Self {
        let environment = BTreeMap::from([("SECRET".to_owned(), SECRET.to_owned())]);
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment,
        }
    }

    /// A case with these two files.
    fn of(gateway: &str, users: &str) -> Self {
        Self::new()
            .file("gateway.yaml", gateway)
            .file("users.yaml", users)
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        self.load_by(load)
    }

    fn load_by(
        &self,
        load: fn(&LoadRequest) -> Result<Loaded, Problems>,
    ) -> Result<Loaded, Problems> {
        load(&LoadRequest {
            path: self.directory.path().join("gateway.yaml"),
            environment: self.environment.clone(),
            fallback_secret: b"a fallback secret of more than 32 bytes".to_vec().into(),
            cores: 4,
        })
    }

    /// What an operator sees, with the directory's name taken out.
    fn rendered(&self, problems: &[Problem]) -> String {
        self.without_directory(&render(problems, Style::Plain))
    }

    fn without_directory(&self, text: &str) -> String {
        let directory = format!("{}/", self.directory.path().display());
        text.replace(&directory, "")
    }
}

/// The files of the repository, which the documentation shows.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
