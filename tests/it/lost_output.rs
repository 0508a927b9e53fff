//! What commands do where what they write cannot be written.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::commands::{gatelatch, text};

const CONFIG: &str = r#"auth: { users_file: users.yaml, token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  jobs: { upstream: http://127.0.0.1:9, rules: [{ path: /jobs, allow: authenticated }] }
"#;

/// Commands that print a report and change nothing.
const REPORTS: [&[&str]; 16] = [
    &["check"],
    &["check", "--format", "json"],
    &["check", "--lints"],
    &["check", "--lints", "--format", "json"],
    &["explain", "GET", "/jobs"],
    &["explain", "-"],
    &["test"],
    &["test", "--format", "json"],
    &["user", "list"],
    &["routes"],
    &["diff", "gateway.yaml", "gateway.yaml"],
    &["schema"],
    &["man"],
    &["completions", "bash"],
    &["token", "issue", "--user", "carl"],
    &["key", "rotate", "--dry-run"],
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), CONFIG).unwrap();
    let users = "users: { carl: { roles: [a] } }\n";
    fs::write(folder.path().join("users.yaml"), users).unwrap();
    folder
}

/// Runs it with this standard output; a line is on standard input.
fn printing_to(folder: &Path, arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
    fs::write(folder.join("input"), "GET /jobs\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("GATELATCH_CONFIG")
        .stdin(File::open(folder.join("input")).unwrap())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn closed() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

/// Runs it where no file may grow beyond this many blocks of 512 bytes, as on a disk that is full.
fn on_a_full_disk(folder: &Path, blocks: u32, arguments: &[&str]) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    Command::new("/bin/sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_gatelatch")])
        .args(arguments)
        .current_dir(folder)
        .env_remove("GATELATCH_CONFIG")
        .output()
        .unwrap()
}

#[test]
fn a_report_that_nobody_reads_ends_without_a_word() {
    let folder = folder();
    for arguments in REPORTS {
        let output = printing_to(folder.path(), arguments, closed());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{arguments:?}: {said}");
        assert!(!said.contains("error"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_report_that_cannot_be_written_says_so() {
    let folder = folder();
    for arguments in REPORTS {
        let output = printing_to(folder.path(), arguments, full());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let expected = "error: cannot write to standard output: No space left on device";
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn a_secret_that_is_lost_can_be_made_again() {
    let folder = folder();
    let set_password = "`gatelatch user set-password bob --random` makes another password";
    let add_key = "take the key `full` out of `api_keys` of `carl` in users.yaml, and add another";
    for (arguments, remedy) in [
        (
            &["user", "add", "bob", "--random", "--cost", "4"][..],
            set_password,
        ),
        (
            &["user", "set-password", "bob", "--random", "--cost", "4"],
            set_password,
        ),
        (&["user", "add-key", "carl", "--name", "full"], add_key),
        (
            &["init", "new"],
            "`gatelatch user set-password admin --config new/gateway.yaml` gives the user `admin` another password",
        ),
    ] {
        let output = printing_to(folder.path(), arguments, full());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("error: cannot write to standard output: No space")
                && said.contains(remedy),
            "{arguments:?}: {said}"
        );
    }
    let arguments = ["user", "set-password", "bob", "--random", "--cost", "4"];
    let output = printing_to(folder.path(), &arguments, closed());
    assert_eq!(
        output.status.code(),
        Some(1),
        "a lost secret is no quiet end"
    );
    assert!(text(&output.stderr).contains(set_password));
}

#[test]
fn a_full_disk_leaves_nothing_in_the_way_of_the_next_try() {
    let folder = tempfile::tempdir().unwrap();
    // enough for the configuration, not for its schema
    let output = on_a_full_disk(folder.path(), 40, &["init"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: cannot write `./gateway.schema.json`; nothing stays written: "),
        "{said}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let generate = ["key", "generate", "--secret", "--out", "k"];
    let output = on_a_full_disk(folder.path(), 0, &generate);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    for arguments in [&["init"][..], &generate] {
        let output = gatelatch(folder.path(), arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}
