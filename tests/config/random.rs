//! Whatever the files hold, a load ends, and without a panic.

use proptest::prelude::*;

use super::Case;

const GOOD: &str = include_str!("../../gateway.example.yaml");

fn survives(gateway: &[u8], users: &[u8], dotenv: &[u8]) {
    let case = Case::new()
        .file("gateway.yaml", gateway)
        .file("users.yaml", users)
        .file(".env", dotenv);
    match case.load() {
        Ok(loaded) => drop(case.rendered(&loaded.warnings)),
        Err(problems) => drop((case.rendered(problems.as_slice()), problems.to_string())),
    }
}

/// Pieces of which YAML and configurations are made.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "services",
        "rules",
        "path",
        "allow",
        "tests",
        "request",
        "expect",
        "as",
        "mode",
        "allow_lints",
        "users",
        "password",
        "auth",
        "token",
        "secret",
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "|\n",
        ">\n",
        "#",
        " #",
        "&a",
        "*a",
        "!t",
        "<<",
        "?",
        "---\n",
        "...\n",
        "${",
        "${A}",
        "$$",
        "}",
        "\t",
        "\r",
        "\r\n",
        "ü",
        "\u{feff}",
        "\u{0}",
        "\u{202e}",
        "/**",
        "/{id}",
        "%2F",
        "10s",
        "16KiB",
        "1",
        "~",
        "true",
        "$2b$12$",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"]
}

fn yaml() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

/// The example with a piece of it replaced.
fn damaged() -> impl Strategy<Value = String> {
    (0..GOOD.len(), 0..40_usize, piece()).prop_map(|(at, length, piece)| {
        let boundary = |at: usize| {
            (0..=at.min(GOOD.len()))
                .rev()
                .find(|at| GOOD.is_char_boundary(*at))
                .unwrap()
        };
        let (start, end) = (boundary(at), boundary(at + length));
        format!("{}{piece}{}", &GOOD[..start], &GOOD[end..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn of_bytes(gateway: Vec<u8>, users: Vec<u8>, dotenv: Vec<u8>) {
        survives(&gateway, &users, &dotenv);
    }

    #[test]
    fn of_yaml(gateway in yaml(), users in yaml(), dotenv in yaml()) {
        survives(gateway.as_bytes(), users.as_bytes(), dotenv.as_bytes());
    }

    #[test]
    fn of_users(users in yaml()) {
        let gateway = "services: { a: { upstream: http://127.0.0.1:9 } }";
        survives(gateway.as_bytes(), users.as_bytes(), b"");
        survives(gateway.as_bytes(), format!("users: {{ {users} }}").as_bytes(), b"");
    }

    #[test]
    fn of_a_damaged_example(gateway in damaged()) {
        survives(gateway.as_bytes(), b"users: {}", b"");
    }
}
