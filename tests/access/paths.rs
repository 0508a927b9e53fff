//! One parse gives one reading.

use gatelatch::access::{PathOptions, RequestPath};
use proptest::prelude::*;

/// Turns `U+0009` into the character.
fn unescape(text: &str) -> String {
    let mut pieces = text.split("U+");
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at(4);
        plain.push(char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap());
        plain.push_str(rest);
    }
    plain
}

fn options(text: &str) -> PathOptions {
    PathOptions {
        allow_encoded_slash: text.contains('S'),
        allow_encoded_reserved: text.contains('R'),
        allow_semicolon: text.contains(';'),
        merge_slashes: text.contains('M'),
    }
}

#[test]
fn the_table_of_paths_holds() {
    let lines = include_str!("paths.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wrong = Vec::new();
    for line in lines {
        let mut fields = line.rsplitn(3, " | ");
        let (expected, letters, raw) = (
            fields.next().unwrap(),
            fields.next().unwrap(),
            fields.next().unwrap_or(""),
        );
        let result = RequestPath::parse(&unescape(raw), options(letters));
        let right = match (&result, expected.strip_prefix('!')) {
            (Err(error), Some(reason)) => error.to_string().contains(reason),
            (Ok(path), None) => path.as_str() == expected,
            (Ok(_), Some(_)) | (Err(_), None) => false,
        };
        if !right {
            wrong.push(format!("{line}: {result:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn any_options() -> impl Strategy<Value = PathOptions> {
    "S?R?;?M?".prop_map(|letters| options(&letters))
}

/// Paths of the pieces that matter.
fn any_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "/|//|\\.|\\.\\.|%2[eEfF5]|%5[cC]|%3[bBfF]|%23|;|a|%61|%25|2|e|%c3|%A9|é",
        1 => "[ -~]{0,3}",
        1 => "%[0-9a-fA-F]{2}",
        1 => "\\PC",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Decodes every escape once, with code of its own.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut pieces = text.split('%');
    bytes.extend(pieces.next().unwrap().bytes());
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend(piece[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn parsing_is_idempotent(raw in any_path(), options in any_options()) {
        if let Ok(path) = RequestPath::parse(&raw, options) {
            prop_assert_eq!(RequestPath::parse(path.as_str(), options), Ok(path));
        }
    }

    #[test]
    fn no_dot_segment_survives_decoding(raw in any_path(), options in any_options()) {
        if let Ok(path) = RequestPath::parse(&raw, options) {
            let once = decode(path.as_str());
            for segment in once.split(['/', '\\']) {
                let name = segment.split([';', '?', '#']).next().unwrap();
                prop_assert!(name != "." && name != "..", "{} -> {}", raw, once);
            }
        }
    }

    #[test]
    fn the_spelling_says_what_the_client_said(raw in any_path(), options in any_options()) {
        let Ok(path) = RequestPath::parse(&raw, options) else { return Ok(()) };
        if !options.merge_slashes {
            prop_assert_eq!(decode(path.as_str()), decode(&raw));
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>?[\\]^`{|}".contains(&byte);
        prop_assert!(path.as_str().bytes().all(plain));
    }

    #[test]
    fn options_only_loosen(raw in any_path(), one in any_options(), other in any_options()) {
        if let Ok(path) = RequestPath::parse(&raw, one) {
            prop_assert_eq!(RequestPath::parse(&raw, one.union(other)), Ok(path));
        }
    }
}
