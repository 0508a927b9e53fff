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
    assert!(
        is_elsewhere(text) || !plain.contains(SECRET),
        "a secret is shown:\n{plain}"
    );
}

const SECRET: &str = "hunter2-hunter2";

/// Whether the secret stands where none belongs: as a key of a file that is no YAML it is what an excerpt shows.
fn is_elsewhere(text: &str) -> bool {
    let places = ["secret: \"hunter2-hunter2", "redis://:hunter2-hunter2@"];
    let known = places.map(|place| text.matches(place).count());
    text.matches(SECRET).count() > known.iter().sum::<usize>()
}
