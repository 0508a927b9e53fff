//! `ldap://` and `ldaps://` URLs (RFC 4516), as far as they say where a directory is.

use std::fmt;

use http::uri::Authority;

use crate::net::ServerAddress;

/// Where a directory listens, and whether TLS begins with the first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapUrl {
    is_ldaps: bool,
    server: ServerAddress,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LdapUrlError {
    /// Not `ldap://host`, `ldaps://host`, either with a port.
    Malformed,
    /// A user name or a password in it.
    UserInfo,
    /// A name to search from, or anything else behind the server.
    Search,
}

impl LdapUrl {
    /// Parses `ldap://host[:port]` or `ldaps://host[:port]`; the ports are 389 and 636 by default.
    ///
    /// # Errors
    /// [`LdapUrlError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, LdapUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(LdapUrlError::Malformed)?;
        let (is_ldaps, port) = match &*scheme.to_ascii_lowercase() {
            "ldap" => (false, 389),
            "ldaps" => (true, 636),
            _ => return Err(LdapUrlError::Malformed),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(LdapUrlError::UserInfo);
        }
        if rest.contains(['/', '?', '#']) {
            return Err(LdapUrlError::Search);
        }
        let authority: Authority = rest.parse().map_err(|_| LdapUrlError::Malformed)?;
        let server = ServerAddress::from_authority(&authority, port);
        Ok(Self {
            is_ldaps,
            server: server.ok_or(LdapUrlError::Malformed)?,
        })
    }

    /// Whether TLS begins with the first byte.
    pub fn is_ldaps(&self) -> bool {
        self.is_ldaps
    }

    /// Where to connect.
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// Whether the host is this very machine, by address or as `localhost`.
    pub fn is_loopback(&self) -> bool {
        match &self.server {
            ServerAddress::Host(host, _) => {
                let address = host.parse::<std::net::IpAddr>();
                &**host == "localhost"
                    || address.is_ok_and(|address| address.to_canonical().is_loopback())
            }
            ServerAddress::Unix(_) => true,
        }
    }
}

impl fmt::Display for LdapUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_ldaps { "ldaps" } else { "ldap" };
        write!(f, "{scheme}://{}", self.server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_a_directory_is() {
        let shown = |text: &str| LdapUrl::parse(text).map(|url| url.to_string());
        let good = |text: &str| Ok(text.to_owned());
        assert_eq!(
            shown("ldap://dc1.example.com"),
            good("ldap://dc1.example.com:389")
        );
        assert_eq!(
            shown("LDAPS://DC1.example.com/"),
            good("ldaps://dc1.example.com:636")
        );
        assert_eq!(shown("ldaps://[::1]:3269"), good("ldaps://[::1]:3269"));
        for text in [
            "",
            "dc1.example.com",
            "https://a",
            "ldapi:///",
            "ldap://",
            "ldap://a:0",
            "ldap://a:65536",
            "ldap://a b",
        ] {
            assert_eq!(shown(text), Err(LdapUrlError::Malformed), "{text}");
        }
        assert_eq!(shown("ldap://u:p@a"), Err(LdapUrlError::UserInfo));
        for text in ["ldap://a/dc=x", "ldap://a?b", "ldap://a/#b"] {
            assert_eq!(shown(text), Err(LdapUrlError::Search), "{text}");
        }
        let local = |text: &str| LdapUrl::parse(text).unwrap().is_loopback();
        assert!(local("ldap://127.0.0.1") && local("ldap://localhost:1") && local("ldap://[::1]"));
        assert!(!local("ldap://10.0.0.1") && !local("ldap://localhost.example.com"));
    }
}
