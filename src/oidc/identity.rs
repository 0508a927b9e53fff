//! From what a provider says to who somebody is here.

use serde_json::{Map, Value};

use super::email::EmailAddress;
use super::error::ProviderError;
use super::settings::{ProviderSettings, SubjectClaim};
use super::subject::is_acceptable;
use crate::token::{ClaimPath, roles_of};

/// Who somebody is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderIdentity {
    /// The claim that the configuration names.
    pub subject: Box<str>,
    /// The roles here, each once.
    pub roles: Vec<Box<str>>,
    /// The display name, where there is one.
    pub name: Option<Box<str>>,
    /// The mail address, where the provider has verified it and it has one reading.
    pub email: Option<Box<str>>,
}

/// What a provider says of a person: in the ID token, and what that does not say in the userinfo.
#[derive(Clone, Copy, Default)]
pub(super) struct PersonClaims<'a> {
    pub(super) id_token: Option<&'a Map<String, Value>>,
    pub(super) userinfo: Option<&'a Map<String, Value>>,
}

/// Whether the userinfo is worth a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserinfoNeed {
    /// The ID token says everything.
    Nothing,
    /// A name or an address is missing that only services are told.
    Details,
    /// Something is missing that decides.
    Decisive,
}

impl<'a> PersonClaims<'a> {
    fn sources(self) -> impl Iterator<Item = &'a Map<String, Value>> {
        self.id_token.into_iter().chain(self.userinfo)
    }

    fn find(self, path: &ClaimPath) -> Option<&'a Value> {
        // `null` says as much as nothing
        let found = |claims| path.find(claims).filter(|value| !value.is_null());
        self.sources().find_map(found)
    }

    fn text(self, name: &str) -> Option<&'a str> {
        let mut texts = self
            .sources()
            .filter_map(|claims| claims.get(name)?.as_str());
        texts.find(|text| !text.trim().is_empty())
    }

    /// The first address that is verified; an address and what is said about it come from the same place.
    fn verified_email(self) -> Option<EmailAddress> {
        self.sources().find_map(verified_email)
    }

    /// Whether something is missing that the userinfo may say.
    pub(super) fn need(self, settings: &ProviderSettings) -> UserinfoNeed {
        let asks = |scope: &str| settings.scopes.iter().any(|asked| **asked == *scope);
        let lacks_email = self.verified_email().is_none();
        let decides = settings.allow.asks_for_email() || settings.subject == SubjectClaim::Email;
        let lacks_subject = settings.subject == SubjectClaim::PreferredUsername
            && self.text("preferred_username").is_none();
        let lacks_groups = settings.asks_for_groups() && self.find(&settings.roles_claim).is_none();
        if lacks_subject || lacks_groups || (decides && lacks_email) {
            UserinfoNeed::Decisive
        } else if (asks("email") && lacks_email) || (asks("profile") && self.text("name").is_none())
        {
            UserinfoNeed::Details
        } else {
            UserinfoNeed::Nothing
        }
    }

    /// Who the person with this `sub` is here.
    ///
    /// # Errors
    /// [`ProviderError::NotAllowed`] where the person may not sign in, or has no name here.
    pub(super) fn identify(
        self,
        settings: &ProviderSettings,
        sub: &str,
    ) -> Result<ProviderIdentity, ProviderError> {
        let groups = roles_of(self.find(&settings.roles_claim));
        let email = self.verified_email();
        if !settings.allow.admits(email.as_ref(), &groups) {
            let reason = match &email {
                None if settings.allow.asks_for_email() => {
                    "no condition of `allow` holds, and the provider has verified no mail address (`email_verified`)"
                }
                Some(_) | None => "no condition of `allow` holds",
            };
            return Err(ProviderError::NotAllowed(reason.to_owned()));
        }
        let subject = match settings.subject {
            SubjectClaim::Sub => Some(sub),
            SubjectClaim::PreferredUsername => self.text("preferred_username"),
            SubjectClaim::Email => email.as_ref().map(EmailAddress::as_str),
        };
        let subject = subject
            .filter(|subject| is_acceptable(subject))
            .ok_or_else(|| {
                ProviderError::NotAllowed(
                    match settings.subject {
                        SubjectClaim::Email => {
                            "the provider has verified no mail address, which is the subject"
                        }
                        SubjectClaim::Sub | SubjectClaim::PreferredUsername => {
                            "the claim that is the subject is missing, or no name"
                        }
                    }
                    .to_owned(),
                )
            })?;
        Ok(ProviderIdentity {
            subject: subject.into(),
            roles: settings.roles.roles(groups),
            // what is too long for a subject, or cannot be seen, is no name either
            name: self
                .text("name")
                .map(str::trim)
                .filter(|name| is_acceptable(name))
                .map(Into::into),
            email: email.map(|email| email.as_str().into()),
        })
    }
}

/// Anybody may say that an address is theirs: it counts where `email_verified` is true, or the text `true`, which some
/// providers write.
fn verified_email(claims: &Map<String, Value>) -> Option<EmailAddress> {
    let is_verified = match claims.get("email_verified")? {
        Value::Bool(verified) => *verified,
        Value::String(text) => text == "true",
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    };
    let email = EmailAddress::parse(claims.get("email")?.as_str()?);
    email.filter(|_| is_verified)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_verified_addresses_count() {
        for (claims, verified) in [
            (json!({ "email": "a@b", "email_verified": true }), true),
            (json!({ "email": "a@b", "email_verified": "true" }), true),
            (json!({ "email": "a@b", "email_verified": false }), false),
            (json!({ "email": "a@b", "email_verified": "false" }), false),
            (json!({ "email": "a@b", "email_verified": "True" }), false),
            (json!({ "email": "a@b", "email_verified": 1 }), false),
            (json!({ "email": "a@b", "email_verified": null }), false),
            (json!({ "email": "a@b", "email_verified": [true] }), false),
            (json!({ "email": "a@b" }), false),
            (json!({ "email": "ab", "email_verified": true }), false),
            (
                json!({ "email": "\"a@example.com\"@b", "email_verified": true }),
                false,
            ),
            (
                json!({ "email": "a@b\u{202e}", "email_verified": true }),
                false,
            ),
            (
                json!({ "email": "a@b\r\nx", "email_verified": true }),
                false,
            ),
            (json!({ "email": ["a@b"], "email_verified": true }), false),
            (
                json!({ "email": format!("{}@b", "a".repeat(254)), "email_verified": true }),
                false,
            ),
            (json!({ "email_verified": true }), false),
        ] {
            let found = verified_email(claims.as_object().unwrap());
            assert_eq!(found.is_some(), verified, "{claims}");
        }
    }

    /// What one place says of an address is not about the address of the other.
    #[test]
    fn an_address_is_verified_where_it_stands() {
        let id_token = json!({ "email": "victim@example.com", "email_verified": false });
        let userinfo = json!({ "email": "me@example.org", "email_verified": true });
        let claims = PersonClaims {
            id_token: id_token.as_object(),
            userinfo: userinfo.as_object(),
        };
        assert_eq!(claims.verified_email().unwrap().as_str(), "me@example.org");
    }
}
