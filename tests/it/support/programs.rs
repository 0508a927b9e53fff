//! Programs that are not ours.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// The Python that `scripts/test.sh` has prepared; `None` where the test is skipped, which is an error where all tests
/// are asked for.
pub fn python() -> Option<PathBuf> {
    found(
        "a Python with FastAPI (`GATELATCH_TEST_PYTHON`)",
        std::env::var_os("GATELATCH_TEST_PYTHON").map(PathBuf::from),
    )
}

/// A program on the path.
pub fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found(&format!("`{name}`"), path)
}

/// Whether the tests may do what only root can: users, namespaces and mounts of their own. `None` where the test is
/// skipped; nobody is made to run everything as root.
pub fn superuser() -> Option<()> {
    let root = rustix::process::geteuid().is_root();
    if !root {
        let _ = writeln!(std::io::stderr(), "skipped: only root can run this test");
    }
    root.then_some(())
}

fn found(what: &str, path: Option<PathBuf>) -> Option<PathBuf> {
    if path.is_none() {
        assert!(
            std::env::var_os("GATELATCH_TEST_ALL").is_none(),
            "{what} is missing; run ./scripts/test.sh"
        );
        // not `eprintln!`, which the test harness keeps to itself
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {what} is missing; ./scripts/test.sh installs it"
        );
    }
    path
}

/// What a program prints on stdout; it must succeed.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
