//! A path that is accepted is its own spelling, and hides no dot segment from a service that decodes it. The first byte
//! says which `paths` options are on, the rest is the path as sent.

use gatelatch::access::{PathOptions, RequestPath};

pub(crate) fn run(data: &[u8]) {
    let Some((flags, raw)) = data.split_first() else {
        return;
    };
    let Ok(raw) = std::str::from_utf8(raw) else {
        return;
    };
    let is_on = |bit: u8| flags >> bit & 1 == 1;
    let options = PathOptions {
        allow_encoded_slash: is_on(0),
        allow_encoded_reserved: is_on(1),
        allow_semicolon: is_on(2),
        merge_slashes: is_on(3),
    };
    let Ok(path) = RequestPath::parse(raw, options) else {
        return;
    };
    let again = RequestPath::parse(path.as_str(), options);
    assert_eq!(again.as_ref(), Ok(&path));
    assert!(path.segments().all(|segment| !segment.is_empty()));
    let decoded = decode(path.as_str());
    for segment in decoded.split(['/', '\\']) {
        let name = segment.split(';').next().unwrap();
        let is_dots = name == "." || name == "..";
        assert!(!is_dots, "{} -> {decoded}", path.as_str());
    }
    // A second decoding finds nothing more to decode, so that no dot segment waits there either.
    let is_escape = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    assert!(!decoded.as_bytes().windows(3).any(is_escape));
}

fn decode(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}
