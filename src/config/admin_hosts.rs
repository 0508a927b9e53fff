//! `admin.hosts`: under which names the admin listener answers.

use std::sync::Arc;

use crate::access::HostPattern;

/// Domains that public DNS does not delegate: those of Kubernetes' services, and `internal`, which ICANN has reserved.
const PRIVATE: [&str; 3] = [".svc", ".svc.cluster.local", ".internal"];

/// The names that the admin listener answers to, beside addresses and `localhost`. By default those that no page of
/// another site can have, for scrapers only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminHosts(Option<Arc<[HostPattern]>>);

impl AdminHosts {
    /// These names, and no others.
    pub fn new(hosts: Vec<HostPattern>) -> Self {
        Self(Some(hosts.into()))
    }

    /// Whether the configuration lists a host (lower-case, without port and trailing dot).
    pub fn lists(&self, host: &str) -> bool {
        let hosts = self.0.as_deref().unwrap_or_default();
        hosts.iter().any(|pattern| pattern.covers(host))
    }

    /// Whether a scraper may call the listener by this host: it is listed, or, where the configuration lists none, it is a
    /// name that the owner of a public domain cannot point here.
    pub fn admit_scraper(&self, host: &str) -> bool {
        match self.0 {
            Some(_) => self.lists(host),
            None => !host.contains('.') || PRIVATE.iter().any(|domain| host.ends_with(domain)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_scrapers_come_by_names_that_public_dns_has_not() {
        let none = AdminHosts::default();
        let listed = ["metrics.example.com", "*.ops.example.com"];
        let some = AdminHosts::new(
            listed
                .map(|host| HostPattern::parse(host).unwrap())
                .to_vec(),
        );
        for (host, by_default, with_a_list) in [
            ("gatelatch", true, false),
            ("gatelatch.monitoring.svc", true, false),
            ("gatelatch.monitoring.svc.cluster.local", true, false),
            ("host.docker.internal", true, false),
            ("gatelatch.dev", false, false),
            ("evil.test", false, false),
            ("evil.example", false, false),
            ("svc.evil.example", false, false),
            ("evil-svc.com", false, false),
            ("evil.local", false, false),
            ("metrics.example.com", false, true),
            ("a.ops.example.com", false, true),
            ("ops.example.com", false, false),
        ] {
            assert_eq!(none.admit_scraper(host), by_default, "{host}");
            assert!(!none.lists(host), "{host}");
            assert_eq!(some.admit_scraper(host), with_a_list, "{host}");
            assert_eq!(some.lists(host), with_a_list, "{host}");
        }
    }
}
