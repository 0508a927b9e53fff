//! Runs the pages: each in a folder of its own, with ports of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use regex::{Captures, Regex};
use rustix::process::{Pid, Signal, kill_process_group};

use super::pages::{Page, pages};
use super::programs::{program, python};
use super::script::{Step, script, with_listeners};

/// The ports that the pages use.
const PORTS: [&str; 4] = ["8080", "9000", "9100", "9900"];

/// No page takes longer.
const LONGEST: Duration = Duration::from_secs(300);

/// The program as pages call it. What it writes or listens at by itself has the pages' ports, which are others here.
const PROGRAM: &str = r#"#!/bin/bash
binary=BINARY
case "$1" in
demo) shift && exec "$binary" demo --listen 127.0.0.1:8080 "$@" ;;
*) exec "$binary" "$@" ;;
esac
"#;

/// A port below those that the system gives to connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 400).unwrap() * 25;
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Puts other ports in place of those of a text.
fn replace_ports(text: &str, ports: &BTreeMap<String, String>) -> String {
    let names: Vec<&str> = ports.keys().map(String::as_str).collect();
    let pattern = Regex::new(&format!(r"(?-u:\b)({})(?-u:\b)", names.join("|"))).unwrap();
    pattern
        .replace_all(text, |found: &Captures<'_>| ports[&found[1]].clone())
        .into_owned()
}

/// A running shell and all that it has started; they end when it is dropped.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

/// Runs a page; says what is not as the page says.
fn run(page: &Page) -> Vec<String> {
    let there: BTreeMap<String, String> = PORTS
        .iter()
        .map(|port| ((*port).to_owned(), free_port().to_string()))
        .collect();
    let back: BTreeMap<String, String> = there
        .iter()
        .map(|(shown, real)| (real.clone(), shown.clone()))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["bin", "home", "page", "staged", "steps"] {
        fs::create_dir(path(name)).unwrap();
    }
    let program = PROGRAM.replace("BINARY", env!("CARGO_BIN_EXE_gatelatch"));
    fs::write(path("bin/gatelatch"), replace_ports(&program, &there)).unwrap();
    fs::set_permissions(path("bin/gatelatch"), fs::Permissions::from_mode(0o755)).unwrap();
    // as on a terminal, where curl shows no progress of what it prints
    fs::write(
        path("home/.curlrc"),
        "silent\nshow-error\nnoproxy = \"*\"\n",
    )
    .unwrap();
    let mut blocks = page.blocks();
    blocks.iter_mut().for_each(|block| {
        block.text = replace_ports(&with_listeners(block), &there);
        block.wait_until = block
            .wait_until
            .as_deref()
            .map(|command| replace_ports(command, &there));
    });
    let (text, steps) = script(&blocks, &path("staged"));
    let real: Vec<&str> = there.values().map(String::as_str).collect();
    execute(folder.path(), &text, &real.join(" "));
    let judge = |(at, step): (usize, &Step)| judge(&path("steps"), at, step, &back);
    steps
        .iter()
        .enumerate()
        .find_map(judge)
        .into_iter()
        .collect()
}

fn execute(folder: &Path, script: &str, ports: &str) {
    // who writes a users file or a `.env` keeps it from others
    fs::write(folder.join("page.sh"), format!("umask 077\n{script}")).unwrap();
    let mut search = vec![folder.join("bin")];
    let python = std::env::var_os("GATELATCH_TEST_PYTHON").map(PathBuf::from);
    search.extend(python.and_then(|python| python.parent().map(Path::to_owned)));
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &LONGEST.as_secs().to_string(), "bash"]);
    command
        .arg(folder.join("page.sh"))
        .current_dir(folder.join("page"))
        .process_group(0);
    let complaints = fs::File::create(folder.join("shell.err")).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaints);
    command
        .env("PATH", std::env::join_paths(search).unwrap())
        .env("HOME", folder.join("home"));
    command
        .env("STEPS", folder.join("steps"))
        .env("PORTS", ports)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", "1");
    for name in ["GATELATCH_CONFIG", "GATELATCH_SECRET", "COLUMNS"] {
        command.env_remove(name);
    }
    let mut shell = Shell(command.spawn().unwrap());
    shell.0.wait().unwrap();
}

/// What is wrong with a step; `None`: nothing.
fn judge(steps: &Path, at: usize, step: &Step, back: &BTreeMap<String, String>) -> Option<String> {
    let output = fs::read(steps.join(format!("{at}.out"))).unwrap_or_default();
    let output = replace_ports(&String::from_utf8_lossy(&output), back).replace('\r', "");
    let code = fs::read_to_string(steps.join(format!("{at}.code")))
        .ok()
        .and_then(|code| code.trim().parse().ok());
    let said = format!("{}: {}\n--- printed\n{output}---", step.place, step.command);
    if code != Some(step.code) {
        let shell = fs::read_to_string(steps.with_file_name("shell.err")).unwrap_or_default();
        return Some(format!(
            "{said}\nit ended with {code:?} instead of {}\n{shell}",
            step.code
        ));
    }
    let expected = step
        .printed
        .as_deref()
        .map(|printed| replace_ports(printed, back))?;
    let matches = pattern(&expected).is_match(output.trim_end());
    (!matches).then(|| format!("{said}\n--- expected\n{expected}---"))
}

/// `...` stands for anything: in a line for a part of it, alone for lines.
fn pattern(expected: &str) -> Regex {
    let lines = expected.trim_end().lines().map(|line| match line.trim() {
        "..." => r"(?s:.*)".to_owned(),
        _ => {
            line.trim_end()
                .split("...")
                .map(regex::escape)
                .collect::<Vec<_>>()
                .join(".*")
                + r"[ \t]*"
        }
    });
    let lines: Vec<String> = lines.collect();
    Regex::new(&format!(
        "\\A{}\\z",
        lines.join("\n").replace("(?s:.*)\n", "(?s:.*)")
    ))
    .unwrap()
}

#[test]
fn dots_stand_for_anything() {
    for (expected, printed, matches) in [
        ("a\n...\nb\n", "a\nx\ny\nb", true),
        ("a\n...\nb\n", "a\nb", true),
        ("a\n...\n", "a\n", true),
        ("{\"t\":\"...\"}", "{\"t\":\"x.y\"}", true),
        ("{\"t\":\"...\"}", "{\"u\":\"x.y\"}", false),
        ("a.b", "axb", false),
        ("a", "a\nb", false),
    ] {
        assert_eq!(
            pattern(expected).is_match(printed),
            matches,
            "{expected:?} {printed:?}"
        );
    }
}

#[test]
fn what_is_not_as_shown_is_found() {
    for (text, complaint) in [
        (
            "```console\n$ echo a\na\n$ (exit 3)   # exit code 3\n```\n",
            None,
        ),
        ("```console\n$ echo a\nb\n```\n", Some("--- expected")),
        (
            "```console\n$ (exit 3)\n```\n",
            Some("it ended with Some(3) instead of 0"),
        ),
        (
            "```console\n$ true   # exit code 3\n```\n",
            Some("it ended with Some(0) instead of 3"),
        ),
        ("```sh\nfalse\ntrue\n```\n", Some("instead of 0")),
        (
            "```console\n$ exit\n$ true\n```\n",
            Some("it ended with None"),
        ),
        (
            "```yaml file=gateway.yaml\nservice: {}\n```\n",
            Some("unknown key `service`"),
        ),
        (
            "```yaml file=gateway.yaml wrong\nservices: { a: { upstream: \"http://a\" } }\n```\n",
            Some("instead of 1"),
        ),
    ] {
        let found = run(&Page {
            path: "a page".to_owned(),
            text: text.to_owned(),
        });
        assert_eq!(
            found.len(),
            usize::from(complaint.is_some()),
            "{text}: {found:?}"
        );
        assert!(
            complaint.is_none_or(|complaint| found[0].contains(complaint)),
            "{text}: {found:?}"
        );
    }
}

/// curl shows its progress where what it gets does not go to the terminal.
#[test]
fn no_command_shows_a_progress_meter() {
    let elsewhere = Regex::new(r"\$\(curl |curl (.* )?-o |curl [^|]*\| |curl .*[^2]> ").unwrap();
    let silent = Regex::new("curl -[A-Za-z]*s").unwrap();
    let staged = tempfile::tempdir().unwrap();
    let steps = pages()
        .into_iter()
        .flat_map(|page| script(&page.blocks(), staged.path()).1)
        // what no reader types
        .filter(|step| !step.command.starts_with("try_until"));
    let noisy: Vec<String> = steps
        .flat_map(|step| {
            let lines = step
                .command
                .lines()
                .map(|line| format!("{}: {line}", step.place));
            lines.collect::<Vec<_>>()
        })
        .filter(|line| elsewhere.is_match(line) && !silent.is_match(line))
        .collect();
    assert!(noisy.is_empty(), "write `curl -s`:\n{}", noisy.join("\n"));
}

/// Runs the pages that a part of the book has; `DOCS_PAGE` chooses some by their path.
fn run_all(is_chosen: impl Fn(&str) -> bool) {
    let wanted = std::env::var("DOCS_PAGE").unwrap_or_default();
    let chosen: Vec<Page> = pages()
        .into_iter()
        .filter(|page| is_chosen(&page.path))
        .collect();
    assert!(!chosen.is_empty());
    let chosen = chosen.iter().filter(|page| page.path.contains(&wanted));
    let wrong: Vec<String> = chosen.filter(|page| can_run(page)).flat_map(run).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Pages need programs that a reader has; where one is missing, they are skipped.
fn can_run(page: &Page) -> bool {
    let needs = |name: &str| page.text.contains(&format!("{name} "));
    program("bash").is_some()
        && ["curl", "jq", "python3"]
            .iter()
            .all(|name| !needs(name) || program(name).is_some())
        && (![
            "uvicorn ",
            "import requests",
            "import MCPServer",
            "from websockets",
        ]
        .iter()
        .any(|package| page.text.contains(package))
            || python().is_some())
}

#[test]
fn the_readme_runs() {
    run_all(|path| path == "README.md");
}

#[test]
fn the_guide_runs() {
    run_all(|path| path.starts_with("docs/guide/"));
}

#[test]
fn the_migrations_run() {
    run_all(|path| path.starts_with("docs/migration/"));
}

#[test]
fn the_rest_of_the_book_runs() {
    run_all(|path| {
        path.starts_with("docs/")
            && !path.starts_with("docs/guide/")
            && !path.starts_with("docs/migration/")
    });
}
