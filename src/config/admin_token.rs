//! `admin.token`: what operators show who may change something.

use std::fmt;

use sha2::{Digest, Sha256};

/// The least number of characters: 16 random ones are out of reach of guessing over a network.
pub(super) const SHORTEST: usize = 16;

/// The token of the admin listener. Only its digest is kept, so that nothing can print it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AdminToken([u8; 32]);

impl AdminToken {
    /// A token of at least 16 visible ASCII characters, which is what fits into an `Authorization` field.
    pub fn new(text: &str) -> Option<Self> {
        let fits = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Sha256::digest(text).into()))
    }

    /// Whether this is the token. It takes the same time for every wrong one of the same length.
    pub fn is(&self, shown: &[u8]) -> bool {
        let shown = Sha256::digest(shown);
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &shown).is_ok()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_and_not_shown() {
        let token = AdminToken::new("0123456789abcdef").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [
            &b""[..],
            b"0123456789abcde",
            b"0123456789abcdeg",
            b"0123456789abcdef0",
        ] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "AdminToken");
        for refused in [
            "0123456789abcde",
            "0123456789abcde ",
            "0123456789abcd\u{e9}",
        ] {
            assert_eq!(AdminToken::new(refused), None, "{refused}");
        }
    }
}
