//! The gateway's own cookies: found in requests and cut out of them, written into answers and kept out of the upstream's.

use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::credential::Credential;
use super::fields::retain_fields;
use super::peer::Scheme;

use crate::text::list;

/// How the session cookie is written: the `auth.session` block, as far as browsers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    name: Box<str>,
    /// The same with `__Host-`: the browser keeps it to this very host, to `/` and to TLS.
    host_name: Box<str>,
    /// A plain cookie of a minute that counts how often a browser comes back without the session.
    marker: Box<str>,
    secure: SecureCookie,
    same_site: SameSite,
    domain: Option<Box<str>>,
}

/// When the cookie is marked as one for TLS only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureCookie {
    /// Where the client came over TLS.
    #[default]
    Auto,
    /// Always: TLS is taken off by somebody who is no trusted proxy.
    Always,
    /// Never.
    Never,
}

/// To which requests of other sites a browser adds the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// To none.
    Strict,
    /// To navigations.
    #[default]
    Lax,
    /// To all of them.
    None,
}

/// The gateway's own cookies of one request, unchecked.
#[derive(Clone, Debug, Default)]
pub struct Crumbs {
    plain: Found,
    host: Found,
    marker: Option<Box<str>>,
}

/// How often a name was found.
#[derive(Clone, Debug, Default)]
enum Found {
    #[default]
    Never,
    /// Boxed: most requests have none, and all have the room for one.
    Once(Box<Credential>),
    /// A sibling domain can set a cookie of the same name for this one: it is not clear which one is the gateway's.
    Several,
}

/// Which of the gateway's cookies a name is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Plain,
    Host,
    /// One that only somebody else could have written.
    Variant,
    Marker,
}

impl SessionCookie {
    /// A cookie of this name, which holds neither a prefix nor anything but the characters of a token.
    pub fn new(
        name: &str,
        secure: SecureCookie,
        same_site: SameSite,
        domain: Option<Box<str>>,
    ) -> Self {
        Self {
            name: name.into(),
            host_name: format!("__Host-{name}").into(),
            marker: format!("{name}-signin").into(),
            secure,
            same_site,
            domain,
        }
    }

    /// The cookie's name towards a client of this scheme.
    pub fn name(&self, scheme: Scheme) -> &str {
        if self.is_secure(scheme) && self.domain.is_none() {
            &self.host_name
        } else {
            &self.name
        }
    }

    /// Takes the gateway's cookies out of a request: the upstream never sees them. Other cookies stay byte for byte.
    pub fn take(&self, headers: &mut HeaderMap) -> Crumbs {
        let mut crumbs = Crumbs::default();
        if !headers.contains_key(COOKIE) {
            return crumbs;
        }
        let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
        let kept: Vec<Option<HeaderValue>> = lines
            .iter()
            .map(|line| self.cut(line, &mut crumbs))
            .collect();
        if kept
            .iter()
            .zip(&lines)
            .all(|(kept, line)| kept.as_ref() == Some(line))
        {
            return crumbs;
        }
        replace_lines(headers, kept.into_iter().flatten());
        crumbs
    }

    /// What is left of a `Cookie` line; `None`: nothing.
    fn cut(&self, line: &HeaderValue, crumbs: &mut Crumbs) -> Option<HeaderValue> {
        let bytes = line.as_bytes();
        let mut rest = Vec::new();
        let (mut at, mut cut_any) = (0, false);
        for piece in bytes.split(|byte| *byte == b';') {
            match self.own(crumb_name(piece)) {
                Some(own) => {
                    crumbs.note(own, line, at, piece);
                    cut_any = true;
                }
                None => rest.push(piece),
            }
            at += piece.len() + 1;
        }
        if !cut_any {
            return Some(line.clone());
        }
        let rest = rest.join(&b';');
        HeaderValue::from_bytes(rest.trim_ascii_start())
            .ok()
            .filter(|rest| !rest.is_empty())
    }

    /// Takes out of an upstream's answer every cookie that could pass for one of the gateway's.
    pub fn guard(&self, headers: &mut HeaderMap) {
        let is_own = |value: &HeaderValue| self.own(set_name(value.as_bytes())).is_some();
        if !headers.get_all(SET_COOKIE).iter().any(is_own) {
            return;
        }
        let kept: Vec<HeaderValue> = headers
            .get_all(SET_COOKIE)
            .iter()
            .filter(|v| !is_own(v))
            .cloned()
            .collect();
        headers.remove(SET_COOKIE);
        for value in kept {
            headers.append(SET_COOKIE, value);
        }
    }

    fn own(&self, name: &[u8]) -> Option<Own> {
        let bare = without_prefix(name);
        if bare == self.name.as_bytes() {
            return Some(match name {
                _ if name.len() == bare.len() => Own::Plain,
                _ if name == self.host_name.as_bytes() => Own::Host,
                _ => Own::Variant,
            });
        }
        (bare == self.marker.as_bytes()).then_some(if name.len() == bare.len() {
            Own::Marker
        } else {
            Own::Variant
        })
    }

    /// The credential that a request of this scheme brings in its cookie.
    pub fn credential(&self, crumbs: &Crumbs, scheme: Scheme) -> Option<Credential> {
        let found = if self.name(scheme) == &*self.host_name {
            &crumbs.host
        } else {
            &crumbs.plain
        };
        match found {
            Found::Never => None,
            Found::Once(credential) => Some(Credential::clone(credential)),
            Found::Several => Some(Credential::unreadable_cookie()),
        }
    }

    /// `Set-Cookie` with a session of so many seconds.
    pub fn write(&self, scheme: Scheme, session: &str, seconds: u64) -> HeaderValue {
        self.line(self.name(scheme), session, seconds, scheme)
    }

    /// `Set-Cookie` that ends the session in the browser.
    pub fn clear(&self, scheme: Scheme) -> HeaderValue {
        self.line(self.name(scheme), "", 0, scheme)
    }

    /// `Set-Cookie` of the marker, for so many seconds; 0 takes it away. It is kept where the session may not be: it asks
    /// for neither a prefix, a domain nor TLS.
    pub fn mark(&self, value: &str, seconds: u64) -> HeaderValue {
        let line = format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax",
            self.marker
        );
        HeaderValue::try_from(line).expect("a cookie of tokens is visible ASCII")
    }

    fn line(&self, name: &str, value: &str, seconds: u64, scheme: Scheme) -> HeaderValue {
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let mut line =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}");
        if self.is_secure(scheme) {
            line.push_str("; Secure");
        }
        if let Some(domain) = &self.domain {
            line.push_str("; Domain=");
            line.push_str(domain);
        }
        HeaderValue::try_from(line).expect("a cookie of tokens is visible ASCII")
    }

    fn is_secure(&self, scheme: Scheme) -> bool {
        match self.secure {
            SecureCookie::Auto => scheme == Scheme::Https,
            SecureCookie::Always => true,
            SecureCookie::Never => false,
        }
    }
}

impl Default for SessionCookie {
    fn default() -> Self {
        Self::new(
            "gatelatch",
            SecureCookie::default(),
            SameSite::default(),
            None,
        )
    }
}

impl Crumbs {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                plain: Found::Never,
                host: Found::Never,
                marker: None
            }
        )
    }

    /// The marker's value.
    pub fn marker(&self) -> Option<&str> {
        self.marker.as_deref()
    }

    /// `at` is where the piece stands in its line.
    fn note(&mut self, own: Own, line: &HeaderValue, at: usize, piece: &[u8]) {
        let value_at = piece
            .iter()
            .position(|byte| *byte == b'=')
            .map_or(piece.len(), |equals| equals + 1);
        let found = match own {
            Own::Plain => &mut self.plain,
            Own::Host => &mut self.host,
            Own::Marker => {
                self.marker = std::str::from_utf8(&piece[value_at..])
                    .ok()
                    .map(|value| value.trim().into());
                return;
            }
            Own::Variant => return,
        };
        *found = match found {
            Found::Never => {
                Found::Once(Credential::of_cookie(line, at + value_at..at + piece.len()).into())
            }
            Found::Once(_) | Found::Several => Found::Several,
        };
    }
}

/// Adds a renewed session to an answer; not where caches between here and the browser were told to keep the answer for
/// everybody: they would keep the session with it.
pub fn add_renewal(headers: &mut HeaderMap, session: HeaderValue) {
    let directives = |name: &str| {
        list::elements(headers, CACHE_CONTROL).any(|directive| {
            let directive = directive
                .split(|byte| *byte == b'=')
                .next()
                .unwrap_or_default();
            directive.eq_ignore_ascii_case(name.as_bytes())
        })
    };
    if directives("public") || directives("s-maxage") {
        return;
    }
    if !directives("private") && !directives("no-store") {
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    headers.append(SET_COOKIE, session);
}

/// Puts these lines in place of the `Cookie` lines; the other fields keep their order.
fn replace_lines(headers: &mut HeaderMap, mut lines: impl Iterator<Item = HeaderValue>) {
    match lines.next() {
        Some(first) => {
            headers.insert(COOKIE, first);
            for line in lines {
                headers.append(COOKIE, line);
            }
        }
        // removing one entry would move the last one into its place
        None => retain_fields(headers, None, 0, |name| *name != COOKIE),
    }
}

/// The name of one crumb of a `Cookie` line; empty where it has none.
fn crumb_name(piece: &[u8]) -> &[u8] {
    let equals = piece.iter().position(|byte| *byte == b'=');
    equals.map_or(&[], |equals| piece[..equals].trim_ascii())
}

/// The name under which a cookie comes back. A browser sends one without a name, `=a=b`, as `a=b`.
fn set_name(line: &[u8]) -> &[u8] {
    let mut pair = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    while let Some(nameless) = pair.strip_prefix(b"=") {
        pair = nameless.trim_ascii();
    }
    pair.split(|byte| *byte == b'=')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// Browsers compare the prefixes without case.
fn without_prefix(name: &[u8]) -> &[u8] {
    let prefixes: [&[u8]; 2] = [b"__host-", b"__secure-"];
    let found = prefixes.iter().find(|prefix| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    found.map_or(name, |prefix| &name[prefix.len()..])
}

#[cfg(test)]
mod tests;
