//! What of a file may be shown at all.

/// Stands where a secret stood.
pub(super) const REDACTED: &str = "[redacted]";

/// A text from a file as it may stand inside a message: short, in one line, and no secret.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    if looks_secret(text) {
        return REDACTED.to_owned();
    }
    let mut line: String = text.chars().take(LONGEST).flat_map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

fn printable(c: char) -> Vec<char> {
    if c.is_control() {
        c.escape_default().collect()
    } else {
        vec![c]
    }
}

/// Whether a key of this name, or one that was meant to be it, holds a secret.
pub(super) fn names_secret(key: &str) -> bool {
    // Longer keys are nobody's typing error, and measuring them takes long.
    if key.len() > 64 {
        return key.len() > 1000
            || ["passw", "secret"]
                .iter()
                .any(|word| key.to_ascii_lowercase().contains(word));
    }
    let folded: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    // the list of them holds names and hashes, which have names of their own
    if folded.ends_with("file") || folded == "apikeys" {
        return false;
    }
    let contained = [
        "passw",
        "secret",
        "passphrase",
        "privatekey",
        "clientkey",
        "apikey",
    ];
    let exact = ["hash", "pwd", "pw", "psw", "totp"];
    let near = ["password", "secret", "privatekey"];
    // of `auth.session`, and as near to `secret` as a slip
    if folded == "secure" {
        return false;
    }
    contained.iter().any(|word| folded.contains(word))
        || exact.contains(&folded.as_str())
        || near.iter().any(|word| {
            folded.len().abs_diff(word.len()) <= 2 && strsim::osa_distance(&folded, word) <= 2
        })
}

/// Whether a key of this name, or one that was meant to be it, holds a token: `admin.token`. The block `auth.token` has
/// the same name, and is none.
pub(super) fn names_token(key: &str) -> bool {
    key.len() <= 6 && strsim::osa_distance(&key.to_ascii_lowercase(), "token") <= 1
}

/// Whether a key of this name may hold a secret, where it is none of the configuration's: one of its words says so.
pub(super) fn may_name_secret(key: &str) -> bool {
    const WORDS: [&str; 22] = [
        "auth",
        "authentication",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "jwt",
        "key",
        "keys",
        "login",
        "otp",
        "pass",
        "passcode",
        "pepper",
        "pin",
        "psk",
        "salt",
        "seed",
        "token",
        "tokens",
        "totp",
    ];
    // longer words are met with a slip of the pen as well
    let means = |word: &str, known: &str| {
        word == known || known.len() > 8 && strsim::osa_distance(word, known) <= 2
    };
    let folded = key.to_ascii_lowercase();
    let mut words = folded.split(|c: char| !c.is_ascii_alphanumeric());
    names_secret(key)
        || names_token(key)
        || names_old_keys(key)
        || key.len() <= 64 && words.any(|word| WORDS.iter().any(|known| means(word, known)))
}

/// Whether a value is a secret whatever it is called: a hash, a key of ours, a PEM block, a password in a URL.
pub(super) fn looks_secret(value: &str) -> bool {
    const HASHES: [&str; 4] = ["$2a$", "$2b$", "$2y$", "$argon2"];
    // a long user list asks this of millions: one byte says that most hold nothing
    let hash = value.contains('$')
        && (value.starts_with('$') && value.len() > 8 && !value.starts_with("${")
            // `alice:$2b$…`, as in an htpasswd file
            || HASHES.iter().any(|kind| value.contains(kind)));
    hash || value.starts_with("glk_")
        || value.starts_with("{SHA")
        || value.contains('B') && value.contains("-----BEGIN")
        // `user:password@host`, with a scheme, with slashes alone, or without
        || value
            .rsplit_once('@')
            .is_some_and(|(before, _)| before.contains(':') || before.starts_with("//"))
}

/// Whether a key of this name, or one that was meant to be it, holds a list of older keys: `auth.token.previous`. A scalar
/// in it is a secret without its `secret:`.
pub(super) fn names_old_keys(key: &str) -> bool {
    key.len() <= 10 && strsim::osa_distance(&key.to_ascii_lowercase(), "previous") <= 2
}

/// Whether a key of this name holds the name of a file.
pub(super) fn names_file(key: &str) -> bool {
    key.len() >= 4 && key.as_bytes()[key.len() - 4..].eq_ignore_ascii_case(b"file")
}

/// Whether what should be the name of a file may be the secret that belongs into it: long and in one piece, or with a
/// piece in it that only chance makes, as base64 has between two slashes.
pub(super) fn may_be_secret(value: &str) -> bool {
    const PIECE: usize = 16;
    const ANY: usize = 24;
    let mut pieces = value.split(['/', '.']);
    if !value.contains(['/', '.']) {
        return value.len() >= ANY || is_random(value);
    }
    let mixed = |piece: &str| {
        let has = |kind: fn(&u8) -> bool| piece.bytes().any(|byte| kind(&byte));
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
    };
    pieces.any(|piece| piece.len() >= PIECE && mixed(piece))
}

/// Whether a name is one that only chance makes.
pub(super) fn is_random(name: &str) -> bool {
    let has_digit = name.bytes().any(|byte| byte.is_ascii_digit());
    name.len() >= 16 && has_digit && !name.contains(['/', '.', '_', ' '])
}

/// Whether a value only names a variable.
pub(super) fn is_reference(value: &str) -> bool {
    let inner = value
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for key in [
            "password",
            "passwrod",
            "Secret",
            "secert",
            "hash",
            "private_key",
            "client-key",
            "passwd",
        ] {
            assert!(names_secret(key), "{key}");
        }
        for key in [
            "secret_file",
            "password_file",
            "roles",
            "name",
            "pass",
            "path",
            "server",
            "services",
            "users",
            "api_keys",
        ] {
            assert!(!names_secret(key), "{key}");
        }
    }

    #[test]
    fn names_that_may_be_those_of_secrets() {
        for key in [
            "authorization",
            "Authorisation",
            "x-api-key",
            "signing_key",
            "key",
            "pass",
            "pin",
            "secrets",
            "bearer",
            "jwt",
            "credentails",
            "auth_token",
        ] {
            assert!(may_name_secret(key), "{key}");
        }
        for key in [
            "colour", "lisen", "rolse", "keyboard", "upstraem", "passage",
        ] {
            assert!(!may_name_secret(key), "{key}");
        }
    }

    #[test]
    fn names_of_tokens() {
        for (key, expected) in [
            ("token", true),
            ("Tokn", true),
            ("tokens", true),
            ("token_file", false),
            ("to", false),
        ] {
            assert_eq!(names_token(key), expected, "{key}");
        }
    }

    #[test]
    fn names_of_old_keys_and_of_files() {
        for (key, expected) in [
            ("previous", true),
            ("prevoius", true),
            ("Previous", true),
            ("previou", true),
            ("service", false),
            ("path", false),
        ] {
            assert_eq!(names_old_keys(key), expected, "{key}");
        }
        for (key, expected) in [
            ("secret_file", true),
            ("File", true),
            ("files", false),
            ("ile", false),
            ("été", false),
        ] {
            assert_eq!(names_file(key), expected, "{key}");
        }
    }

    #[test]
    fn a_secret_is_told_from_the_name_of_a_file() {
        for secret in [
            "6f1d2a0c9be84573a1c04d9e7f3b2a58",
            "6f1d2a0c9be84573",
            "correct horse battery staple",
            "an-environment-secret-of-enough-bytes",
            "Zm9vYmFyYmF6cXV4Zm9vYmFy/W1Ub3RoZXJwYXJ0MTIz+QQ==",
            "/AbCdEfGhIjKlMnOpQ7+aBcD",
        ] {
            assert!(may_be_secret(secret), "{secret}");
        }
        for name in [
            "",
            "token",
            "token.pem",
            "admin-token",
            "secrets/token",
            "/run/secrets/gatelatch_signing_key_production",
            "/etc/gatelatch/keys/2026/token.pem",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "../keys/a-very-long-name-of-a-key-file.pem",
            "/nix/store/6f1d2a0c9be84573a1c04d9e7f3b2a58-gatelatch/secret",
        ] {
            assert!(!may_be_secret(name), "{name}");
        }
    }

    #[test]
    fn values_that_are_secret_under_any_name() {
        for value in [
            "$2b$12$abcdefgh",
            "alice:$2y$05$abcdefgh",
            "glk_abc",
            "http://user:pass@host",
            "http://token@host",
            "user:pass@host:80",
            "//user:pass@host",
            "//token@host",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert!(looks_secret(value), "{value}");
            assert_eq!(shown(value), REDACTED);
        }
        for value in [
            "${SECRET}",
            "$2",
            "http://127.0.0.1:9000",
            "alice@example.com",
        ] {
            assert!(!looks_secret(value), "{value}");
        }
    }

    #[test]
    fn a_message_stays_in_one_line() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(70)).chars().count(), 61);
    }
}
