//! Hexadecimal digits (RFC 4648, section 8).

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// The value of a digit, of either case.
#[inline]
pub fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The two digits of a byte, in lower case.
#[inline]
pub fn lower(byte: u8) -> [u8; 2] {
    [LOWER[usize::from(byte >> 4)], LOWER[usize::from(byte & 15)]]
}

/// The two digits of a byte, in upper case.
#[inline]
pub fn upper(byte: u8) -> [u8; 2] {
    [UPPER[usize::from(byte >> 4)], UPPER[usize::from(byte & 15)]]
}

/// Bytes as digits in lower case.
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| lower(*byte));
    digits.map(char::from).collect()
}

/// Exactly `N` bytes from digits of either case; `None` for anything else.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=u8::MAX {
            let text = encode(&[byte, !byte]);
            assert_eq!(text, format!("{byte:02x}{:02x}", !byte));
            assert_eq!(decode(&text), Some([byte, !byte]));
            assert_eq!(decode(&text.to_uppercase()), Some([byte, !byte]));
            assert_eq!(upper(byte).as_slice(), format!("{byte:02X}").as_bytes());
        }
    }

    #[test]
    fn only_digits_are_digits() {
        for byte in 0..=u8::MAX {
            let expected = char::from(byte).to_digit(16).filter(|_| byte.is_ascii());
            assert_eq!(value(byte).map(u32::from), expected, "{byte}");
        }
        for text in ["", "0", "000", "00000", "+0ff", "0x00", " 0ff", "é00"] {
            assert_eq!(decode::<2>(text), None, "{text}");
        }
    }
}
