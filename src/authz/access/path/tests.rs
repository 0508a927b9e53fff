//! The table of `tests/access/paths.txt` holds the single cases; here stands what it cannot say.

use super::*;

fn parse(raw: &str, options: PathOptions) -> Result<String, PathError> {
    RequestPath::parse(raw, options).map(|path| path.to_string())
}

fn strict(raw: &str) -> Result<String, PathError> {
    parse(raw, PathOptions::default())
}

#[test]
fn every_byte_has_one_outcome() {
    for byte in 0_u8..=0x7F {
        let raw = strict(&format!("/a{}b", char::from(byte)));
        let escaped = strict(&format!("/a%{byte:02x}b"));
        let kept = Ok(format!("/a{}b", char::from(byte)));
        let encoded = Ok(format!("/a%{byte:02X}b"));
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                assert_eq!((raw, escaped), (kept.clone(), kept))
            }
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => {
                assert_eq!((raw, escaped), (kept, encoded));
            }
            b' ' | b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                assert_eq!((raw, escaped), (encoded.clone(), encoded));
            }
            b'%' => assert_eq!((raw, escaped), (Err(PathError::BadEscape), encoded)),
            b'/' => assert_eq!((raw, escaped), (kept, Err(PathError::EncodedSlash))),
            b'\\' => assert_eq!(
                (raw, escaped),
                (
                    Err(PathError::Backslash),
                    Err(PathError::EncodedReserved(byte))
                )
            ),
            b'#' => assert_eq!(
                (raw, escaped),
                (
                    Err(PathError::Fragment),
                    Err(PathError::EncodedReserved(byte))
                )
            ),
            b'?' => assert_eq!(
                (raw, escaped),
                (Err(PathError::Query), Err(PathError::EncodedReserved(byte)))
            ),
            b';' => assert_eq!(
                (raw, escaped),
                (
                    Err(PathError::Semicolon),
                    Err(PathError::EncodedReserved(byte))
                )
            ),
            _ => assert_eq!(
                (raw, escaped),
                (
                    Err(PathError::Control(byte)),
                    Err(PathError::EncodedControl(byte))
                )
            ),
        }
    }
}

#[test]
fn segments_are_decoded() {
    let options = PathOptions {
        allow_encoded_slash: true,
        ..PathOptions::default()
    };
    for (raw, expected) in [
        ("/", &[][..]),
        ("/jobs", &["jobs"]),
        ("/jobs/", &["jobs"]),
        ("/jobs/1", &["jobs", "1"]),
        ("/a%2Cb/%40/", &["a,b", "@"]),
        ("/gr%c3%bcn/\u{20ac}", &["grün", "€"]),
        ("/a%2fb/c", &["a/b", "c"]),
        ("/100%25", &["100%"]),
    ] {
        let path = RequestPath::parse(raw, options).unwrap();
        assert_eq!(path.segments().collect::<Vec<_>>(), expected, "{raw}");
        assert_eq!(path.segment(expected.len()), None, "{raw}");
        assert_eq!(
            path.segment(0).as_deref(),
            expected.first().copied(),
            "{raw}"
        );
    }
}

#[test]
fn plain_segments_are_borrowed() {
    let path = RequestPath::parse("/jobs/%2C", PathOptions::default()).unwrap();
    assert!(matches!(path.segment(0), Some(Cow::Borrowed("jobs"))));
    assert!(matches!(path.segment(1), Some(Cow::Owned(_))));
}

#[test]
fn a_refusal_says_what_the_path_holds() {
    for (raw, expected) in [
        ("jobs", "the path does not start with `/`"),
        ("/a//b", "the path holds an empty segment `//`"),
        ("/a/../b", "the path holds a dot segment `.` or `..`"),
        ("/a%2Fb", "the path holds an encoded slash `%2F`"),
        ("/a%5cb", "the path holds an encoded `\\` `%5C`"),
        ("/a\tb", "the path holds a control byte 0x09"),
        ("/a%0d%0ab", "the path holds an encoded control byte `%0D`"),
        ("/a%2", "the path holds a `%` without two hex digits"),
        ("/%ff", "the path is not UTF-8 after decoding"),
        (
            "/%252e",
            "the path is encoded twice (`%25` before two hex digits)",
        ),
    ] {
        assert_eq!(strict(raw).unwrap_err().to_string(), expected, "{raw}");
    }
}

#[test]
fn the_union_accepts_what_either_accepts() {
    let slash = PathOptions {
        allow_encoded_slash: true,
        ..PathOptions::default()
    };
    let merge = PathOptions {
        merge_slashes: true,
        ..PathOptions::default()
    };
    assert_eq!(
        parse("/a%2fb//c", slash.union(merge)),
        Ok("/a%2Fb/c".into())
    );
    assert_eq!(parse("/a%2fb//c", slash), Err(PathError::EmptySegment));
    assert_eq!(parse("/a%2fb//c", merge), Err(PathError::EncodedSlash));
    assert_eq!(slash.union(slash), slash);
}

#[test]
fn the_option_that_is_missing_is_found_by_trying() {
    for (raw, expected) in [
        ("/a%2Fb", Some("allow_encoded_slash")),
        ("/a%3Bb", Some("allow_encoded_reserved")),
        ("/a;b", Some("allow_semicolon")),
        ("//a", Some("merge_slashes")),
        ("/a/../b", None),
        ("/;a", None),
        ("//a;b", None),
    ] {
        assert_eq!(PathOptions::default().missing_for(raw), expected, "{raw}");
    }
    let semicolons = PathOptions {
        allow_semicolon: true,
        ..PathOptions::default()
    };
    assert_eq!(semicolons.missing_for("//a;b"), Some("merge_slashes"));
}
