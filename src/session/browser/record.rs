//! What is recorded of a browser's session at its sign-in.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::place::SessionPlace;
use crate::token::{Sealed, SealedFor, Sealer, SessionId};

/// A browser's session. Times are seconds since 1970. There may be a hundred thousand: in a store its fields have short names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserSession {
    /// Whose it is.
    #[serde(rename = "u")]
    pub subject: Box<str>,
    /// When its user signed in.
    #[serde(rename = "b")]
    pub begun_at: u64,
    /// When it ends at the latest, however often its cookie is renewed.
    #[serde(rename = "e")]
    pub expires_at: u64,
    /// The provider that its user signed in at; `None`: a password of the user list.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Box<ProviderSession>>,
    /// Where it was begun; `None` in what an earlier version has written.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<SessionPlace>>,
    /// When its cookie was last renewed, where this process keeps the record: it may change without the rest.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(in crate::session) used_at: Option<u64>,
}

/// What a provider said of a session, and how it is asked again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderSession {
    /// The name of the provider in the configuration.
    #[serde(rename = "n")]
    pub name: Box<str>,
    /// Which provider had that name at the sign-in: the fingerprint that the session's cookie carries as well.
    #[serde(rename = "f")]
    pub fingerprint: Box<str>,
    /// `sub` of the ID token.
    #[serde(rename = "s")]
    pub sub: Box<str>,
    /// `sid` of the ID token, by which the provider ends the session (OpenID Connect Back-Channel Logout 1.0).
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Box<str>>,
    /// `auth_time` of the ID token.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// The refresh token, by [`BrowserSession::seal_refresh_token`]; `None` where the provider gave none.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Sealed>,
    /// The ID token of the sign-in, sealed for this session, where it is needed to log out at the provider.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Sealed>,
    /// The roles that the provider's claims gave.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Box<str>>,
    /// The name to show.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Box<str>>,
    /// The mail address.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
    /// When the provider last confirmed the identity.
    #[serde(rename = "c")]
    pub checked_at: u64,
    /// How often the record was replaced: a replacement says which state it was made from.
    #[serde(rename = "v", default)]
    pub turn: u64,
}

/// Who a session's user is, as the provider says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowserIdentity {
    /// The subject that rules and identity headers see.
    pub subject: Box<str>,
    /// Roles.
    pub roles: Vec<Box<str>>,
    /// The name to show.
    pub display_name: Option<Box<str>>,
    /// The mail address.
    pub email: Option<Box<str>>,
}

impl BrowserSession {
    /// A session of a password of the user list that has just begun, without a place.
    pub fn begun(subject: &str, begun_at: u64, expires_at: u64) -> Self {
        Self {
            subject: subject.into(),
            begun_at,
            expires_at,
            provider: None,
            place: None,
            used_at: None,
        }
    }

    /// The same, of a provider.
    #[must_use]
    pub fn at_provider(self, provider: ProviderSession) -> Self {
        Self {
            provider: Some(Box::new(provider)),
            ..self
        }
    }

    /// The same, begun at this place.
    #[must_use]
    pub fn at_place(self, place: SessionPlace) -> Self {
        Self {
            place: Some(Box::new(place)),
            ..self
        }
    }

    /// As it is stored.
    pub(in crate::session) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a session has nothing that JSON cannot say")
    }

    /// Reads what [`Self::to_json`] writes; `None` for what another version has written that cannot be read.
    pub(in crate::session) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// As it is kept in memory: what is sealed as it is, and then the rest as JSON.
    pub(super) fn to_packed(&self) -> Box<[u8]> {
        let mut rest = self.clone();
        let mut packed = Vec::new();
        if let Some(provider) = &mut rest.provider {
            for sealed in [provider.refresh_token.take(), provider.id_token.take()] {
                let bytes = sealed.as_ref().map_or(&[][..], Sealed::as_bytes);
                let length = u32::try_from(bytes.len()).expect("a token has no 4 GiB");
                packed.extend_from_slice(&length.to_be_bytes());
                packed.extend_from_slice(bytes);
            }
        }
        packed.extend(rest.to_json());
        packed.into()
    }

    /// Reads what [`Self::to_packed`] writes. JSON does not begin as the length of what is sealed does.
    pub(super) fn from_packed(packed: &[u8]) -> Option<Self> {
        if packed.first() == Some(&b'{') {
            return Self::from_json(packed);
        }
        let (refresh_token, rest) = unpack(packed)?;
        let (id_token, rest) = unpack(rest)?;
        let mut record = Self::from_json(rest)?;
        let provider = record.provider.as_mut()?;
        (provider.refresh_token, provider.id_token) = (refresh_token, id_token);
        Some(record)
    }

    /// Seals a refresh token of the provider into the record, together with everything else that is recorded: whoever can
    /// write to the store gives no session another identity. It comes last, after every other change.
    pub fn seal_refresh_token(
        &mut self,
        session: SessionId,
        sealer: &Sealer,
        token: &SecretString,
    ) {
        let (context, text) = (self.context(session), token.expose_secret());
        let sealed = sealer.seal(SealedFor::ProviderTokens, &context, text.as_bytes());
        if let Some(provider) = &mut self.provider {
            provider.refresh_token = Some(sealed);
        }
    }

    /// The refresh token; `None` where there is none, where no key opens it, or where anything else in the record was changed
    /// since it was sealed.
    pub(in crate::session) fn open_refresh_token(
        &self,
        session: SessionId,
        sealer: &Sealer,
    ) -> Option<SecretString> {
        let sealed = self.provider.as_ref()?.refresh_token.as_ref()?;
        let opened = sealer.open(SealedFor::ProviderTokens, &self.context(session), sealed)?;
        Some(SecretString::from(std::str::from_utf8(&opened).ok()?))
    }

    /// The session and what is recorded of it, but for what is sealed itself and for its last use.
    fn context(&self, session: SessionId) -> Vec<u8> {
        let mut rest = self.clone();
        rest.used_at = None;
        if let Some(provider) = &mut rest.provider {
            (provider.refresh_token, provider.id_token) = (None, None);
        }
        let mut context = b"refresh token\0".to_vec();
        context.extend_from_slice(session.as_bytes());
        context.extend(rest.to_json());
        context
    }

    /// How often its record was replaced.
    pub(in crate::session) fn turn(&self) -> u64 {
        self.provider.as_ref().map_or(0, |provider| provider.turn)
    }

    /// Who its user is, where a provider says so.
    pub fn identity(&self) -> Option<BrowserIdentity> {
        let provider = self.provider.as_deref()?;
        Some(BrowserIdentity {
            subject: self.subject.clone(),
            roles: provider.roles.clone(),
            display_name: provider.display_name.clone(),
            email: provider.email.clone(),
        })
    }
}

fn unpack(packed: &[u8]) -> Option<(Option<Sealed>, &[u8])> {
    let (length, rest) = packed.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (sealed, rest) = rest.split_at_checked(length)?;
    let sealed = (!sealed.is_empty()).then(|| Sealed::from_bytes(sealed));
    Some((sealed, rest))
}

/// Without what the provider calls the session: who sees a log need not be able to correlate it.
impl fmt::Debug for ProviderSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSession")
            .field("name", &self.name)
            .field("checked_at", &self.checked_at)
            .field("refresh_token", &self.refresh_token)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(in crate::session) mod tests {
    use super::*;
    use crate::token::Key;

    /// A session of a provider.
    pub(in crate::session) fn at_provider(
        subject: &str,
        sub: &str,
        sid: Option<&str>,
    ) -> BrowserSession {
        let session = BrowserSession::begun(subject, 1_700_000_000, 1_700_043_200);
        session.at_provider(ProviderSession {
            name: "corp".into(),
            fingerprint: "f00d".into(),
            sub: sub.into(),
            sid: sid.map(Into::into),
            auth_time: Some(1_700_000_000),
            refresh_token: None,
            id_token: None,
            roles: vec!["staff".into()],
            display_name: Some("Alice".into()),
            email: None,
            checked_at: 1_700_000_000,
            turn: 0,
        })
    }

    #[test]
    fn a_refresh_token_is_opened_for_its_session_and_while_nothing_else_was_changed() {
        let key = Key::hs256(&[7; 32]).unwrap();
        let sealer = Sealer::new(&key, &key.clone().into());
        let (session, other) = ([1; 16], [2; 16]);
        let [session, other] = [session, other].map(SessionId::from_bytes);
        let mut record = at_provider("alice", "1", Some("s"));
        record.seal_refresh_token(session, &sealer, &"a token".into());
        let opens = |record: &BrowserSession, session| {
            let token = record.open_refresh_token(session, &sealer);
            token.is_some_and(|token| token.expose_secret() == "a token")
        };
        let stored = BrowserSession::from_json(&record.to_json()).unwrap();
        assert!(opens(&stored, session) && !opens(&stored, other));
        type Change = fn(&mut BrowserSession, &mut ProviderSession);
        let changes: [Change; 9] = [
            |record, _| record.subject = "admin".into(),
            |record, _| record.place = Some(Box::new(SessionPlace::of([1, 2, 3, 4].into(), None))),
            |record, _| record.expires_at += 1,
            |_, provider| provider.roles.push("admin".into()),
            |_, provider| provider.email = Some("root@example.com".into()),
            |_, provider| provider.sub = "2".into(),
            |_, provider| provider.fingerprint = "beef".into(),
            |_, provider| provider.checked_at += 1,
            |_, provider| provider.turn += 1,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = stored.clone();
            let mut provider = changed.provider.take().unwrap();
            change(&mut changed, &mut provider);
            changed.provider = Some(provider);
            assert!(!opens(&changed, session), "{number}");
        }
        let mut used = stored.clone();
        used.used_at = Some(1_700_000_900);
        assert!(opens(&used, session), "its use is no part of it");
    }

    #[test]
    fn a_record_is_read_back_and_one_of_a_password_is_short() {
        let record = at_provider("alice", "1", Some("s"));
        assert_eq!(
            BrowserSession::from_json(&record.to_json()).as_ref(),
            Some(&record)
        );
        for (token, id) in [
            (None, None),
            (Some(123), None),
            (None, Some(1)),
            (Some(1), Some(3000)),
        ] {
            let mut record = record.clone();
            let provider = record.provider.as_mut().unwrap();
            let sealed = |length| Sealed::from_bytes(&vec![b'{'; length]);
            (provider.refresh_token, provider.id_token) = (token.map(sealed), id.map(sealed));
            let packed = record.to_packed();
            assert_eq!(BrowserSession::from_packed(&packed).as_ref(), Some(&record));
            assert_eq!(
                BrowserSession::from_packed(&packed[..packed.len() - 1]),
                None
            );
        }
        let local = BrowserSession::begun("rita", 1, 2);
        assert_eq!(local.to_json(), br#"{"u":"rita","b":1,"e":2}"#);
        assert_eq!(
            BrowserSession::from_json(&local.to_json()).as_ref(),
            Some(&local)
        );
        assert_eq!(BrowserSession::from_packed(&local.to_packed()), Some(local));
        assert_eq!(BrowserSession::from_json(b"{}"), None);
        // a field that a later version adds does not lose the session
        let later = br#"{"u":"rita","b":1,"e":2,"later":true}"#;
        assert!(BrowserSession::from_json(later).is_some());
    }
}
