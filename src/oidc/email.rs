//! Mail addresses that decide who may sign in: those of which everybody thinks that it is the same mailbox.

use std::fmt;

use super::subject::is_acceptable;

/// The most bytes of the part before the `@` (RFC 5321, section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// The most bytes of a domain, and of one of its labels (RFC 1035, section 2.3.4).
const LONGEST_DOMAIN: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A mail address in the one form that has one reading: `local@domain`. Of what the RFCs allow besides, a provider and a mail
/// server have different ideas: quoted parts (`"a@example.com"@example.org`), comments, addresses of hosts (`a@[192.0.2.1]`), a
/// dot at the end, and domains that are not written in ASCII. They are no addresses here.
///
/// Equal are those that name the same mailbox. Case does not count, as those who write addresses down mean it, but for letters
/// outside ASCII: folded, some of them are letters of ASCII.
#[derive(Clone, Debug, Eq)]
pub struct EmailAddress {
    text: Box<str>,
    at: usize,
}

/// The domain of mail addresses, or every domain below one: `example.com`, `*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailDomain {
    /// In lower case.
    name: Box<str>,
    is_below: bool,
}

impl EmailAddress {
    /// Reads an address as it is written; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        // RFC 5322, section 3.2.3, with the letters of RFC 6531; some have dots that the grammar does not allow
        let is_plain = |c: char| match c.is_ascii() {
            true => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c),
            false => c.is_alphanumeric(),
        };
        let is_local = (1..=LONGEST_LOCAL).contains(&local.len()) && local.chars().all(is_plain);
        let is_address = is_local && is_domain(domain) && is_acceptable(text);
        is_address.then(|| Self {
            text: text.into(),
            at: local.len(),
        })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }
}

impl EmailDomain {
    /// Reads a domain, or `*.` and a domain; `None` for everything else. Case does not count.
    pub fn parse(text: &str) -> Option<Self> {
        let below = text.strip_prefix("*.");
        let name = below.unwrap_or(text);
        is_domain(name).then(|| Self {
            name: name.to_ascii_lowercase().into(),
            is_below: below.is_some(),
        })
    }

    /// Whether an address is of this domain, or of one below it.
    pub fn covers(&self, address: &EmailAddress) -> bool {
        let domain = address.domain().to_ascii_lowercase();
        if !self.is_below {
            return *domain == *self.name;
        }
        let rest = domain.strip_suffix(&*self.name);
        rest.is_some_and(|rest| rest.ends_with('.'))
    }
}

/// Letters, digits and `-` of ASCII in labels (RFC 1123, section 2.1); others are written as `xn--…` (RFC 5890).
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST_DOMAIN && text.split('.').all(is_label)
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_reading() {
        let long = |local: usize| format!("{}@example.com", "a".repeat(local));
        for good in [
            "a@b",
            "walter@example.com",
            "Walter.Sobchak+bowling@Example.COM",
            "o'brien@xn--bcher-kva.example",
            "jürgen@example.com",
            "a..b@docomo.example",
            &long(64),
        ] {
            let parsed = EmailAddress::parse(good);
            assert_eq!(parsed.as_ref().map(EmailAddress::as_str), Some(good));
        }
        for bad in [
            "",
            "@",
            "ab",
            "@example.com",
            "a@",
            "a@b@example.com",
            "a@example.com@evil.example",
            "\"a@evil.example\"@example.com",
            "\"a\"@example.com",
            "a\\@example.com",
            "a@example.com.",
            "a@.example.com",
            "a@example..com",
            "a@-example.com",
            "a@example-.com",
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
            "a(b)@example.com",
            "a@example.com(c)",
            "a@example.com, b@evil.example",
            "Walter <a@example.com>",
            "a b@example.com",
            " a@example.com",
            "a@example.com ",
            "a@exam ple.com",
            "a@example.com:25",
            "a@example.com\u{0}",
            "a@example.com\r\nx",
            "a\u{202e}@example.com",
            "a@exam\u{200b}ple.com",
            "a@bücher.example",
            // KELVIN SIGN, FULLWIDTH FULL STOP, IDEOGRAPHIC FULL STOP: folded they are of ASCII
            "a@\u{212a}de.example",
            "a@example\u{ff0e}com",
            "a@example\u{3002}com",
            // FULLWIDTH COMMERCIAL AT
            "a\u{ff20}evil.example@example.com",
            &long(65),
        ] {
            assert_eq!(EmailAddress::parse(bad), None, "{bad:?}");
        }
        let label = |length: usize| format!("a@{}.example", "b".repeat(length));
        assert!(EmailAddress::parse(&label(63)).is_some());
        assert!(EmailAddress::parse(&label(64)).is_none());
    }

    #[test]
    fn domains_compare_without_case_and_by_whole_labels() {
        let covers = |domain: &str, address: &str| {
            let domain = EmailDomain::parse(domain).unwrap();
            domain.covers(&EmailAddress::parse(address).unwrap())
        };
        assert!(covers("Example.COM", "a@eXample.com"));
        assert!(!covers("example.com", "a@sub.example.com"));
        assert!(!covers("example.com", "a@badexample.com"));
        assert!(!covers("example.com", "a@example.com.evil.example"));
        assert!(covers("*.example.com", "a@Sub.example.com"));
        assert!(covers("*.example.com", "a@b.sub.example.com"));
        assert!(!covers("*.example.com", "a@example.com"));
        assert!(!covers("*.example.com", "a@badexample.com"));
        for bad in [
            "",
            "*",
            "*.",
            ".example.com",
            "example.com.",
            "*.*.example.com",
            "a@example.com",
            "exa mple.com",
            "bücher.example",
            "@example.com",
        ] {
            assert_eq!(EmailDomain::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_the_case_of_ascii_does_not_count() {
        let is_same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| EmailAddress::parse(text).unwrap());
            one == other
        };
        assert!(is_same("Ann@Example.com", "ann@example.COM"));
        assert!(!is_same("\u{212a}ai@example.com", "kai@example.com"));
        assert!(!is_same("ann@example.com", "ann@example.org"));
    }
}
