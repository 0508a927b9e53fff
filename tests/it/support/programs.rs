//! Programs that are not ours, and the record of what is skipped without them.
//!
//! Three variables say how much is tested; `scripts/test.sh` sets them:
//! - `GATELATCH_TEST_FAST`: no test starts another program, whether it is installed or not.
//! - `GATELATCH_TEST_ALL`: a missing program fails the test, which skips it otherwise.
//! - `GATELATCH_TEST_SKIPPED`: a file that gets a line for everything that is skipped: binary, test and reason, with tabs in
//!   between. The test harness keeps to itself what a test that passes prints.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// The Python that `scripts/test.sh` has prepared; `None` where the test is skipped.
pub fn python() -> Option<PathBuf> {
    wanted("a Python with FastAPI (`GATELATCH_TEST_PYTHON`)", || {
        std::env::var_os("GATELATCH_TEST_PYTHON").map(PathBuf::from)
    })
}

/// The folder with npm's `oidc-provider` and `openid-client`, and the Node that runs them, which `scripts/test.sh` has prepared; `None` where the
/// test is skipped.
pub fn openid_packages() -> Option<PathBuf> {
    wanted("npm's `oidc-provider` (`GATELATCH_TEST_NODE`)", || {
        std::env::var_os("GATELATCH_TEST_NODE").map(PathBuf::from)
    })
}

/// The Node that runs these packages; `None` where the test is skipped.
pub fn node() -> Option<PathBuf> {
    let own = openid_packages()?.join("node_modules/.bin/node");
    Some(if own.exists() { own } else { "node".into() })
}

/// The gateway as it is released but for the linking, which `scripts/test.sh` has built; `None` where the test is skipped.
pub fn optimised_gateway() -> Option<PathBuf> {
    let path = std::env::var_os("GATELATCH_TEST_OPTIMISED").map(PathBuf::from);
    if path.is_none() {
        skip("needs an optimised build, from `scripts/test.sh --bound`");
    }
    path
}

/// A program on the path; `None` where the test is skipped.
pub fn program(name: &str) -> Option<PathBuf> {
    wanted(&format!("`{name}`"), || on_path(name))
}

/// Whether the tests may do what only root can: users, namespaces and mounts of their own. `None` where the test is
/// skipped; nobody is made to run everything as root.
pub fn superuser() -> Option<()> {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("needs root");
    }
    root.then_some(())
}

/// Records that the running test checks nothing, or a part of it.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a thread of a test");
    let binary = env!("CARGO_CRATE_NAME");
    // not `eprintln!`, which the test harness keeps to itself
    let _ = writeln!(std::io::stderr(), "skipped: {binary} {test}: {reason}");
    if let Some(path) = std::env::var_os("GATELATCH_TEST_SKIPPED") {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        // in one piece: other tests write as well
        file.write_all(format!("{binary}\t{test}\t{reason}\n").as_bytes())
            .unwrap();
    }
}

/// What a test needs, unless other programs are not wanted; where it is missing, the test is skipped, or fails where all
/// of them are wanted.
fn wanted(what: &str, find: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    let path = find().filter(|_| !is_set("GATELATCH_TEST_FAST"));
    if path.is_none() {
        assert!(
            !is_set("GATELATCH_TEST_ALL"),
            "{what} is missing; run ./scripts/test.sh"
        );
        skip(&format!("needs {what}"));
    }
    path
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
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
