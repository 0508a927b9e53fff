//! Where keys are published.

use std::fmt;

use http::Uri;
use http::uri::Authority;

/// The address of a key set: `https://host[:port]/path`, or `http://` inside a network that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyUrl {
    secure: Security,
    host: Box<str>,
    port: u16,
    authority: Box<str>,
    target: Box<str>,
}

/// Whether somebody between may change what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Security {
    Tls,
    Clear,
}

/// Why a text is no such address; `Display` says what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUrlError {
    /// Not `https://host/path`.
    Malformed,
    /// A user name or a password in it.
    UserInfo,
}

impl KeyUrl {
    /// Parses an absolute `https` or `http` URL.
    ///
    /// # Errors
    /// [`KeyUrlError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, KeyUrlError> {
        let uri: Uri = text.parse().map_err(|_| KeyUrlError::Malformed)?;
        let authority: &Authority = uri.authority().ok_or(KeyUrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(KeyUrlError::UserInfo);
        }
        let (secure, default_port) = match uri.scheme_str() {
            Some("https") => (Security::Tls, 443),
            Some("http") => (Security::Clear, 80),
            Some(_) | None => return Err(KeyUrlError::Malformed),
        };
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() || text.contains('#') {
            return Err(KeyUrlError::Malformed);
        }
        Ok(Self {
            secure,
            host: host.into(),
            port: authority.port_u16().unwrap_or(default_port),
            authority: authority.as_str().into(),
            target: uri
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .into(),
        })
    }

    /// Whether somebody on the way could exchange the keys: not over TLS, and not on this very machine.
    pub fn is_exposed(&self) -> bool {
        let local = self
            .host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        self.secure == Security::Clear && !local && &*self.host != "localhost"
    }

    pub(super) fn security(&self) -> Security {
        self.secure
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What `Host` says.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub(super) fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.secure {
            Security::Tls => "https",
            Security::Clear => "http",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

impl fmt::Display for KeyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "write a URL such as `https://idp.example.com/keys`, or the path of a file"
            }
            Self::UserInfo => "published keys need no user name; write the URL without it",
        })
    }
}

impl std::error::Error for KeyUrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_keys() {
        let parts = |text: &str| {
            KeyUrl::parse(text)
                .map(|url| (url.host().to_owned(), url.port(), url.target().to_owned()))
        };
        let found = |host: &str, port, target: &str| Ok((host.to_owned(), port, target.to_owned()));
        assert_eq!(
            parts("https://idp.example.com/keys"),
            found("idp.example.com", 443, "/keys")
        );
        assert_eq!(
            parts("http://[::1]:8080/a?b=c"),
            found("::1", 8080, "/a?b=c")
        );
        assert_eq!(parts("https://idp"), found("idp", 443, "/"));
        for text in [
            "",
            "keys.json",
            "/keys",
            "ftp://a/b",
            "https://",
            "https:///x",
            "https://a b/",
            "https://a/#b",
        ] {
            assert_eq!(parts(text), Err(KeyUrlError::Malformed), "{text}");
        }
        assert_eq!(parts("https://u:p@a/"), Err(KeyUrlError::UserInfo));
        let exposed = |text: &str| KeyUrl::parse(text).unwrap().is_exposed();
        assert!(exposed("http://idp/keys") && !exposed("https://idp/keys"));
        assert!(
            !exposed("http://127.0.0.1:1/")
                && !exposed("http://[::1]/")
                && !exposed("http://localhost/")
        );
        assert_eq!(
            KeyUrl::parse("https://a:1/b").unwrap().to_string(),
            "https://a:1/b"
        );
    }
}
