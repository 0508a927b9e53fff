//! The documents hold: every command in them is run, every YAML block is loaded, every link leads somewhere, and what is
//! generated is up to date. `UPDATE_EXPECT=1 cargo test --test docs` writes what is generated.
//!
//! How a block is read, by the words after its language:
//!
//! | block | what is done with it |
//! |---|---|
//! | `console` | each `$ ` line is run, in one shell a page; what stands below it is what must be printed, `...` stands for anything; `# exit code N` at the end of a command says what it ends with, 0 otherwise |
//! | `sh` | run as it stands, and must succeed |
//! | any with `file=NAME` | written to the page's folder before the commands that follow; `gateway*.yaml` and `users*.yaml` must load, or must not with the word `wrong` |
//! | `yaml` | top-level keys of gateway.yaml, or with `in=services.app` those of a place in it; must load |
//! | `yaml other` | the file of another program; must be YAML |
//! | any with `same-as=PATH` | is that file of the repository |
//! | `<!-- not run: REASON -->` before it | nothing; all of these are listed in `not_run.txt` |
//! | `<!-- wait until: COMMAND -->` before it | the command is tried until it succeeds, as a reader takes a while |
//!
//! The ports 8080, 9000, 9100 and 9900 are others here. A command that ends in `&` is waited for until it listens.
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test ends where something is missing"
)]

mod audit;
mod block;
mod commands;
mod configuration;
mod errors;
mod fragments;
mod links;
mod markdown;
mod pages;
#[path = "../it/support/programs.rs"]
#[allow(dead_code, reason = "a tool box of another test")]
mod programs;
mod proxies;
mod run;
mod script;
mod threats;

use std::path::Path;

/// The folder of the project.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Holds a generated file against what it should be, or writes it.
fn assert_generated(path: &str, expected: &str) {
    let file = repository().join(path);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return std::fs::write(file, expected).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == expected,
        "{path} is stale: UPDATE_EXPECT=1 cargo test --test docs"
    );
}
