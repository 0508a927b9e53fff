//! Comma-separated lists in fields (RFC 9110, section 5.6.1).

use http::HeaderMap;
use http::header::AsHeaderName;

/// The elements of all lines of a field, from the left, without the blanks around them. Empty ones are there too: who
/// reads a list of numbers must refuse them, to others they mean nothing. Quoted commas are not looked at, which is
/// right for lists of tokens.
pub fn elements(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Whether one of the elements is this word, in any case.
pub fn names(headers: &HeaderMap, name: impl AsHeaderName, word: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{CONNECTION, TE};

    use super::*;

    #[test]
    fn all_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        for line in [&b"a, b\t,,c d"[..], b"", b"\xff ,E"] {
            headers.append(CONNECTION, HeaderValue::from_bytes(line).unwrap());
        }
        let read: Vec<_> = elements(&headers, CONNECTION).collect();
        assert_eq!(read, [&b"a"[..], b"b", b"", b"c d", b"", b"\xff", b"E"]);
        assert!(names(&headers, CONNECTION, "e") && names(&headers, CONNECTION, "B"));
        assert!(!names(&headers, CONNECTION, "d") && !names(&headers, TE, "a"));
    }
}
