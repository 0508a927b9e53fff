//! Percent-encoding (RFC 3986, section 2.1), and the form encoding that is made of it.

use zeroize::Zeroizing;

use super::hex;

/// Reads the two digits after a `%`; gives the byte and what follows.
#[inline]
pub fn split_escape(after: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = after else {
        return None;
    };
    Some((hex::value(*high)? << 4 | hex::value(*low)?, rest))
}

/// Decodes once. `None` where a `%` begins no escape, or where the outcome is not UTF-8.
pub fn decode(text: &[u8]) -> Option<Zeroizing<String>> {
    decode_with(text, b'+')
}

/// The same for a name or a value in `application/x-www-form-urlencoded`, where `+` is a space.
pub fn decode_form(text: &[u8]) -> Option<Zeroizing<String>> {
    decode_with(text, b' ')
}

fn decode_with(text: &[u8], plus: u8) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let (decoded, next) = match byte {
            b'+' => (plus, after),
            b'%' => split_escape(after)?,
            literal => (*literal, after),
        };
        bytes.push(decoded);
        rest = next;
    }
    let decoded = std::str::from_utf8(&bytes).ok()?;
    Some(Zeroizing::new(decoded.to_owned()))
}

/// The escape of a byte: `%` and two digits in upper case.
#[inline]
pub fn escape(byte: u8) -> [u8; 3] {
    let [high, low] = hex::upper(byte);
    [b'%', high, low]
}

/// Appends bytes, escaped where they are not plain; `plain` holds for ASCII at most.
pub fn encode_into(encoded: &mut String, text: &str, plain: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if byte.is_ascii() && plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(escape(byte).map(char::from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_once() {
        for (text, plain, form) in [
            ("", Some(""), Some("")),
            ("a+b%20c%2B", Some("a+b c+"), Some("a b c+")),
            ("%2525", Some("%25"), Some("%25")),
            ("ü%C3%bc%00", Some("üü\0"), Some("üü\0")),
            ("%", None, None),
            ("a%4", None, None),
            ("%4%31", None, None),
            ("%zz", None, None),
            ("%+1", None, None),
            ("%FC", None, None),
        ] {
            let of = |decoded: Option<Zeroizing<String>>| decoded.map(|text| text.to_string());
            let (plain, form) = (plain.map(str::to_owned), form.map(str::to_owned));
            assert_eq!(of(decode(text.as_bytes())), plain, "{text}");
            assert_eq!(of(decode_form(text.as_bytes())), form, "{text}");
        }
        assert!(decode(b"\xfc").is_none());
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let text: String = (0..0x180).filter_map(char::from_u32).collect();
        for plain in [|_: u8| false, |byte: u8| byte != b'%' && byte != b'+'] {
            let mut encoded = String::new();
            encode_into(&mut encoded, &text, plain);
            assert_eq!(*decode(encoded.as_bytes()).unwrap(), text);
            assert_eq!(*decode_form(encoded.as_bytes()).unwrap(), text);
            assert!(encoded.is_ascii());
        }
    }
}
