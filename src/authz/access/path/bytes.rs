//! The bytes of a path: their classes (RFC 3986, sections 2 and 3.3) and their escapes.

use crate::text::percent;
pub(super) use crate::text::percent::split_escape;

/// What a byte means in a path.
#[derive(Clone, Copy)]
pub(super) enum Class {
    /// Letters, digits, `-`, `.`, `_`, `~`: raw and escaped mean the same.
    Unreserved,
    /// The rest of `pchar` but `;`: allowed raw, and not the same as its escape.
    Delimiter,
    Slash,
    Backslash,
    Hash,
    Question,
    Semicolon,
    /// Below 0x20, and DEL.
    Control,
    /// Everything else, `%` and the bytes beyond ASCII included: only allowed escaped.
    Other,
}

pub(super) const fn class(byte: u8) -> Class {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => Class::Unreserved,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => {
            Class::Delimiter
        }
        b'/' => Class::Slash,
        b'\\' => Class::Backslash,
        b'#' => Class::Hash,
        b'?' => Class::Question,
        b';' => Class::Semicolon,
        0..=0x1F | 0x7F => Class::Control,
        _ => Class::Other,
    }
}

/// Whether the byte stands for itself under every option.
pub(super) fn is_plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    // Nothing beyond ASCII is plain.
    while byte < 0x80 {
        plain[byte as usize] = matches!(
            class(byte),
            Class::Unreserved | Class::Delimiter | Class::Slash
        );
        byte += 1;
    }
    plain
};

pub(super) fn push_escape(spelling: &mut Vec<u8>, byte: u8) {
    spelling.extend(percent::escape(byte));
}

/// Percent-decodes once; a `%` that begins no escape stands for itself.
pub(super) fn decode(escaped: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let [byte, after @ ..] = rest {
        let (value, next) = match byte {
            b'%' => split_escape(after).unwrap_or((b'%', after)),
            _ => (*byte, after),
        };
        decoded.push(value);
        rest = next;
    }
    decoded
}

/// Whether decoding once leaves something that decodes again: `%25` before two hex digits.
pub(super) fn holds_double_encoding(spelling: &[u8]) -> bool {
    spelling
        .windows(5)
        .any(|window| window.starts_with(b"%25") && split_escape(&window[3..]).is_some())
}
