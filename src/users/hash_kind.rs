//! The hashes that other programs write: what stands around one that can be checked, and what the others are called.

use std::borrow::Cow;

use super::hash_error::{ForeignHash, HashError};

/// The schemes around a crypt(3) text, which name again what it says itself, in lower case: Dovecot's, OpenLDAP's and
/// Spring's.
const SCHEMES: [&str; 6] = [
    "{crypt}",
    "{blf-crypt}",
    "{argon2id}",
    "{argon2}",
    "{argon2@springsecurity_v5_8}",
    "{bcrypt}",
];

/// How foreign hashes begin, in lower case; of several that fit, the first counts.
const FOREIGN: [(&str, &str, &str); 67] = [
    ("$argon2i$", "argon2i", "Debian's `argon2` and slapd"),
    ("$argon2d$", "argon2d", "the `argon2` command"),
    ("$y$", "yescrypt", "passwd of Debian and Fedora"),
    ("$gy$", "gost-yescrypt", "passwd of ALT Linux"),
    ("$7$", "scrypt", "crypt(3) of libxcrypt"),
    ("$1$", "md5-crypt", "`openssl passwd -1`"),
    ("$5$", "sha256-crypt", "`openssl passwd -5`"),
    ("$6$", "sha512-crypt", "`openssl passwd -6` and `mkpasswd`"),
    ("$apr1$", "apr1", "htpasswd without `-B`"),
    ("$sha1$", "sha1-crypt", "NetBSD"),
    ("$md5", "SunMD5", "Solaris"),
    ("$3$", "NT hash", "crypt(3) of FreeBSD"),
    ("$a$", "caching_sha2_password", "MySQL 8"),
    ("$2x$", "bcrypt with the bug of 2011", "crypt_blowfish"),
    ("$2$", "bcrypt of the first version", "OpenBSD before 1998"),
    ("$bcrypt-sha256$", "bcrypt_sha256", "passlib"),
    ("$pbkdf2", "pbkdf2", "Authelia and passlib"),
    ("$scrypt$", "scrypt", "Authelia and passlib"),
    ("$wp$", "bcrypt of a SHA-384", "WordPress 6.8"),
    ("$p$", "phpass", "WordPress"),
    ("$h$", "phpass", "phpBB"),
    ("$s$", "SHA-512 in rounds", "Drupal"),
    ("bcrypt_sha256$", "bcrypt_sha256", "Django"),
    ("pbkdf2_sha256$", "pbkdf2_sha256", "Django"),
    ("pbkdf2_sha1$", "pbkdf2_sha1", "Django"),
    ("scrypt$", "scrypt", "Django"),
    ("sha1$", "salted SHA-1", "Django"),
    ("md5$", "salted MD5", "Django"),
    ("scrypt:", "scrypt", "Werkzeug and Flask"),
    ("pbkdf2:", "pbkdf2", "Werkzeug and Flask"),
    ("jdj", "base64 of a bcrypt hash", "`caddy hash-password`"),
    ("scram-sha-256$", "SCRAM", "PostgreSQL"),
    ("grub.pbkdf2.", "pbkdf2", "`grub-mkpasswd-pbkdf2`"),
    ("aqaaaa", "pbkdf2", "ASP.NET Core Identity"),
    ("{argon2i}", "argon2i", "Dovecot"),
    ("{argon2d}", "argon2d", "Dovecot"),
    ("{sasl}", "no hash but a name for SASL", "OpenLDAP"),
    ("{kerberos}", "no hash but a Kerberos principal", "OpenLDAP"),
    ("{ssha}", "salted SHA-1 (SSHA)", "OpenLDAP"),
    (
        "{ssha256}",
        "salted SHA-256 (SSHA256)",
        "OpenLDAP and Dovecot",
    ),
    (
        "{ssha512}",
        "salted SHA-512 (SSHA512)",
        "OpenLDAP and Dovecot",
    ),
    (
        "{sha}",
        "SHA-1 without a salt",
        "`htpasswd -s` and OpenLDAP",
    ),
    ("{sha1}", "SHA-1 without a salt", "Dovecot"),
    ("{sha256", "sha256-crypt or a SHA-256", "Dovecot and Spring"),
    ("{sha512", "sha512-crypt or a SHA-512", "Dovecot"),
    ("{smd5}", "salted MD5 (SMD5)", "OpenLDAP"),
    ("{md5-crypt}", "md5-crypt", "Dovecot"),
    ("{md5", "MD5", "OpenLDAP and Dovecot"),
    ("{plain-md", "a digest without a salt", "Dovecot"),
    ("{ldap-md5}", "MD5", "Dovecot"),
    ("{hmac-md5}", "HMAC-MD5", "Dovecot"),
    ("{digest-md5}", "DIGEST-MD5", "Dovecot"),
    ("{ntlm}", "NT hash", "Dovecot"),
    ("{lanman}", "LAN Manager hash", "Dovecot"),
    ("{otp}", "one-time password", "Dovecot"),
    ("{skey}", "one-time password", "Dovecot"),
    ("{rpa}", "RPA", "Dovecot"),
    ("{bsdmd5}", "md5-crypt", "OpenLDAP"),
    ("{x-", "a hash of a directory's own kind", "LDAP servers"),
    ("{pbkdf2", "pbkdf2", "OpenLDAP, Dovecot and Spring"),
    ("{scrypt", "scrypt", "Spring"),
    ("{des", "DES", "Dovecot"),
    ("{cram-md5}", "CRAM-MD5", "Dovecot"),
    ("{scram-", "SCRAM", "Dovecot"),
    ("{plain", "a password in the clear", "Dovecot"),
    (
        "{cleartext}",
        "a password in the clear",
        "Dovecot and OpenLDAP",
    ),
    ("{noop}", "a password in the clear", "Spring"),
];

/// The crypt(3) or PHC text of a hash, without what names its kind once more: `{CRYPT}$2y$…` of Dovecot and OpenLDAP,
/// `{bcrypt}$2a$…` of Spring, `bcrypt$$2b$…` and `argon2$argon2id$…` of Django.
pub(super) fn unwrapped(text: &str) -> &str {
    let scheme = SCHEMES.iter().find_map(|scheme| {
        let rest = text.get(scheme.len()..)?;
        let is_scheme = text[..scheme.len()].eq_ignore_ascii_case(scheme);
        (is_scheme && rest.starts_with('$')).then_some(rest)
    });
    let django = || {
        let bcrypt = text
            .strip_prefix("bcrypt$")
            // in a configuration `$$` is one `$`
            .map(|rest| {
                if rest.starts_with('$') {
                    rest
                } else {
                    &text[6..]
                }
            });
        bcrypt.or_else(|| {
            text.strip_prefix("argon2")
                .filter(|rest| rest.starts_with("$argon2"))
        })
    };
    scheme.or_else(django).unwrap_or(text)
}

/// What a text is that is no hash that is checked here, as far as it can be told.
pub(super) fn refused(text: &str) -> HashError {
    let folded = |text: &str| {
        let start: String = text.chars().take(24).collect();
        start.to_ascii_lowercase()
    };
    // crypt(3) of whichever kind
    let text = if folded(text).starts_with("{crypt}") {
        &text["{crypt}".len()..]
    } else {
        text
    };
    let start = folded(text);
    if is_locked(text) {
        return HashError::Locked;
    }
    let (scheme, encoding) = encoded(&start);
    let known = match encoding {
        Some(kind) if SCHEMES.contains(&&*scheme) => Some((kind, "Dovecot")),
        _ => FOREIGN
            .iter()
            .find(|(prefix, ..)| scheme.starts_with(prefix))
            .map(|(_, kind, writer)| (*kind, *writer))
            .or_else(|| by_shape(text)),
    };
    known.map_or(HashError::Unknown, |(kind, writer)| {
        HashError::Foreign(ForeignHash { kind, writer })
    })
}

/// What shadow(5) has where no password is good: before the hash, or in place of one. Django begins one that nobody has
/// with `!` as well.
fn is_locked(text: &str) -> bool {
    text.starts_with('!') || matches!(text, "*" | "x" | "NP" | "LK") || {
        let rest = text.strip_prefix('*');
        rest.is_some_and(|rest| matches!(rest, "NP*" | "LK*" | "*") || rest.starts_with('$'))
    }
}

/// The scheme of Dovecot without the encoding that it may name behind a point, and what the encoding makes of a hash.
fn encoded(start: &str) -> (Cow<'_, str>, Option<&'static str>) {
    for (suffix, kind) in [
        (".b64}", "base64 of a hash"),
        (".base64}", "base64 of a hash"),
        (".hex}", "hexadecimal digits of a hash"),
    ] {
        if let Some((scheme, _)) = start.split_once(suffix) {
            return (format!("{scheme}}}").into(), Some(kind));
        }
    }
    (start.into(), None)
}

/// Hashes that nothing introduces. Letters and digits may be a password as well, which is a mistake of the same kind.
fn by_shape(text: &str) -> Option<(&'static str, &'static str)> {
    let is_crypt = |text: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
        text.bytes().all(is_letter)
    };
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let behind = |mark: &str| text.strip_prefix(mark);
    match text.len() {
        32 | 40 | 64 | 96 | 128 if is_hexadecimal(text) => {
            Some(("a bare digest (MD5 or SHA)", "`md5sum` and its kin"))
        }
        13 if is_crypt(text) => Some(("DES", "crypt(3) and `htpasswd -d`")),
        20 if behind("_").is_some_and(is_crypt) => Some(("extended DES", "crypt(3) of BSDi")),
        41 if behind("*").is_some_and(is_hexadecimal) => {
            Some(("mysql_native_password", "MySQL and MariaDB"))
        }
        35 if behind("md5").is_some_and(is_hexadecimal) => Some(("salted MD5", "PostgreSQL")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash_error::HashError;
    use super::super::password::PasswordHash;

    const BCRYPT: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
    const ARGON2ID: &str = "$argon2id$v=19$m=1024,t=2,p=2$OT7ed3ahtrISNiNshfDPcg$kzgHK+ccvooaiVvw26QFBoEYPDFFVaG1IRuFU7y248M";

    #[test]
    fn a_hash_in_a_wrapper_is_the_hash() {
        for (wrapper, hash) in [
            ("", BCRYPT),
            ("{CRYPT}", BCRYPT),
            ("{crypt}", BCRYPT),
            ("{BLF-CRYPT}", BCRYPT),
            ("{bcrypt}", BCRYPT),
            ("bcrypt$", BCRYPT),
            ("bcrypt", BCRYPT),
            ("", ARGON2ID),
            ("{CRYPT}", ARGON2ID),
            ("{ARGON2ID}", ARGON2ID),
            ("{ARGON2}", ARGON2ID),
            ("{argon2@SpringSecurity_v5_8}", ARGON2ID),
            ("argon2", ARGON2ID),
        ] {
            let wrapped = format!("{wrapper}{hash}");
            let parsed = PasswordHash::parse(&wrapped);
            assert!(parsed == PasswordHash::parse(hash), "{wrapped}");
            assert!(parsed.is_ok(), "{wrapped}");
        }
    }

    /// Each line as the program writes it.
    #[test]
    fn a_hash_of_another_kind_is_named() {
        let b64 = "c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaA";
        for (text, kind) in [
            ("$y$j9T$abcdefgh$CrOblYQyjY5Tk5z9lVY4Z", "yescrypt"),
            ("$7$CU..../....2Q9obwLhin8qvQl6sisAO", "scrypt"),
            ("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", "md5-crypt"),
            ("$5$rounds=5000$abcdefgh$hash", "sha256-crypt"),
            ("{CRYPT}$6$abcdefgh$hash", "sha512-crypt"),
            ("$apr1$abcdefgh$irWbblnpmw.5z7wgBnprh0", "apr1"),
            (&format!("$argon2i$v=19$m=4096,t=3,p=1${b64}"), "argon2i"),
            (
                &format!("{{ARGON2}}$argon2i$v=19$m=4096,t=3,p=1${b64}"),
                "argon2i",
            ),
            (
                &format!("argon2$argon2i$v=19$m=512,t=2,p=2${b64}"),
                "argon2i",
            ),
            (&format!("bcrypt_sha256${BCRYPT}"), "bcrypt_sha256"),
            ("$bcrypt-sha256$v=2,t=2b,r=12$salt$hash", "bcrypt_sha256"),
            ("pbkdf2_sha256$600000$salt$hash=", "pbkdf2_sha256"),
            ("$pbkdf2-sha512$310000$salt$hash", "pbkdf2"),
            ("scrypt:32768:8:1$salt$0123", "scrypt"),
            ("pbkdf2:sha256:600000$salt$0123", "pbkdf2"),
            (
                "{SSHA}qUqP5cyxm6YcTAhz05Hph5gvu9NTYWx0",
                "salted SHA-1 (SSHA)",
            ),
            ("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "SHA-1 without a salt"),
            (
                "JDJhJDE0JHhJekJEQ1NyL1hmT3ZqLmpNb2R5Zi5L",
                "base64 of a bcrypt hash",
            ),
            ("rl0uE0wzVVyHA", "DES"),
            (
                "5f4dcc3b5aa765d61d8327deb882cf99",
                "a bare digest (MD5 or SHA)",
            ),
            ("$wp$2y$10$abcdefgh", "bcrypt of a SHA-384"),
            (
                "$2x$10$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC",
                "bcrypt with the bug of 2011",
            ),
            ("{noop}hunter2", "a password in the clear"),
            ("{PLAIN}hunter2", "a password in the clear"),
            (
                "{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99",
                "a digest without a salt",
            ),
            ("{CRYPT}rl0uE0wzVVyHA", "DES"),
            ("{crypt}_J9..K0AyUubyEDIsdBY", "extended DES"),
            ("_J9..K0AyUubyEDIsdBY", "extended DES"),
            ("{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", "md5-crypt"),
            (
                "{ARGON2I}$argon2i$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA",
                "argon2i",
            ),
            (
                "{SSHA.HEX}aa94cfe5ccb19ba61c4c0873d391e987982fbbd353616c74",
                "salted SHA-1 (SSHA)",
            ),
            ("{SSHA256.b64}AAAA", "salted SHA-256 (SSHA256)"),
            ("{SHA512-CRYPT.b64}JDYk", "sha512-crypt or a SHA-512"),
            ("{BLF-CRYPT.b64}JDJ5JDA1JA==", "base64 of a hash"),
            ("{CRYPT.BASE64}JDJ5JDA1JA==", "base64 of a hash"),
            (
                "{ARGON2ID.hex}246172676f6e32",
                "hexadecimal digits of a hash",
            ),
            (
                "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
                "mysql_native_password",
            ),
            ("$A$005$salt", "caching_sha2_password"),
            ("SCRAM-SHA-256$4096:salt$stored:server", "SCRAM"),
            ("md55f4dcc3b5aa765d61d8327deb882cf99", "salted MD5"),
            ("{SASL}rita@EXAMPLE", "no hash but a name for SASL"),
        ] {
            match PasswordHash::parse(text) {
                Err(HashError::Foreign(foreign)) => assert_eq!(foreign.kind, kind, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let of_shadow = format!("!{BCRYPT}");
        for text in [
            "!",
            "!!",
            "*",
            "x",
            "!*",
            "*LK*",
            "!$6$salt$hash",
            "{CRYPT}!",
            &of_shadow,
        ] {
            assert_eq!(
                PasswordHash::parse(text).err(),
                Some(HashError::Locked),
                "{text}"
            );
        }
        for text in [
            "",
            "**hunter2**",
            "{BLF-CRYPTA.b64}",
            "hunter2",
            "{hunter2}",
            "$",
            "correct horse battery staple",
            "é",
        ] {
            assert_eq!(
                PasswordHash::parse(text).err(),
                Some(HashError::Unknown),
                "{text}"
            );
        }
    }
}
