//! Who of a provider's people may sign in.

/// Who may sign in: whoever one of these holds for. With none of them everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderAllow {
    /// Domains of verified mail addresses, in lower case. One that begins with `*.` is for the domains below it.
    pub email_domains: Vec<Box<str>>,
    /// Groups, as the provider calls them.
    pub groups: Vec<Box<str>>,
    /// Verified mail addresses, in lower case.
    pub emails: Vec<Box<str>>,
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
    pub(super) fn admits(&self, email: Option<&str>, groups: &[Box<str>]) -> bool {
        // mail addresses are compared without case, as those who wrote them down mean it
        let email = email.map(str::to_lowercase);
        let email = email.as_deref();
        self.is_everybody()
            || groups.iter().any(|group| self.groups.contains(group))
            || email.is_some_and(|email| self.emails.iter().any(|known| **known == *email))
            || email.is_some_and(|email| self.is_of_domain(email))
    }

    fn is_of_domain(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut known = self.email_domains.iter();
        known.any(|known| match known.strip_prefix('*') {
            Some(below) => domain.len() > below.len() && domain.ends_with(below),
            None => **known == *domain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_conditions_must_hold() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let allow = ProviderAllow {
            email_domains: list(&["example.com", "*.example.net"]),
            groups: list(&["staff"]),
            emails: list(&["guest@example.org"]),
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
            (Some("a@.example.net"), list(&[]), false),
            (Some("a@badexample.com"), list(&[]), false),
            (Some("a@sub.example.com"), list(&[]), false),
            (Some("a@example.com.evil.org"), list(&[]), false),
            (Some("a@example.com@evil.org"), list(&[]), false),
            (Some("example.com"), list(&[]), false),
            (Some("other@example.org"), list(&[]), false),
        ] {
            assert_eq!(
                allow.admits(email, &groups),
                admitted,
                "{email:?} {groups:?}"
            );
        }
        assert!(ProviderAllow::default().admits(None, &[]));
    }
}
