//! One-time codes of an authenticator app (TOTP, RFC 6238): six digits, SHA-1, a step of 30 s. Apps agree on nothing else.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::secret::TotpSecret;

/// Seconds for which a code is shown.
pub const STEP: u64 = 30;

/// How many steps a clock may be off, in either direction (RFC 6238, section 5.2).
const DRIFT: u64 = 1;

/// The digits of a code.
const DIGITS: usize = 6;

/// A code as somebody typed it. It cannot be printed.
pub struct TotpCode(Zeroizing<[u8; DIGITS]>);

/// What a code is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeMatch {
    /// It is of this step, of which no code and of no later one was used yet.
    Fresh(u64),
    /// It was used before, or a later one was.
    Used,
    /// It is of another time or another secret.
    Wrong,
}

impl TotpCode {
    /// Reads six ASCII digits; blanks and hyphens between them do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = Zeroizing::new([0; DIGITS]);
        let mut typed = text.bytes().filter(|byte| !b" -".contains(byte));
        for digit in digits.iter_mut() {
            *digit = typed.next().filter(u8::is_ascii_digit)?;
        }
        typed.next().is_none().then_some(Self(digits))
    }
}

impl TotpSecret {
    /// The code of a step, as text.
    pub fn code_at(&self, step: u64) -> Zeroizing<String> {
        let code = self.digits(step);
        Zeroizing::new(code.iter().map(|digit| char::from(*digit)).collect())
    }

    /// What a code is worth at this second since 1970, where `last` is the last step of which one was used. Every step that may
    /// count is compared whole, so that time tells nothing of the code.
    pub fn look_at(&self, code: &TotpCode, now: u64, last: Option<u64>) -> CodeMatch {
        let current = now / STEP;
        let mut found = CodeMatch::Wrong;
        for step in current.saturating_sub(DRIFT)..=current.saturating_add(DRIFT) {
            let is_it = verify_slices_are_equal(&*self.digits(step), &*code.0).is_ok();
            // two steps may have one code: then the first that is left counts
            found = match found {
                CodeMatch::Fresh(_) => found,
                CodeMatch::Used | CodeMatch::Wrong if !is_it => found,
                CodeMatch::Used | CodeMatch::Wrong if last.is_some_and(|last| step <= last) => {
                    CodeMatch::Used
                }
                CodeMatch::Used | CodeMatch::Wrong => CodeMatch::Fresh(step),
            };
        }
        found
    }

    /// RFC 4226, section 5.3.
    fn digits(&self, step: u64) -> Zeroizing<[u8; DIGITS]> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.as_bytes());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = tag.last().map_or(0, |last| usize::from(last & 15));
        let four = tag.iter().skip(offset).take(4);
        let number = four.fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
        let mut rest = number & 0x7fff_ffff;
        let mut digits = Zeroizing::new([b'0'; DIGITS]);
        for digit in digits.iter_mut().rev() {
            // a remainder of ten fits
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }
}

impl fmt::Debug for TotpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, for SHA-1.
    fn secret() -> TotpSecret {
        TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap()
    }

    fn code(text: &str) -> TotpCode {
        TotpCode::parse(text).unwrap()
    }

    /// RFC 6238 shows eight digits; six are their last ones (RFC 4226, section 5.3, step 3).
    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        for (now, shown) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let text = &shown[2..];
            assert_eq!(*secret().code_at(now / STEP), *text);
            let found = secret().look_at(&code(text), now, None);
            assert_eq!(found, CodeMatch::Fresh(now / STEP), "{now}");
        }
    }

    /// RFC 4226, appendix D.
    #[test]
    fn the_vectors_of_rfc_4226_hold() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (step, text) in (0..).zip(codes) {
            assert_eq!(*secret().code_at(step), *text);
        }
    }

    #[test]
    fn a_code_is_good_for_its_step_and_one_to_either_side_and_once() {
        let secret = secret();
        let now = 1_700_000_010;
        let step = now / STEP;
        let look = |other: u64, last| secret.look_at(&code(&secret.code_at(other)), now, last);
        for (other, expected) in [
            (step - 2, CodeMatch::Wrong),
            (step - 1, CodeMatch::Fresh(step - 1)),
            (step, CodeMatch::Fresh(step)),
            (step + 1, CodeMatch::Fresh(step + 1)),
            (step + 2, CodeMatch::Wrong),
        ] {
            assert_eq!(look(other, None), expected, "{other}");
        }
        assert_eq!(look(step, Some(step - 1)), CodeMatch::Fresh(step));
        assert_eq!(look(step, Some(step)), CodeMatch::Used);
        // one that is older than a used one
        assert_eq!(look(step - 1, Some(step)), CodeMatch::Used);
        assert_eq!(look(step + 1, Some(step)), CodeMatch::Fresh(step + 1));
        assert_eq!(secret.look_at(&code("000000"), 0, None), CodeMatch::Wrong);
    }

    #[test]
    fn six_ascii_digits_are_a_code_and_nothing_else_is() {
        for text in ["287082", "287 082", " 28-70-82 "] {
            assert_eq!(*code(text).0, *b"287082", "{text}");
        }
        for text in [
            "",
            "28708",
            "2870820",
            "28708x",
            "٢٨٧٠٨٢",
            "287082\n",
            "+87082",
        ] {
            assert!(TotpCode::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{:?}", code("287082")), "TotpCode");
    }
}
