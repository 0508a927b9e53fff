//! What the configuration says about a provider.

use std::sync::Arc;
use std::time::Duration;

use super::allow::ProviderAllow;
use super::client::ClientSettings;
use super::metadata::ProviderEndpoints;
use super::name::ProviderName;
use super::roles::RoleMapping;
use crate::net::{HttpUrl, TlsSettings};
use crate::token::{Algorithm, ClaimPath};

/// One entry of `auth.providers`.
#[derive(Debug)]
pub struct ProviderSettings {
    /// What it is called here.
    pub name: ProviderName,
    /// What stands on the button of the sign-in page; default its name.
    pub title: String,
    /// The only accepted `iss`, exactly as the provider spells it.
    pub issuer: String,
    /// Where its endpoints are.
    pub location: ProviderLocation,
    /// How its servers are verified; `None`: by the authorities that the system trusts at the moment of a request.
    pub tls: Option<Arc<TlsSettings>>,
    /// The only accepted signature algorithms, none of them with a shared secret; empty, the default: those that the
    /// metadata name.
    pub algorithms: Vec<Algorithm>,
    /// Who the gateway is to it.
    pub client: ClientSettings,
    /// What is asked for; default `openid profile email`.
    pub scopes: Vec<Box<str>>,
    /// Which claim names the person; default `sub`.
    pub subject: SubjectClaim,
    /// Where the groups are; default `groups`.
    pub roles_claim: ClaimPath,
    /// What the groups mean here.
    pub roles: RoleMapping,
    /// Who may sign in; default everybody of this issuer.
    pub allow: ProviderAllow,
    /// Whether people must be on the user list; default they need not be.
    pub users: UsersMode,
    /// How often the provider is asked again whether a session holds; default 15 min.
    pub refresh: Duration,
    /// What signing out ends; default the session here.
    pub logout: LogoutMode,
    /// What it says of a person who has shown more than one factor; default nothing, so that its word does not count.
    pub second_factor: ProviderSecondFactor,
    /// How far its clock may differ, in whole seconds; default that of `auth.token`.
    pub leeway: Duration,
}

impl ProviderSettings {
    /// Whether anything depends on the groups of a person.
    pub(super) fn asks_for_groups(&self) -> bool {
        let for_roles = self.users == UsersMode::Any && self.roles.asks_for_groups();
        for_roles || !self.allow.groups.is_empty()
    }
}

/// By which words of a provider a sign-in counts as one with a second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderSecondFactor {
    /// One of these is among the authentication methods of the ID token (`amr`).
    pub amr: Vec<Box<str>>,
    /// Its authentication context is one of these (`acr`). They are asked for where a rule asks for a second factor.
    pub acr: Vec<Box<str>>,
}

impl ProviderSecondFactor {
    /// Whether an ID token with these claims says so.
    pub fn is_shown_by(&self, amr: &[Box<str>], acr: Option<&str>) -> bool {
        let by_method = amr.iter().any(|method| self.amr.contains(method));
        by_method || acr.is_some_and(|acr| self.acr.iter().any(|one| **one == *acr))
    }
}

/// Where the endpoints of a provider are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderLocation {
    /// Its metadata say it; they are below this URL, which is its issuer.
    Metadata(HttpUrl),
    /// They are configured.
    Given(Box<ProviderEndpoints>),
}

/// Which claim names the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectClaim {
    /// `sub`, which never changes and is never given to another person.
    #[default]
    Sub,
    /// `preferred_username`.
    PreferredUsername,
    /// `email`, where the provider has verified it.
    Email,
}

/// Whether people must be on the user list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsersMode {
    /// They are the provider's.
    #[default]
    Any,
    /// They must be on the list, whose roles count.
    Listed,
}

/// What signing out ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogoutMode {
    /// The session here.
    #[default]
    Local,
    /// The session at the provider as well (OpenID Connect RP-Initiated Logout 1.0).
    Provider,
}
