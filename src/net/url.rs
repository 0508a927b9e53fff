//! Absolute `http` and `https` URLs.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use super::address::ServerAddress;

/// An absolute URL to request: `https://host[:port]/path?query`, or `http://` inside a network that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpUrl {
    secure: bool,
    server: ServerAddress,
    authority: Box<str>,
    target: Box<str>,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpUrlError {
    /// Not `https://host/path`, or with a fragment.
    Malformed,
    /// A user name or a password in it.
    UserInfo,
}

impl HttpUrl {
    /// Parses an absolute `https` or `http` URL, without user information and fragment.
    ///
    /// # Errors
    /// [`HttpUrlError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, HttpUrlError> {
        let uri: Uri = text.parse().map_err(|_| HttpUrlError::Malformed)?;
        let authority = uri.authority().ok_or(HttpUrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(HttpUrlError::UserInfo);
        }
        let (secure, default_port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            Some(_) | None => return Err(HttpUrlError::Malformed),
        };
        let server = ServerAddress::from_authority(authority, default_port);
        let server = server.filter(|_| !text.contains('#'));
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            secure,
            server: server.ok_or(HttpUrlError::Malformed)?,
            authority: authority.as_str().into(),
            target: target.into(),
        })
    }

    /// Whether somebody on the way could change what is answered: not over TLS, and not on this very machine.
    pub fn is_exposed(&self) -> bool {
        !self.secure && !self.names(|address| address.is_loopback())
    }

    /// Whether it names, by address or as `localhost`, a machine that the Internet does not reach.
    pub fn is_internal(&self) -> bool {
        self.names(|address| match address.to_canonical() {
            IpAddr::V4(v4) => {
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()
            }
            IpAddr::V6(v6) => {
                v6.is_loopback()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || v6.is_unspecified()
            }
        })
    }

    /// Whether the host is an address of this kind, `localhost`, or a socket in the file system.
    fn names(&self, kind: impl Fn(IpAddr) -> bool) -> bool {
        match &self.server {
            ServerAddress::Host(host, _) => &**host == "localhost" || host.parse().is_ok_and(kind),
            ServerAddress::Unix(_) => true,
        }
    }

    /// Another resource of the same server, by its absolute path.
    pub fn with_path(&self, path: &str) -> Result<Self, HttpUrlError> {
        let scheme = if self.secure { "https" } else { "http" };
        Self::parse(&format!("{scheme}://{}{path}", self.authority))
    }

    /// Whether it is `https`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Where to connect.
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The value of `Host`.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

impl fmt::Display for HttpUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a URL such as `https://example.com/path`",
            Self::UserInfo => "a URL with a user name or a password",
        })
    }
}

impl std::error::Error for HttpUrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_their_parts() {
        let parts = |text: &str| {
            HttpUrl::parse(text).map(|url| (url.server().to_string(), url.target().to_owned()))
        };
        let found = |server: &str, target: &str| Ok((server.to_owned(), target.to_owned()));
        assert_eq!(
            parts("https://idp.example.com/keys"),
            found("idp.example.com:443", "/keys")
        );
        assert_eq!(
            parts("http://[::1]:8080/a?b=c"),
            found("[::1]:8080", "/a?b=c")
        );
        assert_eq!(parts("https://idp"), found("idp:443", "/"));
        for text in [
            "",
            "keys.json",
            "/keys",
            "ftp://a/b",
            "https://",
            "https:///x",
            "https://a b/",
            "https://a/#b",
            "https://a:0/",
            "https://a:65536/",
            "https://a:/",
        ] {
            assert_eq!(parts(text), Err(HttpUrlError::Malformed), "{text}");
        }
        assert_eq!(parts("https://u:p@a/"), Err(HttpUrlError::UserInfo));
        let exposed = |text: &str| HttpUrl::parse(text).unwrap().is_exposed();
        assert!(exposed("http://idp/keys") && !exposed("https://idp/keys"));
        assert!(
            !exposed("http://127.0.0.1:1/")
                && !exposed("http://[::1]/")
                && !exposed("http://localhost/")
        );
        assert_eq!(
            HttpUrl::parse("https://a:1/b").unwrap().to_string(),
            "https://a:1/b"
        );
        let internal = |text: &str| HttpUrl::parse(text).unwrap().is_internal();
        for host in [
            "localhost",
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "0.0.0.0",
            "[::1]",
            "[fd00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(internal(&format!("https://{host}/")), "{host}");
        }
        assert!(!internal("https://192.0.2.1/") && !internal("https://idp.example.com/"));
        let moved = HttpUrl::parse("https://a:1/b?c").unwrap().with_path("/d");
        assert_eq!(moved, HttpUrl::parse("https://a:1/d"));
    }
}
