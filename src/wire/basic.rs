//! HTTP Basic (RFC 7617): a user name and a password in `Authorization`.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Some clients leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The challenge (RFC 7617, section 2.1): names and passwords are UTF-8.
pub const BASIC_CHALLENGE: &str = "Basic realm=\"gatelatch\", charset=\"UTF-8\"";

/// A user name and a password. It cannot be printed, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    /// In front of the first colon.
    pub username: Zeroizing<String>,
    /// Behind it; it may hold further ones.
    pub password: Zeroizing<String>,
}

impl BasicCredentials {
    /// Reads what stands behind the scheme; `None` where that is no base64 of UTF-8 with a colon and without control
    /// characters (RFC 7617, section 2).
    pub fn parse(token: &str) -> Option<Self> {
        let bytes = Zeroizing::new(LENIENT.decode(token).ok()?);
        let text = std::str::from_utf8(&bytes).ok()?;
        if text.chars().any(char::is_control) {
            return None;
        }
        let (username, password) = text.split_once(':')?;
        let own = |text: &str| Zeroizing::new(text.to_owned());
        Some(Self {
            username: own(username),
            password: own(password),
        })
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicCredentials(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose;

    use super::*;

    #[test]
    fn a_name_and_a_password_are_read_and_nothing_else_is() {
        let parse = |text: &[u8]| {
            let read = BasicCredentials::parse(&general_purpose::STANDARD.encode(text))?;
            Some((read.username.to_string(), read.password.to_string()))
        };
        for (text, username, password) in [
            ("Aladdin:open sesame", "Aladdin", "open sesame"),
            ("a:b:c:", "a", "b:c:"),
            ("test:123\u{a3}", "test", "123£"),
            (":x", "", "x"),
            ("x:", "x", ""),
            (":", "", ""),
        ] {
            let expected = Some((username.to_owned(), password.to_owned()));
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
        for text in [
            &b""[..],
            b"no colon",
            b"a:b\0",
            b"a\n:b",
            b"a:b\x7f",
            b"a:\xff",
            "a:b\u{85}".as_bytes(),
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        for token in ["", "!", "YTpi YTpi", "YTpi\n", "YTp", "YTpi=YTpi"] {
            assert_eq!(BasicCredentials::parse(token), None, "{token}");
        }
        let padded = BasicCredentials::parse("YTpiYw==");
        assert!(padded.is_some());
        assert_eq!(BasicCredentials::parse("YTpiYw"), padded);
        assert!(!format!("{padded:?}").contains("bc"));
    }
}
