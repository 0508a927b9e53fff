//! Passwords from a terminal, from standard input, or by chance.

use std::fmt;
use std::io::{IsTerminal, Read};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::printing::{counted, say};
use crate::ambient;

/// bcrypt ignores everything beyond: two passwords that differ there would be the same.
const LONGEST: usize = 72;

/// What NIST SP 800-63B, section 5.1.1.1, asks for at least.
const SHORTEST: usize = 8;

/// More than any password, less than an endless stream.
const LONGEST_INPUT: u64 = 4096;

/// Why a text is no password that bcrypt can tell from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PasswordError {
    Empty,
    TooLong(usize),
    Nul,
}

/// Asks twice on a terminal, and reads the one line of standard input otherwise; its end is not part of the password.
pub(super) fn obtain() -> anyhow::Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        ask()
    } else {
        read(stdin.lock())
    }
}

/// A password of 120 random bits.
pub(super) fn random() -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(ambient::random_bytes::<15>()))
}

/// The bcrypt hash of a password. One that is short is hashed, and warned of: its length is the operator's to decide.
pub(super) fn hash(password: &str, cost: u32) -> anyhow::Result<String> {
    check(password)?;
    let length = password.chars().count();
    if length < SHORTEST {
        say(&format!(
            "warning: the password has {}; NIST SP 800-63B asks for at least {SHORTEST}",
            counted(length, "character")
        ))?;
    }
    ambient::hash_password(password, cost).context("cannot hash the password")
}

fn ask() -> anyhow::Result<Zeroizing<String>> {
    let prompt = |text| {
        rpassword::prompt_password(text)
            // the cursor still stands behind the prompt
            .inspect_err(|_| drop(say("")))
            .map(Zeroizing::new)
            .context("cannot ask for a password")
    };
    let password = prompt("Password: ")?;
    // a password that is refused anyway is not worth typing again
    check(&password)?;
    if prompt("Again: ")? != password {
        bail!("the passwords differ; nothing was hashed");
    }
    Ok(password)
}

fn read(input: impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut password = Zeroizing::new(String::new());
    input
        .take(LONGEST_INPUT)
        .read_to_string(&mut password)
        .context("cannot read a password in UTF-8 from standard input")?;
    if password.ends_with('\n') {
        password.pop();
        if password.ends_with('\r') {
            password.pop();
        }
    }
    if password.contains('\n') {
        bail!("standard input has more than one line; the password is one line");
    }
    Ok(password)
}

fn check(password: &str) -> Result<(), PasswordError> {
    match password.len() {
        0 => Err(PasswordError::Empty),
        LONGEST.. if password.len() > LONGEST => Err(PasswordError::TooLong(password.len())),
        _ if password.contains('\0') => Err(PasswordError::Nul),
        _ => Ok(()),
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("the password is empty; write it to standard input or at the prompt")
            }
            Self::TooLong(bytes) => {
                write!(
                    f,
                    "the password has {bytes} bytes, and bcrypt ignores all beyond {LONGEST}; choose a shorter one"
                )
            }
            Self::Nul => f.write_str(
                "the password holds a NUL byte, where bcrypt ends it; choose one without",
            ),
        }
    }
}

impl std::error::Error for PasswordError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(input: &[u8]) -> Result<String, String> {
        read(input)
            .and_then(|password| hash(&password, 4))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn one_line_end_is_not_part_of_the_password() {
        for (input, password) in [
            ("s3cret", "s3cret"),
            ("s3cret\n", "s3cret"),
            ("s3cret\r\n", "s3cret"),
        ] {
            let hash = hash_of(input.as_bytes()).unwrap();
            assert!(hash.starts_with("$2b$04$"), "{hash}");
            assert!(bcrypt::verify(password, &hash).unwrap(), "{input:?}");
        }
    }

    #[test]
    fn more_than_one_line_is_refused() {
        for input in ["a\nb\n", "a\nb", "a\n\n", "\nb", "a\r\nb\r\n"] {
            assert_eq!(
                hash_of(input.as_bytes()).unwrap_err(),
                "standard input has more than one line; the password is one line",
                "{input:?}"
            );
        }
    }

    #[test]
    fn the_longest_password_counts_to_its_last_byte() {
        let hash = hash_of("x".repeat(72).as_bytes()).unwrap();
        assert!(bcrypt::verify("x".repeat(72), &hash).unwrap());
        assert!(!bcrypt::verify("x".repeat(71), &hash).unwrap());
    }

    #[test]
    fn what_bcrypt_would_cut_off_is_refused() {
        let too_long = |bytes: usize| {
            format!(
                "the password has {bytes} bytes, and bcrypt ignores all beyond 72; choose a shorter one"
            )
        };
        for (input, expected) in [
            (
                "",
                "the password is empty; write it to standard input or at the prompt".to_owned(),
            ),
            (
                "\n",
                "the password is empty; write it to standard input or at the prompt".to_owned(),
            ),
            (&"x".repeat(73), too_long(73)),
            (&"é".repeat(37), too_long(74)),
            (
                "a\0b",
                "the password holds a NUL byte, where bcrypt ends it; choose one without"
                    .to_owned(),
            ),
        ] {
            assert_eq!(hash_of(input.as_bytes()).unwrap_err(), expected);
        }
        assert_eq!(
            hash_of(b"\xff").unwrap_err(),
            "cannot read a password in UTF-8 from standard input"
        );
    }
}
