//! A ceremony between its two halves: sealed, in the page that waits for the key.
//!
//! Nothing is stored while the page waits, so nobody can fill the store by beginning ceremonies. What makes that safe stands
//! here: the state is sealed, it is good for five minutes, for one kind of ceremony and one person, and for the browser
//! that began it, by a cookie; that it is good once, the store says when it ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::ambient;
use crate::session::{OnceKey, OnceUse};
use crate::token::{Sealed, SealedFor, Sealer};
use crate::webauthn::CeremonyState;

/// How long somebody may look for their key, in seconds.
pub(super) const LIFE: u64 = 300;

/// For how long browsers keep the cookie, in seconds.
pub(super) const BINDING_LIFE: u64 = 3600;

/// The bytes of a binding.
const BINDING: usize = 16;

/// What a ceremony is for, and with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    /// Signing in, with whichever key.
    SignIn,
    /// A second factor of this person.
    SecondFactor(&'a str),
    /// A new key of this person.
    Registration(&'a str),
}

/// Ties ceremonies to the browser that begins them: a random value in a cookie that no script reads.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Binding(String);

/// A ceremony that waits for the key.
#[derive(Serialize, Deserialize)]
pub(super) struct PendingCeremony {
    pub(super) state: CeremonyState,
    id: String,
    begun_at: u64,
}

impl Binding {
    /// That of a browser which brings one.
    pub(super) fn read(cookie: Option<&str>) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cookie?).ok()?;
        (bytes.len() == BINDING).then(|| Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// That of another browser.
    pub(super) fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(ambient::random_bytes::<BINDING>()))
    }

    /// The cookie's value.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl PendingCeremony {
    /// A ceremony that begins at `now`, in seconds since 1970.
    pub(super) fn begin(state: CeremonyState, now: u64) -> Self {
        Self {
            state,
            id: URL_SAFE_NO_PAD.encode(ambient::random_bytes::<16>()),
            begun_at: now,
        }
    }

    pub(super) fn seal(&self, sealer: &Sealer, purpose: Purpose<'_>, binding: &Binding) -> Sealed {
        let text = serde_json::to_vec(self).expect("keys and challenges are JSON");
        sealer.seal(SealedFor::Ceremony, &context(purpose, binding), &text)
    }

    /// Opens what [`Self::seal`] gave; `None` where it is of another purpose, person or browser, or where it is too old.
    pub(super) fn open(
        sealer: &Sealer,
        purpose: Purpose<'_>,
        binding: &Binding,
        sealed: &Sealed,
        now: u64,
    ) -> Option<Self> {
        let text = sealer.open(SealedFor::Ceremony, &context(purpose, binding), sealed)?;
        let pending: Self = serde_json::from_slice(&text).ok()?;
        (now < pending.begun_at.saturating_add(LIFE)).then_some(pending)
    }

    /// By what the store knows that it is over, and until when.
    pub(super) fn once(&self) -> (OnceKey, u64) {
        let key = OnceKey::new(OnceUse::Ceremony, "", &self.id);
        (key, self.begun_at.saturating_add(LIFE))
    }
}

/// The binding has a length of its own, so that no two contexts read alike.
fn context(purpose: Purpose<'_>, binding: &Binding) -> Vec<u8> {
    let (purpose, person) = match purpose {
        Purpose::SignIn => ("s", ""),
        Purpose::SecondFactor(person) => ("f", person),
        Purpose::Registration(person) => ("r", person),
    };
    [binding.as_str(), purpose, person].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Key, KeySet};
    use crate::webauthn::{RelyingParty, RpId};

    const NOW: u64 = 1_700_000_000;

    fn sealer() -> Sealer {
        let key = Key::hs256(b"0123456789abcdef0123456789abcdef").unwrap();
        Sealer::new(&key, &KeySet::from(key.clone()))
    }

    fn pending() -> PendingCeremony {
        let id = RpId::parse("example.com").unwrap();
        let site = RelyingParty::new(&id, "Example", "https://example.com").unwrap();
        PendingCeremony::begin(site.start_sign_in().unwrap().state, NOW)
    }

    #[test]
    fn a_ceremony_is_for_one_purpose_one_person_one_browser_and_five_minutes() {
        let (sealer, binding, pending) = (sealer(), Binding::new(), pending());
        let purposes = [
            Purpose::SignIn,
            Purpose::SecondFactor("ann"),
            Purpose::SecondFactor("bea"),
            Purpose::Registration("ann"),
            Purpose::Registration("bea"),
        ];
        for purpose in purposes {
            let sealed = pending.seal(&sealer, purpose, &binding);
            let open = |purpose, binding, now| {
                PendingCeremony::open(&sealer, purpose, binding, &sealed, now).map(|one| one.id)
            };
            for other in purposes {
                let opened = open(other, &binding, NOW);
                assert_eq!(opened.is_some(), other == purpose, "{purpose:?} {other:?}");
            }
            assert_eq!(open(purpose, &binding, NOW + 299), Some(pending.id.clone()));
            assert_eq!(open(purpose, &binding, NOW + 300), None);
            assert_eq!(open(purpose, &Binding::new(), NOW), None);
        }
        let (key, until) = pending.once();
        assert_eq!((key, until), (pending.once().0, NOW + 300));
        assert_ne!(key, super::tests::pending().once().0);
    }

    #[test]
    fn a_binding_is_what_the_gateway_writes() {
        let binding = Binding::new();
        assert!(Binding::read(Some(binding.as_str())) == Some(binding.clone()));
        assert!(Binding::new() != binding);
        let long = "A".repeat(43);
        for odd in [None, Some(""), Some("AAAA"), Some("!"), Some(&*long)] {
            assert!(Binding::read(odd).is_none(), "{odd:?}");
        }
    }
}
