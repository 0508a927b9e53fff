//! A name of the session cookie, and those of the cookies beside it.

use super::gateway_cookies::{Own, Spelling, Which};

pub(super) const HOST_PREFIX: &str = "__Host-";

/// One name of the session cookie, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CookieName {
    pub(super) plain: Box<str>,
    /// The same with `__Host-`: the browser keeps it to this very host, to `/` and to TLS.
    pub(super) host: Box<str>,
    /// A cookie of a minute that counts how often a browser comes back without the session.
    pub(super) marker: Box<str>,
    pub(super) host_marker: Box<str>,
    /// Shows that somebody has signed in with this browser before.
    pub(super) device: Box<str>,
    pub(super) host_device: Box<str>,
    /// Ties the ceremony of a passkey to the browser that began it.
    pub(super) ceremony: Box<str>,
    pub(super) host_ceremony: Box<str>,
    /// The beginning of the names for sign-ins at a provider that are under way.
    pub(super) pending: Box<str>,
}

impl CookieName {
    pub(super) fn new(plain: &str) -> Self {
        Self {
            plain: plain.into(),
            host: format!("{HOST_PREFIX}{plain}").into(),
            marker: format!("{plain}-signin").into(),
            host_marker: format!("{HOST_PREFIX}{plain}-signin").into(),
            device: format!("{plain}-device").into(),
            host_device: format!("{HOST_PREFIX}{plain}-device").into(),
            ceremony: format!("{plain}-passkey").into(),
            host_ceremony: format!("{HOST_PREFIX}{plain}-passkey").into(),
            pending: format!("{plain}-oidc-").into(),
        }
    }

    pub(super) fn spelled(&self, spelling: Spelling) -> &str {
        match spelling {
            Spelling::Plain => &self.plain,
            Spelling::Host => &self.host,
        }
    }

    /// Which of its cookies a name is; `bare` is that without a prefix.
    pub(super) fn own(&self, name: &[u8], bare: &[u8]) -> Option<Own> {
        let has_prefix = name.len() != bare.len();
        let spelling = |host: &str| match has_prefix {
            false => Some(Spelling::Plain),
            true => (name == host.as_bytes()).then_some(Spelling::Host),
        };
        if bare == self.plain.as_bytes() {
            let session = |spelling| Own::Session(Which::Present, spelling);
            return Some(spelling(&self.host).map_or(Own::Variant, session));
        }
        if bare == self.device.as_bytes() {
            return Some(spelling(&self.host_device).map_or(Own::Variant, Own::Device));
        }
        if bare == self.ceremony.as_bytes() {
            return Some(spelling(&self.host_ceremony).map_or(Own::Variant, Own::Ceremony));
        }
        if bare == self.marker.as_bytes() {
            return Some(spelling(&self.host_marker).map_or(Own::Variant, Own::Marker));
        }
        if bare.starts_with(self.pending.as_bytes()) {
            let own = match name.strip_prefix(HOST_PREFIX.as_bytes()) {
                _ if !has_prefix => Own::Pending(Spelling::Plain),
                Some(_) => Own::Pending(Spelling::Host),
                None => Own::Variant,
            };
            return Some(own);
        }
        None
    }
}

/// Browsers compare the prefixes without case.
pub(super) fn without_prefix(name: &[u8]) -> &[u8] {
    let prefixes: [&[u8]; 2] = [b"__host-", b"__secure-"];
    let found = prefixes.iter().find(|prefix| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    found.map_or(name, |prefix| &name[prefix.len()..])
}
