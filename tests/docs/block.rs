//! What is to be done with a block of a page.

use super::markdown::Fence;

/// A fenced block, and what its words say.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Page and line.
    pub(crate) place: String,
    pub(crate) language: String,
    pub(crate) text: String,
    /// `file=`: it is written under this name.
    pub(crate) file: Option<String>,
    /// `same-as=`: it is this file of the repository.
    pub(crate) same_as: Option<String>,
    /// `in=`: where in gateway.yaml it stands.
    pub(crate) inside: Option<String>,
    /// `wrong`: it must not load.
    pub(crate) wrong: bool,
    /// `other`: the file of another program.
    pub(crate) other: bool,
    pub(crate) not_run: Option<String>,
    pub(crate) wait_until: Option<String>,
}

/// Languages whose blocks are shown and nothing else: what is printed, and files of other programs.
const SHOWN: [&str; 15] = [
    "text",
    "json",
    "html",
    "http",
    "python",
    "apache",
    "nginx",
    "haproxy",
    "caddyfile",
    "lua",
    "ini",
    "promql",
    "javascript",
    "mermaid",
    "dockerfile",
];

/// Reads a block of a page.
pub(crate) fn read(page: &str, fence: Fence) -> Block {
    let place = format!("{page}:{}", fence.line);
    let mut words = fence.info.split_whitespace();
    let language = words.next().unwrap_or_default().to_owned();
    let known = SHOWN.contains(&language.as_str())
        || matches!(language.as_str(), "yaml" | "console" | "sh");
    assert!(
        known,
        "{place}: a block of `{language}`; commands are `console` or `sh`, files of the gateway `yaml`"
    );
    let mut block = Block {
        place,
        language,
        text: fence.text,
        file: None,
        same_as: None,
        inside: None,
        wrong: false,
        other: false,
        not_run: None,
        wait_until: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("file", name)) => block.file = Some(name.to_owned()),
            Some(("same-as", path)) => block.same_as = Some(path.to_owned()),
            Some(("in", path)) => block.inside = Some(path.to_owned()),
            _ if word == "wrong" => block.wrong = true,
            _ if word == "other" => block.other = true,
            _ => panic!("{}: unknown word `{word}`", block.place),
        }
    }
    for remark in &fence.remarks {
        match remark.split_once(": ") {
            Some(("not run", reason)) => block.not_run = Some(reason.to_owned()),
            Some(("wait until", command)) => block.wait_until = Some(command.to_owned()),
            Some(_) | None => panic!("{}: unknown remark `{remark}`", block.place),
        }
    }
    block
}

impl Block {
    /// Whether it holds commands.
    pub(crate) fn is_commands(&self) -> bool {
        matches!(self.language.as_str(), "console" | "sh")
    }

    /// Whether it is a file that the gateway reads.
    pub(crate) fn is_configuration(&self) -> bool {
        let name = self
            .file
            .as_deref()
            .and_then(|name| name.rsplit('/').next())
            .unwrap_or_default();
        self.language == "yaml"
            && !self.other
            && (name.starts_with("gateway") || name.starts_with("users"))
    }
}
