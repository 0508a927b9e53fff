//! The gateway's own cookies of one request.

use http::HeaderValue;

use crate::wire::credential::Credential;

/// The most session cookies of a request that are read. A browser sends one, or a few where hosts of one domain or
/// former names are in play; each costs a logout a signature.
const MOST: usize = 16;

/// The most device cookies of a request that are read: one with `__Host-` and one without, and one more of them shows
/// that a name came twice.
const MOST_DEVICES: usize = 3;

/// The most cookies of sign-ins under way that are read, with and without `__Host-`: a browser keeps a few.
const MOST_PENDING: usize = 16;

/// The gateway's own cookies of one request, unchecked.
#[derive(Clone, Debug, Default)]
pub struct GatewayCookies {
    /// At most [`MOST`], in the order in which they came.
    sessions: Vec<Candidate>,
    /// Whether there were more.
    has_more: bool,
    /// The last of each spelling.
    plain_marker: Option<Box<str>>,
    host_marker: Option<Box<str>>,
    /// The last of each spelling.
    plain_ceremony: Option<Box<str>>,
    host_ceremony: Option<Box<str>>,
    /// At most [`MOST_DEVICES`].
    devices: Vec<(Spelling, Credential)>,
    /// At most [`MOST_PENDING`].
    pending: Vec<Pending>,
}

/// The cookie of a sign-in at a provider that is under way.
#[derive(Clone, Debug)]
struct Pending {
    spelling: Spelling,
    key: Box<str>,
    value: Credential,
}

/// A cookie that may hold a session.
#[derive(Clone, Debug)]
struct Candidate {
    which: Which,
    spelling: Spelling,
    value: Credential,
}

/// Which of the gateway's cookies a name is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Session(Which, Spelling),
    /// Shows that somebody has signed in with the browser before.
    Device(Spelling),
    /// Ties the ceremonies of passkeys to the browser.
    Ceremony(Spelling),
    /// Of a sign-in at a provider that is under way.
    Pending(Spelling),
    /// One that only somebody else could have written, or that is of no use any more.
    Variant,
    Marker(Spelling),
}

/// Whether a name of the session cookie is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Present,
    /// A former one, by its place in their list.
    Former(usize),
}

/// Whether a name has the prefix `__Host-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Plain,
    Host,
}

impl GatewayCookies {
    /// Whether there is none that a logout takes away.
    pub fn is_empty(&self) -> bool {
        !self.has_sessions() && self.plain_marker.is_none() && self.host_marker.is_none()
    }

    /// Whether there is any that may hold a session, under whatever name.
    pub fn has_sessions(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Whether there are more of those than are read.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// What may hold a session, under the present name or a former one, with and without `__Host-`.
    pub fn sessions(&self) -> impl Iterator<Item = &Credential> {
        self.sessions.iter().map(|cookie| &cookie.value)
    }

    /// The value of the marker of this spelling.
    pub(super) fn marker_of(&self, spelling: Spelling) -> Option<&str> {
        match spelling {
            Spelling::Plain => self.plain_marker.as_deref(),
            Spelling::Host => self.host_marker.as_deref(),
        }
    }

    /// What ties ceremonies to the browser, of this spelling.
    pub(super) fn ceremony_of(&self, spelling: Spelling) -> Option<&str> {
        match spelling {
            Spelling::Plain => self.plain_ceremony.as_deref(),
            Spelling::Host => self.host_ceremony.as_deref(),
        }
    }

    /// The one cookie of a name. A sibling domain can set a cookie of the same name for this one: where several came,
    /// it is not clear which one is the gateway's, and none counts.
    pub(super) fn only(&self, which: Which, spelling: Spelling) -> Option<Credential> {
        if self.has_more {
            return Some(Credential::unreadable_cookie());
        }
        let is_it = |cookie: &&Candidate| cookie.which == which && cookie.spelling == spelling;
        let mut found = self.sessions.iter().filter(is_it);
        let first = found.next()?;
        Some(match found.next() {
            None => first.value.clone(),
            Some(_) => Credential::unreadable_cookie(),
        })
    }

    /// The one device cookie of this spelling; `None` also where it came twice, or more came than are read.
    pub(super) fn only_device(&self, spelling: Spelling) -> Option<&str> {
        if self.devices.len() == MOST_DEVICES {
            return None;
        }
        let mut found = self.devices.iter().filter(|(found, _)| *found == spelling);
        let (_, first) = found.next()?;
        found.next().is_none().then(|| first.token())
    }

    /// Key and value of each sign-in under way of this spelling.
    pub(super) fn pending_of(&self, spelling: Spelling) -> impl Iterator<Item = (&str, &str)> {
        let pending = self
            .pending
            .iter()
            .filter(move |one| one.spelling == spelling);
        pending.map(|one| (&*one.key, one.value.token()))
    }

    /// The names that may hold a session, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = (Which, Spelling)> {
        let name = |cookie: &Candidate| (cookie.which, cookie.spelling);
        let is_first = move |(at, cookie): &(usize, &Candidate)| {
            !self.sessions[..*at]
                .iter()
                .any(|one| name(one) == name(cookie))
        };
        let cookies = self.sessions.iter().enumerate().filter(is_first);
        cookies.map(move |(_, cookie)| name(cookie))
    }

    /// `at` is where the piece stands in its line; of a sign-in under way, `prefix` is what comes before the key.
    pub(super) fn note(
        &mut self,
        own: Own,
        line: &HeaderValue,
        (at, piece): (usize, &[u8]),
        prefix: &str,
    ) {
        let equals = piece.iter().position(|byte| *byte == b'=');
        let value_at = equals.map_or(piece.len(), |equals| equals + 1);
        let value = || Credential::of_cookie(line, at + value_at..at + piece.len());
        match own {
            Own::Session(..) if self.sessions.len() == MOST => self.has_more = true,
            Own::Session(which, spelling) => {
                if self.sessions.is_empty() {
                    // most requests have one
                    self.sessions.reserve_exact(1);
                }
                let value = if is_usual(piece) {
                    value()
                } else {
                    Credential::unreadable_cookie()
                };
                self.sessions.push(Candidate {
                    which,
                    spelling,
                    value,
                });
            }
            Own::Device(spelling) => {
                if self.devices.len() < MOST_DEVICES {
                    self.devices.push((spelling, value()));
                }
            }
            Own::Pending(spelling) => {
                let key = pending_key(&piece[..value_at], prefix);
                if let Some(key) = key.filter(|_| self.pending.len() < MOST_PENDING) {
                    self.pending.push(Pending {
                        spelling,
                        key: key.into(),
                        value: value(),
                    });
                }
            }
            Own::Marker(spelling) => {
                let slot = match spelling {
                    Spelling::Plain => &mut self.plain_marker,
                    Spelling::Host => &mut self.host_marker,
                };
                *slot = text_of(&piece[value_at..]);
            }
            Own::Ceremony(spelling) => {
                let slot = match spelling {
                    Spelling::Plain => &mut self.plain_ceremony,
                    Spelling::Host => &mut self.host_ceremony,
                };
                *slot = text_of(&piece[value_at..]);
            }
            Own::Variant => {}
        }
    }
}

/// The key in the name of the cookie of a sign-in under way.
fn pending_key<'p>(name: &'p [u8], prefix: &str) -> Option<&'p str> {
    let name = std::str::from_utf8(name.trim_ascii()).ok()?;
    let (_, key) = name.trim_end_matches('=').split_once(prefix)?;
    Some(key.trim_end())
}

fn text_of(value: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(value).ok()?;
    Some(text.trim().into())
}

/// Whether a cookie is written as browsers do (RFC 6265, section 4.2.1): at most one blank before its name, and none behind
/// it. Programs in front that take the session out of a request look for no other spelling.
fn is_usual(piece: &[u8]) -> bool {
    let piece = piece.strip_prefix(b" ").unwrap_or(piece);
    let mut name = piece
        .split(|byte| *byte == b'=')
        .next()
        .unwrap_or_default()
        .iter();
    !name.any(u8::is_ascii_whitespace)
}
