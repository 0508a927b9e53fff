//! How a caller has authenticated, as far as rules ask.

use std::time::Duration;

/// When and how a caller has signed in. It is about the credential, where an identity is about its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not by a sign-in: nobody was there whom a rule could ask to sign in again. So it is for API keys, for a password that
    /// comes with each request, and for the tokens of other issuers. The default, by which no demand holds.
    #[default]
    WithoutSignIn,
    /// By a sign-in at the gateway.
    SignedIn {
        /// How long ago that was; `None` where it is unknown.
        age: Option<Duration>,
        /// Whether a second factor was shown.
        second_factor: bool,
    },
}
