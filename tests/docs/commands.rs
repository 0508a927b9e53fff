//! docs/reference/commands.md, from the help of the program.

use std::fmt::Write as _;
use std::process::Command;

use super::assert_generated;

const HEAD: &str = "# Commands

<!-- generated from the program's help: UPDATE_EXPECT=1 cargo test --test docs -->

Every command takes `--config FILE` (`-c`), else it reads the file that `GATELATCH_CONFIG` names, else `gateway.yaml` in
the current folder. Errors go to standard error. The exit code is 0 for success, 1 for an error and 2 for a wrong command
line, unless the command says otherwise.
";

fn help(arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
    program
        .args(arguments)
        .arg("--help")
        .env_remove("COLUMNS")
        .env("NO_COLOR", "1")
        .env_remove("GATELATCH_CONFIG");
    let output = program.output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names below `Commands:`.
fn names(help: &str) -> Vec<String> {
    let list = help
        .split("Commands:\n")
        .nth(1)
        .unwrap_or_default()
        .split("\n\n")
        .next()
        .unwrap_or_default();
    let names = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Without what every command has.
fn shortened(help: &str) -> String {
    let mut text = String::new();
    let mut left_out = false;
    for line in help.lines().map(str::trim_end) {
        let option = line.starts_with("  -") || line.starts_with("      --");
        if option || (!line.is_empty() && !line.starts_with(' ')) {
            let known = ["-c, --config", "-h, --help", "-V, --version"];
            left_out = known
                .iter()
                .any(|known| line.trim_start().starts_with(known));
        }
        if !left_out {
            // what was left out took the empty line behind it along
            let heading = !line.is_empty() && !line.starts_with(' ');
            if heading && text.ends_with("Options:\n") {
                text.truncate(text.len() - "Options:\n".len());
            } else if heading
                && !text.is_empty()
                && !text.ends_with("\n\n")
                && line.starts_with("Examples:")
            {
                text.push('\n');
            }
            text.extend([line, "\n"]);
        }
    }
    text.trim_end()
        .strip_suffix("Options:")
        .unwrap_or(text.trim_end())
        .trim_end()
        .to_owned()
}

fn describe(text: &mut String, path: &[&str]) {
    let help = help(path);
    let level = "#".repeat(1 + path.len());
    write!(
        text,
        "\n{level} {}\n\n```text\n{}\n```\n",
        path.join(" "),
        shortened(&help)
    )
    .unwrap();
    for name in names(&help) {
        let inner: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        describe(text, &inner);
    }
}

#[test]
fn the_reference_of_commands_is_up_to_date() {
    let overview = help(&[]);
    let mut text = HEAD.to_owned();
    text.push_str("\n| command | does |\n|---|---|\n");
    let list = overview
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap()
        .to_owned();
    let entries = list.replace("\n               ", " ");
    for (name, does) in entries
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
    {
        if name != "help" {
            let does = does.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(text, "| [`{name}`](#{name}) | {does} |").unwrap();
        }
    }
    names(&overview)
        .iter()
        .for_each(|name| describe(&mut text, &[name]));
    assert_generated("docs/reference/commands.md", &text);
}
