//! The RP ID: the domain that keys are bound to (WebAuthn, section 5.1.2).

use std::fmt;
use std::net::IpAddr;

/// The longest domain name, in bytes.
const LONGEST: usize = 253;

/// The domain that keys are bound to. Browsers offer a key to this host and to those below it, over TLS. Without TLS
/// `localhost` alone can have keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpId(Box<str>);

/// The settings of passkeys and security keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasskeySettings {
    /// The domain that keys are bound to, for all hosts of that domain. `None`: each host has keys of its own.
    pub rp_id: Option<RpId>,
}

/// Why a text is no RP ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpIdError {
    /// Not a domain name: letters of ASCII, digits and hyphens, with dots between the labels; no port and no scheme.
    NotADomain,
    /// An IP address, which WebAuthn does not allow.
    Address,
    /// A single label, like `com`: every site below it could ask for the keys.
    SingleLabel,
}

impl RpId {
    /// Parses a domain name; letters are folded to lower case.
    ///
    /// # Errors
    /// [`RpIdError`].
    pub fn parse(text: &str) -> Result<Self, RpIdError> {
        let name = text.to_ascii_lowercase();
        if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return Err(RpIdError::Address);
        }
        let is_label = |label: &str| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(is_part)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() > LONGEST || !name.split('.').all(is_label) {
            return Err(RpIdError::NotADomain);
        }
        // browsers read a name that ends in a number as an address (WHATWG URL, section 3.5)
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
            return Err(RpIdError::Address);
        }
        if !name.contains('.') && name != "localhost" {
            return Err(RpIdError::SingleLabel);
        }
        Ok(Self(name.into()))
    }

    /// The RP ID of a site that has none of its own: its host, which comes with or without a port. `None` where that can
    /// have no keys.
    pub fn of_host(host: &str) -> Option<Self> {
        Self::parse(without_port(host)).ok()
    }

    /// Whether a host, with or without a port, is this domain or one below it.
    pub fn covers(&self, host: &str) -> bool {
        let host = without_port(host).to_ascii_lowercase();
        let below = host.strip_suffix(&*self.0);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    /// The domain, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl fmt::Display for RpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rp_id_is_a_domain_below_another() {
        for (text, expected) in [
            ("example.com", Ok("example.com")),
            ("Login.Example.COM", Ok("login.example.com")),
            ("localhost", Ok("localhost")),
            ("xn--bcher-kva.example", Ok("xn--bcher-kva.example")),
            ("com", Err(RpIdError::SingleLabel)),
            ("127.0.0.1", Err(RpIdError::Address)),
            ("[::1]", Err(RpIdError::Address)),
            ("::1", Err(RpIdError::Address)),
            ("1.2.3", Err(RpIdError::Address)),
            ("a.0x7f", Err(RpIdError::Address)),
            ("", Err(RpIdError::NotADomain)),
            ("https://example.com", Err(RpIdError::NotADomain)),
            ("example.com:443", Err(RpIdError::NotADomain)),
            ("example..com", Err(RpIdError::NotADomain)),
            (".example.com", Err(RpIdError::NotADomain)),
            ("example.com.", Err(RpIdError::NotADomain)),
            ("-a.example", Err(RpIdError::NotADomain)),
            ("bücher.example", Err(RpIdError::NotADomain)),
            ("a_b.example", Err(RpIdError::NotADomain)),
        ] {
            let parsed = RpId::parse(text);
            assert_eq!(
                parsed.as_ref().map(RpId::as_str),
                expected.as_ref().copied(),
                "{text}"
            );
        }
        assert_eq!(
            RpId::parse(&format!("{}.de", "a.".repeat(127))),
            Err(RpIdError::NotADomain)
        );
    }

    #[test]
    fn an_rp_id_covers_its_domain() {
        let id = RpId::parse("example.com").unwrap();
        for host in [
            "example.com",
            "EXAMPLE.com:8443",
            "a.example.com",
            "a.b.example.com:1",
        ] {
            assert!(id.covers(host), "{host}");
        }
        for host in [
            "badexample.com",
            "example.com.evil.test",
            "com",
            "",
            "example.org",
        ] {
            assert!(!id.covers(host), "{host}");
        }
        assert_eq!(
            RpId::of_host("localhost:8080").unwrap().as_str(),
            "localhost"
        );
        assert_eq!(RpId::of_host("127.0.0.1:8080"), None);
        assert_eq!(RpId::of_host("[::1]:8080"), None);
        assert_eq!(RpId::of_host("gateway:8080"), None);
    }
}
