//! A sign-in at a provider that is under way: what the browser keeps of it, sealed, until it comes back.
//!
//! Each has a cookie of its own, so that several tabs sign in at once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::AuthenticationDemand;
use crate::ambient;
use crate::token::{Sealed, SealedFor, Sealer};

/// How long somebody may take at the provider, in seconds.
pub(super) const LIFE: u64 = 600;

/// How much of a `state` names the cookie.
const KEY: usize = 8;

/// The most sign-ins of one browser that are kept, and the most bytes of their cookies: servers refuse requests with
/// longer heads.
const MOST: usize = 5;
const MOST_BYTES: usize = 4096;

/// The longest way back that is kept, in bytes; a longer one is forgotten.
const LONGEST_NEXT: usize = 1024;

/// At the end of a `state`: the sign-in was begun anew since its cookie was lost.
const ANEW: char = '2';

/// Where a sign-in leads, and what its answer is checked with.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PendingSignIn {
    /// What the answer must say again.
    pub(super) state: String,
    /// What the ID token must say.
    pub(super) nonce: String,
    /// What the code is redeemed with (RFC 7636).
    pub(super) verifier: String,
    /// The name of the provider that the browser was sent to.
    pub(super) provider: String,
    /// Where it came from; `None` where there is no safe way back.
    pub(super) next: Option<String>,
    /// Where it comes back to.
    pub(super) redirect_uri: String,
    /// How many seconds ago the person may have been authenticated; `None`: that is not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u64>,
    begun_at: u64,
}

/// Whether a sign-in is a second try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    /// The cookie of the first was lost. If this one's is too, nothing is tried again.
    Anew,
}

impl PendingSignIn {
    /// A sign-in that begins at `now`, in seconds since 1970.
    pub(super) fn begin(
        provider: &str,
        redirect_uri: String,
        next: Option<&str>,
        attempt: Attempt,
        now: u64,
    ) -> Self {
        let random = || URL_SAFE_NO_PAD.encode(ambient::random_bytes::<16>());
        let next = next.filter(|next| next.len() <= LONGEST_NEXT);
        let mut state = random();
        if attempt == Attempt::Anew {
            state.push(ANEW);
        }
        Self {
            state,
            nonce: random(),
            verifier: URL_SAFE_NO_PAD.encode(ambient::random_bytes::<32>()),
            provider: provider.to_owned(),
            next: next.map(str::to_owned),
            redirect_uri,
            max_age: None,
            begun_at: now,
        }
    }

    /// The same, of somebody who is to be authenticated so lately.
    pub(super) fn asking(self, demand: AuthenticationDemand) -> Self {
        Self {
            max_age: demand.max_age.map(|max_age| max_age.as_secs()),
            ..self
        }
    }

    /// The key of the cookie.
    pub(super) fn key(&self) -> &str {
        key_of(&self.state)
    }

    /// The value of the cookie.
    pub(super) fn seal(&self, sealer: &Sealer) -> String {
        let text = serde_json::to_vec(self).expect("texts and numbers are JSON");
        let text = Zeroizing::new(text);
        let sealed = sealer.seal(SealedFor::PendingSignIn, self.key().as_bytes(), &text);
        sealed.to_string()
    }

    /// Reads the cookie of this key; `None` where the gateway has not written it, or where it is too old.
    pub(super) fn open(sealer: &Sealer, key: &str, value: &str, now: u64) -> Option<Self> {
        let sealed = Sealed::parse(value)?;
        let text = sealer.open(SealedFor::PendingSignIn, key.as_bytes(), &sealed)?;
        let pending: Self = serde_json::from_slice(&text).ok()?;
        let is_young = now < pending.begun_at.saturating_add(LIFE);
        is_young.then_some(pending)
    }

    /// Which of a browser's cookies are to go before this one is added: what cannot be read, and the oldest while there
    /// are too many.
    pub(super) fn make_room<'c>(
        sealer: &Sealer,
        cookies: impl Iterator<Item = (&'c str, &'c str)>,
        now: u64,
    ) -> Vec<&'c str> {
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (key, value) in cookies {
            match Self::open(sealer, key, value, now) {
                Some(pending) => kept.push((pending.begun_at, key, value.len())),
                None => gone.push(key),
            }
        }
        kept.sort_unstable();
        let mut bytes: usize = kept.iter().map(|(.., length)| length).sum();
        let mut oldest = kept.into_iter();
        while oldest.len() >= MOST || bytes > MOST_BYTES {
            let Some((_, key, length)) = oldest.next() else {
                break;
            };
            bytes -= length;
            gone.push(key);
        }
        gone
    }
}

/// The key of the cookie for a `state` that a browser brings back.
pub(super) fn key_of(state: &str) -> &str {
    state.get(..KEY).unwrap_or(state)
}

/// Which try a `state` was of. A browser may say what it likes: it only decides which page it sees.
pub(super) fn attempt_of(state: &str) -> Attempt {
    if state.ends_with(ANEW) && state.len() == 23 {
        Attempt::Anew
    } else {
        Attempt::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Key, KeySet};

    const NOW: u64 = 1_700_000_000;

    fn sealer(secret: &[u8; 32]) -> Sealer {
        let key = Key::hs256(secret).unwrap();
        Sealer::new(&key, &KeySet::from(key.clone()))
    }

    fn begin(now: u64, next: &str) -> PendingSignIn {
        let redirect_uri = "https://app.test/auth/callback/corp".to_owned();
        PendingSignIn::begin("corp", redirect_uri, Some(next), Attempt::First, now)
    }

    #[test]
    fn a_sign_in_is_kept_for_ten_minutes_and_by_nobody_else() {
        let ours = sealer(b"0123456789abcdef0123456789abcdef");
        let pending = begin(NOW, "/jobs");
        let value = pending.seal(&ours);
        let open = |sealer: &Sealer, key: &str, now| {
            let opened = PendingSignIn::open(sealer, key, &value, now)?;
            assert_eq!(opened.verifier, pending.verifier);
            Some(opened.state)
        };
        let key = pending.key().to_owned();
        assert_eq!(open(&ours, &key, NOW), Some(pending.state.clone()));
        assert_eq!(open(&ours, &key, NOW + 599), Some(pending.state.clone()));
        assert_eq!(open(&ours, &key, NOW + 600), None);
        assert_eq!(open(&ours, "abcdefgh", NOW), None, "of another sign-in");
        let other = sealer(b"another secret of thirty-two byt");
        assert_eq!(open(&other, &key, NOW), None);
        assert!(PendingSignIn::open(&ours, &key, "junk", NOW).is_none());
        assert!(PendingSignIn::open(&ours, &key, "", NOW).is_none());
    }

    #[test]
    fn a_second_try_is_recognized() {
        let begin = |attempt| PendingSignIn::begin("corp", String::new(), None, attempt, NOW).state;
        let [first, anew] = [Attempt::First, Attempt::Anew].map(begin);
        assert_eq!((first.len(), anew.len()), (22, 23));
        assert_eq!(attempt_of(&first), Attempt::First);
        assert_eq!(attempt_of(&anew), Attempt::Anew);
        for odd in ["", "2", "ä2", "0123456789012345678901x"] {
            assert_eq!(attempt_of(odd), Attempt::First, "{odd}");
            assert!(key_of(odd).len() <= odd.len());
        }
    }

    #[test]
    fn a_browser_keeps_the_youngest_few() {
        let sealer = sealer(b"0123456789abcdef0123456789abcdef");
        let written = |age: u64, next: &str| {
            let pending = begin(NOW - age, next);
            (pending.key().to_owned(), pending.seal(&sealer))
        };
        let gone = |cookies: &[(String, String)]| {
            let pairs = cookies.iter().map(|(key, value)| (&**key, &**value));
            PendingSignIn::make_room(&sealer, pairs, NOW)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let few: Vec<_> = (1..5).map(|age| written(age, "/")).collect();
        assert_eq!(gone(&few), [""; 0]);
        let many: Vec<_> = (1..8).map(|age| written(age, "/")).collect();
        let oldest = [6, 5, 4].map(|index: usize| many[index].0.clone());
        assert_eq!(gone(&many), oldest);
        let old = [written(601, "/"), ("odd".to_owned(), "junk".to_owned())];
        assert_eq!(gone(&old), [old[0].0.clone(), "odd".to_owned()]);
        let long = format!("/{}", "a".repeat(1000));
        let long: Vec<_> = (1..4).map(|age| written(age, &long)).collect();
        assert_eq!(gone(&long), [long[2].0.clone()]);
    }

    #[test]
    fn a_way_back_that_is_too_long_is_forgotten() {
        assert!(begin(NOW, &"a".repeat(1024)).next.is_some());
        assert!(begin(NOW, &"a".repeat(1025)).next.is_none());
    }
}
