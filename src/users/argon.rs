//! argon2id hashes in PHC format, as Authelia and others write them. They are read, never made.

use argon2::password_hash::{PasswordHash, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::hash_error::HashError;
use super::work::Work;

/// Reads what a hash costs.
///
/// # Errors
/// [`HashError`] for a hash that cannot be checked, or only with too much memory or time.
pub(super) fn read(text: &str) -> Result<Work, HashError> {
    let hash = PasswordHash::new(text).map_err(|_| HashError::MalformedArgon2)?;
    let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
        return Err(HashError::MalformedArgon2);
    };
    let params = Params::try_from(&hash).map_err(|_| HashError::MalformedArgon2)?;
    let mut buffer = [0; 64];
    let salted = salt
        .decode_b64(&mut buffer)
        .is_ok_and(|salt| salt.len() >= 8);
    let exact = hash.version == Some(Version::V0x13.into())
        && params.keyid().is_empty()
        && params.data().is_empty();
    if !salted || !exact || output.len() < 16 {
        return Err(HashError::MalformedArgon2);
    }
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    let bounded = memory <= 256 << 10 && passes <= 32 && lanes <= 16;
    if !bounded || u64::from(memory) * u64::from(passes) > 1 << 20 {
        return Err(HashError::TooMuchWork);
    }
    Ok(Work::Argon2id {
        memory,
        passes,
        lanes,
    })
}

/// Whether a candidate is the password of a hash that was read. One run, whatever the candidate.
pub(super) fn check(candidate: &[u8], text: &str) -> bool {
    let Ok(hash) = PasswordHash::new(text) else {
        return false;
    };
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default());
    argon2.verify_password(candidate, &hash).is_ok()
}

/// A hash of this work that matches nothing.
pub(super) fn dummy(memory: u32, passes: u32, lanes: u32) -> String {
    let (salt, output) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with the reference implementation (`argon2-cffi`).
    const HASH: &str = "$argon2id$v=19$m=1024,t=2,p=2$";

    #[test]
    fn parameters_are_bounded() {
        let hash = |parameters: &str| {
            format!(
                "$argon2id$v=19${parameters}${}${}",
                "A".repeat(22),
                "A".repeat(43)
            )
        };
        let work = |memory, passes, lanes| {
            Ok(Work::Argon2id {
                memory,
                passes,
                lanes,
            })
        };
        for (text, expected) in [
            (hash("m=65536,t=3,p=4"), work(65_536, 3, 4)),
            (hash("m=8,t=1,p=1"), work(8, 1, 1)),
            (hash("m=262144,t=4,p=16"), work(262_144, 4, 16)),
            (hash("m=262145,t=1,p=1"), Err(HashError::TooMuchWork)),
            (hash("m=262144,t=5,p=1"), Err(HashError::TooMuchWork)),
            (hash("m=64,t=33,p=1"), Err(HashError::TooMuchWork)),
            (hash("m=1024,t=1,p=17"), Err(HashError::TooMuchWork)),
            (
                hash("m=4294967295,t=4294967295,p=1"),
                Err(HashError::TooMuchWork),
            ),
            (hash("m=4,t=1,p=1"), Err(HashError::MalformedArgon2)),
            (hash("m=64,t=0,p=1"), Err(HashError::MalformedArgon2)),
            (hash("m=64,t=1"), work(64, 1, 1)),
            (
                hash("m=64,t=1,p=1,keyid=AAAA"),
                Err(HashError::MalformedArgon2),
            ),
            (
                hash("m=64,t=1,p=1").replace("v=19", "v=16"),
                Err(HashError::MalformedArgon2),
            ),
            (
                hash("m=64,t=1,p=1").replace("v=19$", ""),
                Err(HashError::MalformedArgon2),
            ),
            (
                hash("m=64,t=1,p=1").replace(&format!("${}$", "A".repeat(22)), "$AAAA$"),
                Err(HashError::MalformedArgon2),
            ),
            (
                format!("$argon2id$v=19$m=64,t=1,p=1${}", "A".repeat(22)),
                Err(HashError::MalformedArgon2),
            ),
            ("$argon2id$".to_owned(), Err(HashError::MalformedArgon2)),
        ] {
            assert_eq!(read(&text), expected, "{text}");
        }
    }

    #[test]
    fn the_dummy_is_a_hash_of_its_work() {
        assert_eq!(
            read(&dummy(1024, 2, 2)),
            Ok(Work::Argon2id {
                memory: 1024,
                passes: 2,
                lanes: 2
            })
        );
        assert!(!check(b"", &dummy(8, 1, 1)));
    }

    #[test]
    fn a_hash_of_another_implementation_matches() {
        let hash =
            format!("{HASH}OT7ed3ahtrISNiNshfDPcg$kzgHK+ccvooaiVvw26QFBoEYPDFFVaG1IRuFU7y248M");
        assert!(check("correct horse ü".as_bytes(), &hash));
        assert!(!check(b"correct horse", &hash));
        // unlike bcrypt, every byte counts
        let long = "$argon2id$v=19$m=1024,t=2,p=2$02YzSxItVmXoFOEMwonp8w$qg6K+pd90/RpwGKCy9XanRQtUdaDNSjMU7nsdWvPub8";
        let password = "x".repeat(100) + "\0y";
        assert!(check(password.as_bytes(), long));
        assert!(!check("x".repeat(100).as_bytes(), long));
    }
}
