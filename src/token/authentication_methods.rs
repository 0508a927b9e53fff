//! How somebody was authenticated: the values of `amr` (RFC 8176, section 2).

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// One way to authenticate, as RFC 8176 registers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationMethod {
    /// `face`: facial recognition.
    Face,
    /// `fpt`: a fingerprint.
    Fingerprint,
    /// `geo`: a geographic location.
    Location,
    /// `hwk`: proof of a key that hardware keeps.
    HardwareKey,
    /// `iris`: an iris scan.
    Iris,
    /// `kba`: knowledge-based questions.
    Knowledge,
    /// `mca`: more than one channel.
    MultipleChannels,
    /// `mfa`: more than one factor. It stands in a sign-in of the gateway exactly where a second factor counts.
    MultipleFactors,
    /// `otp`: a one-time password.
    OneTimePassword,
    /// `pin`: a PIN.
    Pin,
    /// `pop`: proof of a key.
    ProofOfPossession,
    /// `pwd`: a password.
    Password,
    /// `rba`: a risk-based decision.
    RiskBased,
    /// `retina`: a retina scan.
    Retina,
    /// `sc`: a smart card.
    SmartCard,
    /// `sms`: a message to a registered number.
    TextMessage,
    /// `swk`: proof of a key that software keeps.
    SoftwareKey,
    /// `tel`: a call to a registered number.
    Telephone,
    /// `user`: the user was present.
    UserPresence,
    /// `vbm`: a voice.
    Voice,
    /// `wia`: Windows integrated authentication.
    WindowsIntegrated,
}

use AuthenticationMethod as Method;

/// All of them with their names, in the order in which they are written.
const REGISTERED: [(AuthenticationMethod, &str); 21] = [
    (Method::Face, "face"),
    (Method::Fingerprint, "fpt"),
    (Method::Location, "geo"),
    (Method::HardwareKey, "hwk"),
    (Method::Iris, "iris"),
    (Method::Knowledge, "kba"),
    (Method::MultipleChannels, "mca"),
    (Method::MultipleFactors, "mfa"),
    (Method::OneTimePassword, "otp"),
    (Method::Pin, "pin"),
    (Method::ProofOfPossession, "pop"),
    (Method::Password, "pwd"),
    (Method::RiskBased, "rba"),
    (Method::Retina, "retina"),
    (Method::SmartCard, "sc"),
    (Method::TextMessage, "sms"),
    (Method::SoftwareKey, "swk"),
    (Method::Telephone, "tel"),
    (Method::UserPresence, "user"),
    (Method::Voice, "vbm"),
    (Method::WindowsIntegrated, "wia"),
];

/// A set of them. It has no room for values that are not registered: those are left out where it is read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct AuthenticationMethods(u32);

impl AuthenticationMethods {
    /// A password, and nothing else.
    pub const PASSWORD: Self = Self::of(&[Method::Password]);

    /// These, each once.
    pub const fn of(methods: &[AuthenticationMethod]) -> Self {
        let (mut bits, mut next) = (0, 0);
        while next < methods.len() {
            bits |= 1 << methods[next] as u32;
            next += 1;
        }
        Self(bits)
    }

    /// Those of a list of `amr` values that are registered. They compare by case (RFC 8176, section 1).
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let found = |name: &str| {
            REGISTERED
                .iter()
                .find(|(_, registered)| *registered == name)
        };
        let methods = names.into_iter().filter_map(found);
        methods.fold(Self::default(), |set, (method, _)| set.with(*method))
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, method: AuthenticationMethod) -> Self {
        Self(self.0 | Self::of(&[method]).0)
    }

    /// These but one.
    #[must_use]
    pub const fn without(self, method: AuthenticationMethod) -> Self {
        Self(self.0 & !Self::of(&[method]).0)
    }

    /// Whether one of them is this.
    pub const fn contains(self, method: AuthenticationMethod) -> bool {
        self.0 & Self::of(&[method]).0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names, in the order of the alphabet.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = REGISTERED.iter();
        named
            .filter(move |(method, _)| self.contains(*method))
            .map(|(_, name)| *name)
    }
}

/// As they are written in `amr`.
impl fmt::Debug for AuthenticationMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Serialize for AuthenticationMethods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for AuthenticationMethods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = AuthenticationMethods;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of authentication methods")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
        let mut set = AuthenticationMethods::default();
        while let Some(name) = names.next_element::<std::borrow::Cow<'de, str>>()? {
            set.0 |= AuthenticationMethods::from_names([&*name]).0;
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_value_is_written_and_read_back() {
        for (place, (method, name)) in REGISTERED.iter().enumerate() {
            assert_eq!(*method as usize, place, "{name}");
            let set = AuthenticationMethods::of(&[*method]);
            assert_eq!(set.names().collect::<Vec<_>>(), [*name]);
            assert_eq!(AuthenticationMethods::from_names([*name]), set);
        }
        let all = AuthenticationMethods::from_names(REGISTERED.map(|(_, name)| name));
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(
            serde_json::from_str::<AuthenticationMethods>(&text).unwrap(),
            all
        );
        assert_eq!(all.names().count(), 21);
    }

    #[test]
    fn what_is_not_registered_is_left_out_and_what_is_no_list_of_texts_is_refused() {
        let read = serde_json::from_str::<AuthenticationMethods>;
        let set = read(r#"["pwd", "MFA", "ngcmfa", "mfa ", "", "otp", "pwd"]"#).unwrap();
        assert_eq!(set.names().collect::<Vec<_>>(), ["otp", "pwd"]);
        assert!(!set.contains(AuthenticationMethod::MultipleFactors));
        for wrong in [r#""mfa""#, r#"["pwd", 7]"#, "{}", "null", "[null]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn methods_are_added_and_taken_away() {
        let both = AuthenticationMethods::PASSWORD.with(AuthenticationMethod::MultipleFactors);
        assert_eq!(format!("{both:?}"), r#"["mfa", "pwd"]"#);
        let without = both.without(AuthenticationMethod::MultipleFactors);
        assert_eq!(without, AuthenticationMethods::PASSWORD);
        assert!(without.without(AuthenticationMethod::Password).is_empty());
    }
}
