//! Which sessions are meant, and what is said of them.

use serde_json::{Value, json};

use super::once::digest;
use super::place::SessionPlace;
use super::record::BrowserSession;
use crate::session::family::Family;
use crate::text::hex;
use crate::token::SessionId;

/// Sessions that are ended together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionSelector {
    /// One session.
    Id(SessionId),
    /// Every session of a user, with a browser or with tokens.
    User(Box<str>),
    /// The same but for one.
    UserExcept(Box<str>, SessionId),
    /// The sessions that a provider calls so: its name in the configuration, and its `sid`.
    ProviderSid(Box<str>, Box<str>),
    /// Every session of a user of a provider: its name in the configuration, and its `sub`.
    ProviderSub(Box<str>, Box<str>),
    /// Those of them for which the provider named no `sid`.
    ProviderSubWithoutSid(Box<str>, Box<str>),
}

impl SessionSelector {
    /// Whether a session that was found by the index is meant.
    pub(in crate::session) fn admits(&self, session: &SessionId) -> bool {
        !matches!(self, Self::UserExcept(_, kept) if kept == session)
    }
}

/// The result of ending sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedSessions {
    /// How many have ended that had not ended before.
    pub ended: usize,
    /// Whether there are more to end.
    pub more: bool,
}

/// What a session is held with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// The cookie of a browser.
    Browser,
    /// Access and refresh tokens of a program.
    Tokens,
}

/// A session, as operators see it. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// Its name.
    pub id: SessionId,
    /// What it is held with.
    pub kind: SessionKind,
    /// Whose it is.
    pub subject: Box<str>,
    /// The provider that its user signed in at.
    pub provider: Option<Box<str>>,
    /// When its user signed in.
    pub begun_at: u64,
    /// When it ends if nobody ends it; that of tokens moves on with each refresh.
    pub expires_at: u64,
    /// When the provider last confirmed the identity.
    pub checked_at: Option<u64>,
    /// Where it was begun; `None` for tokens, and where that is not known.
    pub place: Option<SessionPlace>,
    /// When it was last used, as far as that is known: when the cookie was last renewed, which happens at the first request
    /// after half of the life of its token.
    pub used_at: Option<u64>,
}

/// Some of the sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// In no order.
    pub list: Vec<ListedSession>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<u64>,
}

/// Which sessions are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::session) struct Selection {
    pub(in crate::session) user: Option<Box<str>>,
    pub(in crate::session) provider: Option<Box<str>>,
}

impl Selection {
    pub(in crate::session) fn admits(&self, session: &ListedSession) -> bool {
        let user = self.user.as_ref();
        let provider = self.provider.as_ref();
        user.is_none_or(|user| *user == session.subject)
            && provider.is_none_or(|name| session.provider.as_ref() == Some(name))
    }
}

impl ListedSession {
    /// As the admin API and `gatelatch session list` say it.
    pub fn to_json(&self) -> Value {
        let kind = match self.kind {
            SessionKind::Browser => "browser",
            SessionKind::Tokens => "tokens",
        };
        json!({
            "id": self.id.to_string(),
            "user": self.subject,
            "kind": kind,
            "provider": self.provider,
            "since": self.begun_at,
            "until": self.expires_at,
            "confirmed": self.checked_at,
        })
    }

    pub(in crate::session) fn of_browser(id: SessionId, record: BrowserSession) -> Self {
        let provider = record.provider;
        Self {
            id,
            kind: SessionKind::Browser,
            subject: record.subject,
            begun_at: record.begun_at,
            place: record.place.map(|place| *place),
            used_at: record.used_at,
            expires_at: record.expires_at,
            checked_at: provider.as_ref().map(|provider| provider.checked_at),
            provider: provider.map(|provider| provider.name),
        }
    }

    pub(in crate::session) fn of_tokens(id: SessionId, family: &Family) -> Self {
        Self {
            id,
            kind: SessionKind::Tokens,
            subject: family.subject.clone(),
            provider: family.provider.clone(),
            begun_at: family.opened_at,
            expires_at: family.expires_at(),
            checked_at: None,
            place: None,
            used_at: family.used_at(),
        }
    }
}

/// What sessions are found by. A hash: the store names no user where it need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) struct IndexKey([u8; 16]);

impl IndexKey {
    pub(in crate::session) fn of_user(name: &str) -> Self {
        Self(digest(&[b"user", name.as_bytes()]))
    }

    pub(in crate::session) fn of_sid(provider: &str, sid: &str) -> Self {
        Self(digest(&[b"sid", provider.as_bytes(), sid.as_bytes()]))
    }

    pub(in crate::session) fn of_sub(provider: &str, sub: &str) -> Self {
        Self(digest(&[b"sub", provider.as_bytes(), sub.as_bytes()]))
    }

    fn of_sub_without_sid(provider: &str, sub: &str) -> Self {
        Self(digest(&[b"no sid", provider.as_bytes(), sub.as_bytes()]))
    }

    /// Every key that a session is found by.
    pub(in crate::session) fn all_of(record: &BrowserSession) -> Vec<Self> {
        let mut keys = vec![Self::of_user(&record.subject)];
        if let Some(provider) = &record.provider {
            let (name, sub) = (&provider.name, &provider.sub);
            keys.push(Self::of_sub(name, sub));
            keys.push(match &provider.sid {
                Some(sid) => Self::of_sid(name, sid),
                None => Self::of_sub_without_sid(name, sub),
            });
        }
        keys
    }

    /// The key of what is selected; `None` for one session, which needs none.
    pub(in crate::session) fn of(selector: &SessionSelector) -> Option<Self> {
        match selector {
            SessionSelector::Id(_) => None,
            SessionSelector::User(name) | SessionSelector::UserExcept(name, _) => {
                Some(Self::of_user(name))
            }
            SessionSelector::ProviderSid(provider, sid) => Some(Self::of_sid(provider, sid)),
            SessionSelector::ProviderSub(provider, sub) => Some(Self::of_sub(provider, sub)),
            SessionSelector::ProviderSubWithoutSid(provider, sub) => {
                Some(Self::of_sub_without_sid(provider, sub))
            }
        }
    }

    /// The begin of it: enough to find a session in one process, which looks at the record itself.
    pub(super) fn short(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// As it is named in a store.
    pub(in crate::session) fn text(&self) -> String {
        hex::encode(&self.0)
    }
}
