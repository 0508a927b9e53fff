//! Where things stand in the files, for what is reported about a whole configuration.

use super::span::Span;

/// Where a provider stands, and what of it is held against the rest.
pub(super) struct ProviderPlaces {
    /// Its name.
    pub(super) name: Span,
    /// `users`, where it is written.
    pub(super) users: Option<Span>,
    /// The roles that it gives.
    pub(super) roles: Vec<(Box<str>, Span)>,
}

/// Where it stands how people sign in; `None` where that is not written.
#[derive(Clone, Copy, Default)]
pub(super) struct SignInPlaces {
    /// `auth.login.second_factor`.
    pub(super) second_factor: Option<Span>,
    /// `auth.login.change_password`.
    pub(super) change_password: Option<Span>,
    /// `auth.passkeys`.
    pub(super) passkeys: Option<Span>,
}

/// Where a service and its rules stand.
pub(super) struct Places {
    /// The service's key.
    pub(super) service: Span,
    /// By rule id.
    pub(super) rules: Vec<Span>,
}
