//! What stands for a right password while a second factor is asked for: sealed, so that nothing is kept of it until it is used.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ambient;
use crate::factors::{TotpSecret, secret_in_base32};
use crate::session::{Network, OnceKey, OnceUse};
use crate::token::{Sealed, SealedFor, Sealer};

/// For how many seconds it stands for the password.
pub(super) const LIFE: u64 = 120;

/// For how many seconds where the person adds an app first.
pub(super) const LIFE_OF_ENROLMENT: u64 = 600;

/// The longest that is looked at, in characters.
const LONGEST: usize = 4096;

/// Who has shown a right password, and who may go on with it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Continuation {
    /// The name that was typed.
    #[serde(rename = "n")]
    pub(super) name: String,
    /// Whose password it was.
    #[serde(rename = "u")]
    pub(super) subject: String,
    /// Whether a directory has checked it.
    #[serde(rename = "d")]
    pub(super) is_of_directory: bool,
    /// When the password was shown, in seconds since 1970.
    #[serde(rename = "b")]
    pub(super) shown_at: u64,
    /// The secret of an app that is to be added with the first code.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    added: Option<AddedApp>,
    /// The network that it came from.
    #[serde(rename = "c")]
    network: Network,
    #[serde(rename = "e")]
    until: u64,
    /// A random name: two of the same second differ, and each is used once.
    #[serde(rename = "i")]
    id: String,
}

/// An app that is added with its first code.
#[derive(Clone, Serialize, Deserialize)]
struct AddedApp(#[serde(with = "secret_in_base32")] TotpSecret);

/// One that was opened.
pub(super) struct OpenedContinuation {
    pub(super) continuation: Continuation,
    /// The name under which it is used once.
    pub(super) key: OnceKey,
    /// Until when it would be good.
    pub(super) until: u64,
}

impl Continuation {
    /// Stands for a password that this name and this address have shown at `now`.
    pub(super) fn new(name: &str, subject: &str, client: IpAddr, now: u64) -> Self {
        Self {
            name: name.to_owned(),
            subject: subject.to_owned(),
            is_of_directory: false,
            shown_at: now,
            added: None,
            network: Network::of(client),
            until: now.saturating_add(LIFE),
            id: random(),
        }
    }

    /// The same, of somebody who is to add an app with this secret.
    pub(super) fn enrolling(mut self, secret: &TotpSecret) -> Self {
        self.until = self.shown_at.saturating_add(LIFE_OF_ENROLMENT);
        self.added = Some(AddedApp(secret.clone()));
        self
    }

    /// Another one in its place, which is good for as long.
    pub(super) fn again(&self) -> Self {
        Self {
            id: random(),
            ..self.clone()
        }
    }

    /// The secret of the app that is to be added.
    pub(super) fn secret(&self) -> Option<&TotpSecret> {
        self.added.as_ref().map(|AddedApp(secret)| secret)
    }

    /// As it is given away.
    pub(super) fn seal(&self, sealer: &Sealer) -> String {
        let text = serde_json::to_vec(self).expect("texts and numbers are JSON");
        let text = Zeroizing::new(text);
        sealer.seal(SealedFor::Continuation, b"", &text).to_string()
    }

    /// Reads what [`Self::seal`] writes, for a client at this address; `None` where the gateway has not written it, where it is too
    /// old, or of another network. Whether it was used before is not known yet.
    pub(super) fn open(
        sealer: &Sealer,
        text: &str,
        client: IpAddr,
        now: u64,
    ) -> Option<OpenedContinuation> {
        if text.len() > LONGEST {
            return None;
        }
        let opened = sealer.open(SealedFor::Continuation, b"", &Sealed::parse(text)?)?;
        let continuation: Self = serde_json::from_slice(&opened).ok()?;
        let Self { network, until, .. } = continuation;
        let key = OnceKey::new(OnceUse::Continuation, "", &continuation.id);
        (now < until && network == Network::of(client)).then_some(OpenedContinuation {
            continuation,
            key,
            until,
        })
    }
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(ambient::random_bytes::<16>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Key;

    #[test]
    fn it_is_good_for_its_network_and_its_time_and_says_nothing() {
        let key = Key::hs256(&[7; 32]).unwrap();
        let sealer = Sealer::new(&key, &key.clone().into());
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let continuation = Continuation::new("rita", "rita", here, 1000);
        let text = continuation.seal(&sealer);
        let open = |text: &str, client: IpAddr, now| Continuation::open(&sealer, text, client, now);
        let opened = open(&text, here, 1119).unwrap();
        assert_eq!(
            (&*opened.continuation.subject, opened.until),
            ("rita", 1120)
        );
        assert!(open(&text, here, 1120).is_none());
        assert!(open(&text, "192.0.2.2".parse().unwrap(), 1000).is_none());
        assert!(open(&text[1..], here, 1000).is_none() && open("", here, 1000).is_none());
        assert!(open(&"A".repeat(LONGEST + 1), here, 1000).is_none());
        // another one of the same is used by itself
        let again = open(&continuation.again().seal(&sealer), here, 1000).unwrap();
        assert_ne!(again.key, opened.key);
        assert_eq!(again.until, opened.until);
        let secret = TotpSecret::parse("GEZDGNBVGY3TQOJQ").unwrap();
        let enrolling = continuation.enrolling(&secret).seal(&sealer);
        let enrolling = open(&enrolling, here, 1599).unwrap();
        assert_eq!(enrolling.continuation.secret(), Some(&secret));
    }
}
