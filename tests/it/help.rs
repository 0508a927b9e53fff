//! Help, completions and manual pages.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::commands::{folder, gatelatch, text};
use crate::support::program;

/// The names of all commands, from the help.
fn commands() -> Vec<String> {
    let help = text(&gatelatch(folder(&[]).path(), &["--help"]).stdout);
    let list = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap()
        .to_owned();
    let names = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_has_help_and_a_manual_page() {
    let folder = folder(&[]);
    let man = gatelatch(folder.path(), &["man", "pages/man1"]);
    assert!(man.status.success(), "{}", text(&man.stderr));
    let commands = commands();
    assert!(
        commands.len() >= 12 && commands.contains(&"diff".to_owned()),
        "{commands:?}"
    );
    for command in commands {
        let help = gatelatch(folder.path(), &[&command, "--help"]);
        assert!(
            help.status.success() && text(&help.stdout).contains("Examples:"),
            "{command}"
        );
        let page = std::fs::read_to_string(
            folder
                .path()
                .join(format!("pages/man1/gatelatch-{command}.1")),
        )
        .unwrap();
        assert!(
            page.contains(".TH") && page.contains("Examples:"),
            "{command}: {page}"
        );
    }
    let page = text(&gatelatch(folder.path(), &["man"]).stdout);
    assert!(page.contains(".TH gatelatch 1"), "{page}");
}

#[test]
fn every_shell_gets_completions() {
    let folder = folder(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&gatelatch(folder.path(), &["completions", shell]).stdout);
        assert!(
            script.contains("gatelatch") && script.contains("healthcheck"),
            "{shell}: {script}"
        );
    }
    let wrong = gatelatch(folder.path(), &["completions", "csh"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn bash_completes_commands_and_options() {
    let Some(bash) = program("bash") else { return };
    let folder = folder(&[]);
    let script = gatelatch(folder.path(), &["completions", "bash"]).stdout;
    let mut bash = Command::new(bash);
    bash.args(["--norc", "-s"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut bash = bash.spawn().unwrap();
    let mut input = bash.stdin.take().unwrap();
    input.write_all(&script).unwrap();
    for line in [
        "gatelatch rou",
        "gatelatch routes --for",
        "gatelatch routes --format h",
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let list = words.join("' '");
        writeln!(
            input,
            "COMP_WORDS=('{list}'); COMP_CWORD={}; COMPREPLY=()",
            words.len() - 1
        )
        .unwrap();
        writeln!(
            input,
            "_gatelatch gatelatch '{last}' '{before}'; echo \"${{COMPREPLY[*]}}\""
        )
        .unwrap();
    }
    drop(input);
    let printed = text(&bash.wait_with_output().unwrap().stdout);
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        ["routes", "--format", "html"]
    );
}

#[test]
fn a_closed_pipe_is_no_error_of_help_or_scripts() {
    let folder = folder(&[]);
    for command in [
        vec!["completions", "bash"],
        vec!["man"],
        vec!["--help"],
        vec!["schema", "config"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut process = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
        process
            .args(&command)
            .current_dir(folder.path())
            .stdout(writer)
            .stderr(Stdio::piped());
        let ended = process.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(text(&ended.stderr), "", "{command:?}");
        assert_ne!(ended.status.code(), Some(101), "{command:?} panicked");
    }
}

#[test]
fn the_nearest_command_is_proposed() {
    let folder = tempfile::tempdir().unwrap();
    for (written, meant) in [
        ("chek", "check"),
        ("exlpain", "explain"),
        ("rotues", "routes"),
        ("initt", "init"),
    ] {
        let output = gatelatch(folder.path(), &[written]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("'{meant}'")), "{said}");
        assert!(
            said.contains("a similar subcommand exists"),
            "one is proposed: {said}"
        );
    }
}
