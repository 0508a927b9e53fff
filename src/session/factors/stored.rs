//! A record as a store has it: sealed, with the names by which it is found.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::{FactorRecord, UserHandle};
use crate::session::browser::digest;
use crate::text::hex;
use crate::token::{Sealed, SealedFor, Sealer};

/// What a person has, as operators see it. It is in clear beside what is sealed, and decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorSummary {
    /// Whether an authenticator app was added.
    #[serde(rename = "o")]
    pub totp: bool,
    /// How many recovery codes are left.
    #[serde(rename = "r")]
    pub recovery_codes: usize,
    /// How many passkeys and security keys there are.
    #[serde(rename = "p")]
    pub keys: usize,
}

impl FactorSummary {
    /// As the admin API and commands show it.
    pub fn to_json(&self) -> Value {
        json!({
            "totp": self.totp,
            "recovery_codes": self.recovery_codes,
            "keys": self.keys,
        })
    }
}

/// Some of the people of whom factors are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactorPage {
    /// In no order.
    pub list: Vec<(Box<str>, FactorSummary)>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<u64>,
}

/// What came of replacing a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorSwap {
    /// It was replaced.
    Done,
    /// It is not in the state that the new one was made from: somebody else has replaced it.
    Raced,
    /// It has a credential id that is another person's (WebAuthn level 3, section 7.1, step 26).
    TakenKey,
}

/// By what a record is found besides its person: a digest of a credential id or a user handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::session) struct FactorName([u8; 16]);

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::session) struct StoredFactors {
    /// Whose they are.
    #[serde(rename = "u")]
    pub(in crate::session) subject: Box<str>,
    /// How often the record was replaced.
    #[serde(rename = "v")]
    pub(in crate::session) turn: u64,
    #[serde(rename = "n")]
    pub(in crate::session) names: Vec<FactorName>,
    #[serde(rename = "k")]
    pub(in crate::session) summary: FactorSummary,
    /// `None` in what cannot be read: then nobody may take its person for one without a factor.
    #[serde(rename = "s")]
    sealed: Option<Sealed>,
}

impl FactorName {
    pub(in crate::session) fn of_credential(id: &[u8]) -> Self {
        Self(digest(&[b"credential", id]))
    }

    pub(in crate::session) fn of_handle(handle: &UserHandle) -> Self {
        Self(digest(&[b"user handle", handle]))
    }
}

impl StoredFactors {
    /// Seals a record: who can write to the store gives nobody another factor, and nobody the factors of somebody else. It is the
    /// state after the one that the record was made from.
    pub(in crate::session) fn seal(subject: &str, record: &FactorRecord, sealer: &Sealer) -> Self {
        let turn = record.turn.saturating_add(1);
        let context = context(subject, turn);
        let sealed = sealer.seal(SealedFor::SecondFactors, &context, &record.to_text());
        let handle = FactorName::of_handle(&record.user_handle);
        let keys = record.keys().map(|key| FactorName::of_credential(&key.id));
        Self {
            subject: subject.into(),
            turn,
            names: std::iter::once(handle).chain(keys).collect(),
            summary: FactorSummary {
                totp: record.totp.is_some(),
                recovery_codes: record.recovery_codes.len(),
                keys: record.keys().count(),
            },
            sealed: Some(sealed),
        }
    }

    /// The record; `None` where no key opens it, or where it was changed since it was sealed.
    pub(in crate::session) fn open(&self, sealer: &Sealer) -> Option<FactorRecord> {
        let context = context(&self.subject, self.turn);
        let text = sealer.open(SealedFor::SecondFactors, &context, self.sealed.as_ref()?)?;
        FactorRecord::from_text(&text, self.turn)
    }

    /// Whether the gateway's key has sealed it, and not one before, which will be taken away.
    pub(in crate::session) fn is_current(&self, sealer: &Sealer) -> bool {
        let sealed = self.sealed.as_ref();
        sealed.is_some_and(|sealed| sealer.is_current(sealed))
    }

    /// As it is stored.
    pub(in crate::session) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("factors have nothing that JSON cannot say")
    }

    /// Reads what [`Self::to_json`] writes of this person. What cannot be read is kept as something that does not open.
    pub(in crate::session) fn from_json(subject: &str, text: &[u8]) -> Self {
        let read: Option<Self> = serde_json::from_slice(text).ok();
        let own = read.filter(|read| *read.subject == *subject);
        own.unwrap_or_else(|| Self {
            subject: subject.into(),
            turn: 0,
            names: Vec::new(),
            summary: FactorSummary::default(),
            sealed: None,
        })
    }
}

fn context(subject: &str, turn: u64) -> Vec<u8> {
    let mut context = turn.to_be_bytes().to_vec();
    context.extend_from_slice(subject.as_bytes());
    context
}

/// As it is named in a store.
impl fmt::Display for FactorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl From<FactorName> for String {
    fn from(name: FactorName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for FactorName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(&text).map(Self).ok_or("no digest")
    }
}

#[cfg(test)]
pub(in crate::session) mod tests {
    use super::*;
    use crate::factors::TotpSecret;
    use crate::session::{StoredPasskey, TotpFactor};
    use crate::token::Key;

    pub(in crate::session) fn sealer(number: u8) -> Sealer {
        let key = Key::hs256(&[number; 32]).unwrap();
        Sealer::new(&key, &key.clone().into())
    }

    pub(in crate::session) fn record(handle: u8, keys: &[&[u8]]) -> FactorRecord {
        let key = |id: &&[u8]| StoredPasskey {
            id: id.to_vec(),
            name: "key".into(),
            credential: b"{}".to_vec(),
            added_at: 1,
            last_used_at: None,
        };
        FactorRecord {
            totp: Some(TotpFactor {
                secret: TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(),
                added_at: 5,
            }),
            last_step: Some(7),
            passkeys: keys.iter().map(key).collect(),
            ..FactorRecord::new([handle; 16])
        }
    }

    #[test]
    fn a_record_opens_for_its_person_in_its_state_and_with_its_key_only() {
        let record = record(1, &[b"a"]);
        let stored = StoredFactors::seal("rita", &record, &sealer(1));
        let read = StoredFactors::from_json("rita", &stored.to_json());
        assert_eq!(read, stored);
        let opened = FactorRecord { turn: 1, ..record };
        assert_eq!(read.open(&sealer(1)), Some(opened));
        assert_eq!(read.open(&sealer(2)), None);
        let mut other = read.clone();
        other.subject = "admin".into();
        assert_eq!(other.open(&sealer(1)), None);
        let mut former = read;
        former.turn = 2;
        assert_eq!(former.open(&sealer(1)), None);
        let text = String::from_utf8(stored.to_json()).unwrap();
        assert!(
            !text.contains("GEZDG") && !format!("{stored:?}").contains("GEZDG"),
            "{text}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let stored = StoredFactors::seal("rita", &record(1, &[]), &sealer(1));
        for (subject, text) in [("rita", b"{}".to_vec()), ("admin", stored.to_json())] {
            let read = StoredFactors::from_json(subject, &text);
            assert_eq!((&*read.subject, read.open(&sealer(1))), (subject, None));
        }
    }
}
