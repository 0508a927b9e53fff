//! The users file: users, or problems that can be shown; and a list that is read once says the same again.

use gatelatch::config::{Style, find_users, read_users, render};

use crate::files::{Folder, names_the_system};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if names_the_system(text) {
        return;
    }
    let folder = Folder::new();
    folder.write("gateway.yaml", "services: { a: { upstream: \"http://127.0.0.1:9\" } }");
    let request = folder.request();
    let place = find_users(&request).unwrap_or_else(|_| panic!("a configuration that is valid"));
    match read_users(&request, &place, text) {
        Ok(users) => {
            let again = read_users(&request, &place, text);
            assert_eq!(again.map_or(0, |again| again.len()), users.len());
        }
        Err(problems) => {
            let shown = render(problems.as_slice(), Style::Plain);
            assert!(!shown.contains("hunter2-hunter2"), "a secret is shown:\n{shown}");
        }
    }
}
