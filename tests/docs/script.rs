//! A page as a shell script: its files and its commands, in their order, in one shell.

use std::fs;
use std::path::Path;

use super::block::Block;
use super::fragments::{SECRET, variables};

/// A command of a page and what must become of it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) place: String,
    pub(crate) command: String,
    /// What is printed; `None` where the page does not show it.
    pub(crate) printed: Option<String>,
    pub(crate) code: i32,
}

/// What every script starts with. A reader takes a while between two commands: the script asks whether it is so far.
const HEAD: &str = r#"
listening() {
    local count=0 port
    for port in $PORTS; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then count=$((count + 1)); fi
    done
    echo "$count"
}
try_until() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then echo "it never came to: $*"; return 1; fi
        sleep 0.1
    done
}
more_listen() { [ "$(listening)" -gt "$before" ]; }
"#;

/// The script of a page's blocks, and its steps; files are put into `staged`.
pub(crate) fn script(blocks: &[Block], staged: &Path) -> (String, Vec<Step>) {
    let mut writer = Writer {
        text: HEAD.to_owned(),
        steps: Vec::new(),
        unchecked: Vec::new(),
    };
    for block in blocks.iter().filter(|block| block.not_run.is_none()) {
        if let Some(name) = &block.file {
            let file = staged.join(writer.steps.len().to_string() + "-" + &name.replace('/', "-"));
            fs::write(&file, &block.text).unwrap();
            writer.hidden(
                block,
                &format!(
                    "mkdir -p \"$(dirname {name})\" && cp {} {name}",
                    file.display()
                ),
            );
            if block.is_configuration() {
                writer.unchecked.push(block.clone());
            }
        } else if block.is_commands() {
            writer.check_files();
            if let Some(command) = &block.wait_until {
                writer.hidden(
                    block,
                    &format!("try_until eval '{}'", command.replace('\'', r"'\''")),
                );
            }
            commands(block)
                .into_iter()
                .for_each(|step| writer.step(step));
        }
    }
    writer.check_files();
    (writer.text, writer.steps)
}

/// A gateway.yaml that does not say where to listen does so at a port of the test.
pub(crate) fn with_listeners(block: &Block) -> String {
    let mut text = block.text.clone();
    let has = |key: &str| block.text.lines().any(|line| line.starts_with(key));
    if block.is_configuration() && has("services:") && !block.wrong {
        for (key, port) in [("server", "8080"), ("admin", "9900")] {
            if !has(&format!("{key}:")) {
                text.push_str(&format!("{key}: {{ listen: \"127.0.0.1:{port}\" }}\n"));
            }
        }
    }
    text
}

struct Writer {
    text: String,
    steps: Vec<Step>,
    /// Files that are not complete before the next commands.
    unchecked: Vec<Block>,
}

impl Writer {
    fn step(&mut self, step: Step) {
        let at = self.steps.len();
        let Step { command, .. } = &step;
        let waits = is_background(command);
        if waits {
            self.text.push_str("before=$(listening)\n");
        }
        self.text.push_str(&format!(
            "{{\n{command}\n}} >\"$STEPS/{at}.out\" 2>&1 </dev/null\ncode=$?\n"
        ));
        if waits {
            let ready = match command.split_once("gatelatch run") {
                Some((_, arguments)) => {
                    format!(
                        "gatelatch healthcheck {}",
                        arguments
                            .trim_end()
                            .trim_end_matches('&')
                            .split('>')
                            .next()
                            .unwrap()
                    )
                }
                None => "more_listen".to_owned(),
            };
            self.text.push_str(&format!(
                "try_until {ready} >>\"$STEPS/{at}.out\" || code=1\n"
            ));
        }
        self.text
            .push_str(&format!("echo $code >\"$STEPS/{at}.code\"\n"));
        self.steps.push(step);
    }

    /// What the reader does with an editor, or by waiting.
    fn hidden(&mut self, block: &Block, command: &str) {
        self.step(Step {
            place: block.place.clone(),
            command: command.to_owned(),
            printed: None,
            code: 0,
        });
    }

    fn check_files(&mut self) {
        for block in std::mem::take(&mut self.unchecked) {
            let name = block.file.clone().unwrap();
            let config = if name.contains("users") {
                name.replace("users", "gateway")
            } else {
                name
            };
            let named = variables(&block.text).chain(["GATELATCH_SECRET"]);
            let secret: Vec<_> = named
                .map(|name| format!("{name}=\"${{{name}:-{SECRET}}}\""))
                .collect();
            let secret = secret.join(" ");
            let code = i32::from(block.wrong);
            let command =
                format!("if [ -e {config} ]; then {secret} gatelatch check --config {config}; fi");
            self.step(Step {
                place: block.place,
                command,
                printed: None,
                code,
            });
        }
    }
}

fn is_background(command: &str) -> bool {
    command.trim_end().ends_with('&')
}

/// The commands of a block: one of `sh`, or those of a `console`.
fn commands(block: &Block) -> Vec<Step> {
    if block.language == "sh" {
        let command = format!("set -e\n{}\nset +e", block.text.trim_end());
        return vec![Step {
            place: block.place.clone(),
            command,
            printed: None,
            code: 0,
        }];
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut open = false;
    for line in block.text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let place = block.place.clone();
            steps.push(Step {
                place,
                command: command.to_owned(),
                printed: None,
                code: exit_code(command),
            });
            open = true;
        } else if let Some(more) = line.strip_prefix("> ").filter(|_| open) {
            let step = steps.last_mut().unwrap();
            step.command.extend(["\n", more]);
            step.code = exit_code(more);
        } else {
            open = false;
            let step = steps
                .last_mut()
                .unwrap_or_else(|| panic!("{} begins without a command", block.place));
            assert!(
                !is_background(&step.command),
                "{}: what is printed in the background is not compared",
                step.place
            );
            let printed = step.printed.get_or_insert_default();
            printed.extend([line, "\n"]);
        }
    }
    steps
}

/// What a command ends with: `# exit code 4` says so.
fn exit_code(command: &str) -> i32 {
    let said = command
        .split("# exit code ")
        .nth(1)
        .map(|rest| rest.split_whitespace().next().unwrap());
    said.map_or(0, |code| code.parse().unwrap())
}

#[test]
fn commands_are_read_with_what_they_print() {
    let text = "$ a \\\n> b   # exit code 4\nout\n\nmore\n$ c\n$ d &\n";
    let fence = super::markdown::Fence {
        line: 1,
        info: "console".into(),
        text: text.into(),
        remarks: Vec::new(),
    };
    let steps = commands(&super::block::read("x", fence));
    let read: Vec<_> = steps
        .iter()
        .map(|step| (step.command.as_str(), step.printed.as_deref(), step.code))
        .collect();
    assert_eq!(
        read,
        [
            ("a \\\nb   # exit code 4", Some("out\n\nmore\n"), 4),
            ("c", None, 0),
            ("d &", None, 0)
        ]
    );
}
