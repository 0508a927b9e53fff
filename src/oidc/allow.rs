//! Who of a provider's people may sign in.

use super::email::{EmailAddress, EmailDomain};

/// Who may sign in: whoever one of these holds for. With none of them everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderAllow {
    /// Domains of verified mail addresses.
    pub email_domains: Vec<EmailDomain>,
    /// Groups, as the provider calls them.
    pub groups: Vec<Box<str>>,
    /// Verified mail addresses.
    pub emails: Vec<EmailAddress>,
}

impl ProviderAllow {
    /// Whether everybody may sign in.
    pub fn is_everybody(&self) -> bool {
        self.groups.is_empty() && !self.asks_for_email()
    }

    /// Whether it depends on the mail address.
    pub(super) fn asks_for_email(&self) -> bool {
        !(self.email_domains.is_empty() && self.emails.is_empty())
    }

    /// Whether somebody with this verified mail address and these groups may sign in.
    pub(super) fn admits(&self, email: Option<&EmailAddress>, groups: &[Box<str>]) -> bool {
        let is_known = |email: &EmailAddress| {
            let mut domains = self.email_domains.iter();
            self.emails.contains(email) || domains.any(|domain| domain.covers(email))
        };
        self.is_everybody()
            || groups.iter().any(|group| self.groups.contains(group))
            || email.is_some_and(is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_conditions_must_hold() {
        let list =
            |names: &[&str]| -> Vec<Box<str>> { names.iter().map(|name| (*name).into()).collect() };
        let allow = ProviderAllow {
            email_domains: ["example.com", "*.example.net"]
                .map(|text| EmailDomain::parse(text).unwrap())
                .into(),
            groups: list(&["staff"]),
            emails: vec![EmailAddress::parse("guest@example.org").unwrap()],
        };
        for (email, groups, admitted) in [
            (Some("a@example.com"), list(&[]), true),
            (Some("a@EXAMPLE.com"), list(&[]), true),
            (Some("a@b.example.net"), list(&[]), true),
            (Some("guest@Example.org"), list(&[]), true),
            (None, list(&["other", "staff"]), true),
            (Some("x@elsewhere"), list(&["staff"]), true),
            (None, list(&[]), false),
            (None, list(&["Staff"]), false),
            (Some("a@example.net"), list(&[]), false),
            (Some("a@badexample.com"), list(&[]), false),
            (Some("a@sub.example.com"), list(&[]), false),
            (Some("a@example.com.evil.org"), list(&[]), false),
            (Some("other@example.org"), list(&[]), false),
        ] {
            let parsed = email.map(|text| EmailAddress::parse(text).unwrap());
            assert_eq!(
                allow.admits(parsed.as_ref(), &groups),
                admitted,
                "{email:?} {groups:?}"
            );
        }
        assert!(ProviderAllow::default().admits(None, &[]));
    }
}
