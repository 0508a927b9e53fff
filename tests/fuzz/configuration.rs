//! Both files, with a line of `---users---` between them: a configuration, or problems that can all be shown, with and without
//! colours and as JSON, and that repeat no secret.

use gatelatch::config::{Style, render, to_json};

use crate::files::{Folder, names_the_system};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if names_the_system(text) {
        return;
    }
    let (gateway, users) = text.split_once("---users---\n").unwrap_or((text, ""));
    let folder = Folder::new();
    let problems = match folder.load(gateway, users) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => {
            assert!(problems.errors() > 0);
            problems.as_slice().to_vec()
        }
    };
    let plain = render(&problems, Style::Plain);
    let _ = (render(&problems, Style::Ansi), to_json(&problems));
    assert!(!plain.contains("hunter2-hunter2"), "a secret is shown:\n{plain}");
}
