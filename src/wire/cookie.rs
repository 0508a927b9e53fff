//! The gateway's own cookies: found in requests and cut out of them, written into answers and kept out of the upstream's.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use memchr::memchr_iter;

pub use self::gateway_cookies::GatewayCookies;
use self::gateway_cookies::{Own, Spelling, Which};
use self::name::{CookieName, HOST_PREFIX, without_prefix};
pub use self::renewal::add_renewal;
use super::credential::Credential;
use super::fields::retain_fields;
use super::peer::Scheme;

mod gateway_cookies;
mod joined;
mod name;
mod renewal;

/// How the session cookie is written: the `auth.session` block, as far as browsers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    name: CookieName,
    /// Names that it once had. Browsers keep them for as long as the session could have lasted.
    former: Box<[CookieName]>,
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

impl SessionCookie {
    /// A cookie of this name, which holds neither a prefix nor anything but the characters of a token.
    pub fn new(
        name: &str,
        secure: SecureCookie,
        same_site: SameSite,
        domain: Option<Box<str>>,
    ) -> Self {
        Self {
            name: CookieName::new(name),
            former: Box::default(),
            secure,
            same_site,
            domain,
        }
    }

    /// The same cookie, which once had these names. They hold a session for nobody; neither do services get to see them
    /// nor set them, and a browser that signs in or out loses them.
    #[must_use]
    pub fn with_former(self, names: &[String]) -> Self {
        let former = names.iter().map(|name| CookieName::new(name)).collect();
        Self { former, ..self }
    }

    /// Its name, where `next` takes it neither for its own nor for a former one: what browsers keep under it would pass
    /// for a cookie of the services.
    pub fn forgotten_by(&self, next: &Self) -> Option<&str> {
        let name = &*self.name.plain;
        next.own(name.as_bytes()).is_none().then_some(name)
    }

    /// Whether browsers send it to this host (lower-case, without port and trailing dot) because of its domain.
    pub fn is_shared_with(&self, host: &str) -> bool {
        let rest = self
            .domain
            .as_deref()
            .and_then(|domain| host.strip_suffix(domain));
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The cookie's name towards a client of this scheme.
    pub fn name(&self, scheme: Scheme) -> &str {
        self.name.spelled(self.spelling(scheme))
    }

    fn spelling(&self, scheme: Scheme) -> Spelling {
        if self.is_secure(scheme) && self.domain.is_none() {
            Spelling::Host
        } else {
            Spelling::Plain
        }
    }

    /// Takes the gateway's cookies out of a request: the upstream never sees them. Other cookies stay byte for byte.
    pub fn take(&self, headers: &mut HeaderMap) -> GatewayCookies {
        let mut cookies = GatewayCookies::default();
        if !headers.contains_key(COOKIE) {
            return cookies;
        }
        let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
        let kept: Vec<Option<HeaderValue>> = lines
            .iter()
            .map(|line| self.cut(line, &mut cookies))
            .collect();
        if kept
            .iter()
            .zip(&lines)
            .all(|(kept, line)| kept.as_ref() == Some(line))
        {
            return cookies;
        }
        replace_lines(headers, kept.into_iter().flatten());
        cookies
    }

    /// What is left of a `Cookie` line; `None`: nothing.
    fn cut(&self, line: &HeaderValue, cookies: &mut GatewayCookies) -> Option<HeaderValue> {
        let bytes = line.as_bytes();
        let mut rest = Vec::new();
        let (mut at, mut cut_any) = (0, false);
        // byte by byte a long session would cost more than everything else about it
        for end in memchr_iter(b';', bytes).chain([bytes.len()]) {
            let piece = &bytes[at..end];
            match self.own(cookie_name(piece)) {
                Some(own) => {
                    cookies.note(own, line, (at, piece), &self.name.pending);
                    cut_any = true;
                }
                None => rest.push(piece),
            }
            at = end + 1;
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
        if let Some(own) = self.name.own(name, bare) {
            return Some(own);
        }
        self.former
            .iter()
            .enumerate()
            .find_map(|(index, former)| match former.own(name, bare)? {
                Own::Session(Which::Present, spelling) => {
                    Some(Own::Session(Which::Former(index), spelling))
                }
                Own::Session(Which::Former(_), _)
                | Own::Device(_)
                | Own::Ceremony(_)
                | Own::Pending(_)
                | Own::Variant
                | Own::Marker(_) => Some(Own::Variant),
            })
    }

    /// The credential that a request of this scheme brings in its cookie.
    pub fn credential(&self, cookies: &GatewayCookies, scheme: Scheme) -> Option<Credential> {
        cookies.only(Which::Present, self.spelling(scheme))
    }

    /// The device cookie that a request of this scheme brings; `None` also where it came twice.
    pub fn device<'c>(&self, cookies: &'c GatewayCookies, scheme: Scheme) -> Option<&'c str> {
        cookies.only_device(self.spelling(scheme))
    }

    /// `Set-Cookie` with a device cookie of so many seconds.
    pub fn write_device(&self, scheme: Scheme, device: &str, seconds: u64) -> HeaderValue {
        let name = match self.spelling(scheme) {
            Spelling::Plain => &self.name.device,
            Spelling::Host => &self.name.host_device,
        };
        self.line(name, device, seconds, scheme)
    }

    /// What ties the ceremonies of this browser to it, where a request of this scheme brings it.
    pub fn ceremony<'c>(&self, cookies: &'c GatewayCookies, scheme: Scheme) -> Option<&'c str> {
        cookies.ceremony_of(self.marker_spelling(scheme))
    }

    /// `Set-Cookie` of what ties ceremonies to this browser, for so many seconds; for this very host.
    pub fn write_ceremony(&self, scheme: Scheme, value: &str, seconds: u64) -> HeaderValue {
        self.host_line(&self.name.ceremony, value, seconds, scheme)
    }

    /// What a request of this scheme brings of sign-ins at providers that are under way: the key that each cookie was
    /// written under, and its value. Not more than are read.
    pub fn pending<'c>(
        &self,
        cookies: &'c GatewayCookies,
        scheme: Scheme,
    ) -> impl Iterator<Item = (&'c str, &'c str)> {
        cookies.pending_of(self.marker_spelling(scheme))
    }

    /// `Set-Cookie` of a sign-in at a provider that is under way, under a key of letters, digits, `-` and `_`; 0 seconds
    /// take it away. It comes back with the navigation from the provider, and to this very host.
    pub fn write_pending(
        &self,
        scheme: Scheme,
        key: &str,
        value: &str,
        seconds: u64,
    ) -> HeaderValue {
        let name = format!("{}{key}", self.name.pending);
        self.host_line(&name, value, seconds, scheme)
    }

    /// Whether browsers keep the session from requests that another site's page led to.
    pub fn is_strict(&self) -> bool {
        self.same_site == SameSite::Strict
    }

    /// `Set-Cookie` with a session of so many seconds.
    pub fn write(&self, scheme: Scheme, session: &str, seconds: u64) -> HeaderValue {
        self.line(self.name(scheme), session, seconds, scheme)
    }

    /// `Set-Cookie` that ends the session in the browser.
    pub fn clear(&self, scheme: Scheme) -> HeaderValue {
        self.line(self.name(scheme), "", 0, scheme)
    }

    /// `Set-Cookie` that takes away the session cookies that a browser brought under any name but the present one, as
    /// far as browsers allow it to a site of this scheme.
    pub fn clear_others<'c>(
        &'c self,
        cookies: &'c GatewayCookies,
        scheme: Scheme,
    ) -> impl Iterator<Item = HeaderValue> + 'c {
        let present = (Which::Present, self.spelling(scheme));
        cookies
            .names()
            .filter(move |(which, spelling)| {
                (*which, *spelling) != present
                    && (*spelling == Spelling::Plain || self.is_secure(scheme))
            })
            .filter_map(move |(which, spelling)| {
                let name = match which {
                    Which::Present => &self.name,
                    Which::Former(index) => self.former.get(index)?,
                };
                Some(self.line(name.spelled(spelling), "", 0, scheme))
            })
    }

    /// The marker's value that a request of this scheme brings.
    pub fn marker<'c>(&self, cookies: &'c GatewayCookies, scheme: Scheme) -> Option<&'c str> {
        cookies.marker_of(self.marker_spelling(scheme))
    }

    /// `Set-Cookie` of the marker, for so many seconds; 0 takes it away. It is kept where the session may not be: it asks
    /// for no domain, and for TLS only where the client came over it.
    pub fn mark(&self, scheme: Scheme, value: &str, seconds: u64) -> HeaderValue {
        self.host_line(&self.name.marker, value, seconds, scheme)
    }

    fn host_line(&self, name: &str, value: &str, seconds: u64, scheme: Scheme) -> HeaderValue {
        let (prefix, secure) = match self.marker_spelling(scheme) {
            Spelling::Plain => ("", ""),
            Spelling::Host => (HOST_PREFIX, "; Secure"),
        };
        let line = format!(
            "{prefix}{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        );
        HeaderValue::try_from(line).expect("a cookie of tokens is visible ASCII")
    }

    fn marker_spelling(&self, scheme: Scheme) -> Spelling {
        if scheme == Scheme::Https && self.is_secure(scheme) {
            Spelling::Host
        } else {
            Spelling::Plain
        }
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
        let domain = self.domain.as_ref();
        if let Some(domain) = domain.filter(|_| !name.starts_with(HOST_PREFIX)) {
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

/// The name of one cookie of a `Cookie` line; empty where it has none.
fn cookie_name(piece: &[u8]) -> &[u8] {
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

#[cfg(test)]
mod tests;
