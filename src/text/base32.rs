//! Base32 (RFC 4648, section 6), as authenticator apps and people write it.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Bytes as base32 in upper case, without padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(held >> bits));
        }
    }
    if bits > 0 {
        text.push(digit(held << (5 - bits)));
    }
    text
}

/// Reads base32 of either case, with or without padding, and with blanks and hyphens anywhere: that is how secrets are shown to be
/// typed. `None` for anything else, also where bits that make no byte are set.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| !b" -".contains(byte)) {
        held = held << 5 | value(byte)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    let rest = held & ((1 << bits) - 1);
    (bits < 5 && rest == 0).then_some(bytes)
}

fn digit(five: u32) -> char {
    // the mask leaves an index below 32
    char::from(ALPHABET[(five & 31) as usize])
}

fn value(digit: u8) -> Option<u32> {
    match digit.to_ascii_uppercase() {
        letter @ b'A'..=b'Z' => Some(u32::from(letter - b'A')),
        number @ b'2'..=b'7' => Some(u32::from(number - b'2') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold_both_ways() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn it_is_read_as_people_type_it_and_nothing_else_is_read() {
        for text in ["mzxw6ytboi", "MZXW 6YTB OI======", "mzxw-6ytb-oi"] {
            assert_eq!(decode(text).as_deref(), Some(&b"foobar"[..]), "{text}");
        }
        // a digit too many, digits that are none, bits that make no byte, padding inside
        for text in [
            "M", "MZX", "MZXW6YT", "MZXW1", "MZ8W", "MZ", "M=Y", "MY\u{e9}", "MY\n",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
