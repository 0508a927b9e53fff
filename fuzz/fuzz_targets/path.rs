//! A path that is accepted is its own spelling, and hides no dot segment from a service that decodes it.
#![no_main]

use gatelatch::access::{PathOptions, RequestPath};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    encoded_slash: bool,
    encoded_reserved: bool,
    semicolon: bool,
    merge_slashes: bool,
    raw: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    let options = PathOptions {
        allow_encoded_slash: input.encoded_slash,
        allow_encoded_reserved: input.encoded_reserved,
        allow_semicolon: input.semicolon,
        merge_slashes: input.merge_slashes,
    };
    let Ok(path) = RequestPath::parse(input.raw, options) else { return };
    assert_eq!(RequestPath::parse(path.as_str(), options).as_ref(), Ok(&path));
    assert!(path.segments().all(|segment| !segment.is_empty()));
    let decoded = decode(path.as_str());
    for segment in decoded.split(['/', '\\']) {
        let name = segment.split(';').next().unwrap();
        assert!(name != "." && name != "..", "{} -> {decoded}", path.as_str());
    }
    // A second decoding finds nothing more to decode, so that no dot segment waits there either.
    let is_escape = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    assert!(!decoded.as_bytes().windows(3).any(is_escape));
});

fn decode(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}
