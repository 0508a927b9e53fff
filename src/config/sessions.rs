//! The sessions of browsers, as the configuration has them.

use std::collections::BTreeSet;

use super::settings::{Auth, Service};
use crate::access::RoleMatch;
use crate::token::{CookieSessions, ProviderRoom, SessionSettings};
use crate::wire::Scheme;

/// What browsers keep of one cookie, its name and attributes included (RFC 6265, section 6.1).
const COOKIE_BYTES: usize = 4096;

impl Auth {
    /// What makes and checks the sessions of browsers in front of these services.
    pub fn cookie_sessions(&self, services: &[Service]) -> CookieSessions {
        let token = &self.token;
        let settings = SessionSettings {
            issuer: token.issuer.clone(),
            ttl: token.access_ttl,
            max_age: self.session.max_age,
            max_lifetime: token.max_lifetime,
            leeway: token.leeway,
        };
        let sessions = CookieSessions::new(token.key.clone(), token.keys(), settings);
        sessions.with_room(self.provider_room(services))
    }

    /// What the session of a provider has room for in this cookie, with the roles that rules name.
    fn provider_room(&self, services: &[Service]) -> ProviderRoom {
        let (cookie, max_age) = (&self.session.cookie, self.session.max_age.as_secs());
        let empty = cookie.write(Scheme::Https, "", max_age);
        ProviderRoom {
            named_roles: named_roles(services).into_iter().collect(),
            longest: COOKIE_BYTES.saturating_sub(empty.len()),
        }
    }
}

/// The roles that some rule names.
pub(super) fn named_roles(services: &[Service]) -> BTreeSet<Box<str>> {
    let rules = services.iter().flat_map(|service| service.policy.rules());
    let conditions = rules.flat_map(|rule| rule.requirement.conditions());
    let matches = conditions.flat_map(|condition| &condition.roles);
    matches.flat_map(RoleMatch::roles).cloned().collect()
}
