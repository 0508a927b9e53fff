//! What somebody types where a second factor is asked for.

use super::code::TotpCode;
use super::recovery::RecoveryCode;

/// A code of the app, or a recovery code: the field is one, and their lengths tell them apart.
#[derive(Debug)]
pub enum OneTimeCode {
    /// Of an authenticator app.
    Totp(TotpCode),
    /// For who has lost it.
    Recovery(RecoveryCode),
}

impl OneTimeCode {
    /// Reads either.
    pub fn parse(text: &str) -> Option<Self> {
        let totp = TotpCode::parse(text).map(Self::Totp);
        totp.or_else(|| RecoveryCode::parse(text).map(Self::Recovery))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_are_told_apart() {
        for (text, is_totp) in [("234 567", true), ("abcd-efgh-ijkl-mnop", false)] {
            let read = OneTimeCode::parse(text).unwrap();
            assert_eq!(matches!(read, OneTimeCode::Totp(_)), is_totp, "{text}");
        }
        assert!(OneTimeCode::parse("").is_none() && OneTimeCode::parse("hunter2").is_none());
    }
}
