//! Random configurations, in pairs that have something in common.

use std::sync::Arc;

use gatelatch::access::{
    CaseRule, HostPattern, Identity, Mount, PathOptions, Policy, RoutedService, Router, Rule,
    Subjects,
};
use gatelatch::analysis::diff::ComparedUser;
use gatelatch::analysis::{ConfigurationView, ServicePolicyView};
use gatelatch::wire::OwnPaths;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::{identity, rules};

/// One configuration, of parts that a [`ConfigurationView`] borrows.
#[derive(Debug)]
pub(crate) struct World {
    services: Vec<Service>,
    router: Router,
    own: OwnPaths,
}

#[derive(Debug)]
struct Service {
    name: String,
    hosts: Vec<HostPattern>,
    mount: Mount,
    strip: bool,
    paths: PathOptions,
    policy: Policy,
}

#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) services: Vec<ServiceRecipe>,
    pub(crate) prefix: &'static str,
    pub(crate) token_path: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ServiceRecipe {
    pub(crate) name: &'static str,
    pub(crate) hosts: Vec<&'static str>,
    pub(crate) mount: &'static str,
    pub(crate) case: CaseRule,
    pub(crate) strip: bool,
    pub(crate) rules: Vec<Rule>,
}

impl Recipe {
    /// The configuration; of rules that tie and services that overlap the first stays.
    pub(crate) fn cook(&self) -> World {
        let mut services: Vec<Service> = Vec::new();
        for recipe in &self.services {
            services.push(recipe.cook());
            let names = services
                .iter()
                .filter(|service| service.name == recipe.name)
                .count();
            if names > 1 || route(&services).is_none() {
                services.pop();
            }
        }
        let router = route(&services).unwrap();
        let token_paths = if self.token_path {
            vec!["/a".to_owned()]
        } else {
            Vec::new()
        };
        World {
            services,
            router,
            own: OwnPaths {
                prefix: self.prefix.to_owned(),
                token_paths,
                ..OwnPaths::default()
            },
        }
    }
}

impl ServiceRecipe {
    fn cook(&self) -> Service {
        let mut kept: Vec<Rule> = Vec::new();
        for rule in &self.rules {
            kept.push(rule.clone());
            if Policy::build(kept.clone(), self.case).is_err() {
                kept.pop();
            }
        }
        Service {
            name: self.name.to_owned(),
            hosts: self
                .hosts
                .iter()
                .map(|host| HostPattern::parse(host).unwrap())
                .collect(),
            mount: Mount::parse(self.mount).unwrap(),
            strip: self.strip,
            paths: PathOptions::default(),
            policy: Policy::build(kept, self.case).unwrap(),
        }
    }
}

fn route(services: &[Service]) -> Option<Router> {
    let routed = services.iter().map(|service| RoutedService {
        hosts: service.hosts.clone(),
        mount: service.mount.clone(),
        case: service.policy.case(),
        paths: PathOptions::default(),
    });
    Router::build(routed.collect()).ok()
}

impl World {
    pub(crate) fn view(&self) -> ConfigurationView<'_> {
        let services = self.services.iter().map(|one| ServicePolicyView {
            name: &one.name,
            known_as: &one.name,
            hosts: &one.hosts,
            mount: &one.mount,
            strip_path: one.strip,
            paths: one.paths,
            policy: &one.policy,
        });
        ConfigurationView {
            router: &self.router,
            services: services.collect(),
            own: &self.own,
        }
    }

    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.services.iter().map(|service| &service.policy)
    }
}

fn case() -> impl Strategy<Value = CaseRule> {
    prop_oneof![3 => Just(CaseRule::Sensitive), 1 => Just(CaseRule::Insensitive)]
}

fn service() -> impl Strategy<Value = ServiceRecipe> {
    let hosts = select(vec![
        vec![],
        vec![],
        vec!["a.x"],
        vec!["*.x"],
        vec!["a.x", "*.b.x"],
    ]);
    let mounts = select(vec!["/", "/", "/a", "/A", "/a/b"]);
    let strip = prop_oneof![5 => Just(false), 1 => Just(true)];
    (
        select(vec!["one", "two"]),
        hosts,
        mounts,
        case(),
        strip,
        rules(),
    )
        .prop_map(|(name, hosts, mount, case, strip, rules)| ServiceRecipe {
            name,
            hosts,
            mount,
            case,
            strip,
            rules,
        })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let prefix = select(vec!["/auth", "/auth", "/a", "/a/b"]);
    let token_path = prop_oneof![4 => Just(false), 1 => Just(true)];
    (vec(service(), 1..3), prefix, token_path).prop_map(|(services, prefix, token_path)| Recipe {
        services,
        prefix,
        token_path,
    })
}

/// Two configurations: mostly one, and the same with a few rules or one setting exchanged.
pub(crate) fn pair() -> impl Strategy<Value = (Recipe, Recipe)> {
    (
        recipe(),
        recipe(),
        0..9_u8,
        rules(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(old, other, kind, rules, at)| {
            let mut new = old.clone();
            let service = at.index(new.services.len());
            let service = &mut new.services[service];
            match kind {
                0 => return (old, other),
                1 => service.case = other.services[0].case,
                2 => service.mount = other.services[0].mount,
                3 => (new.prefix, new.token_path) = (other.prefix, other.token_path),
                4 => service.hosts = other.services[0].hosts.clone(),
                5 => service.strip = other.services[0].strip,
                6 => new.token_path = !old.token_path,
                _ => {
                    service.rules = rules
                        .into_iter()
                        .take(2)
                        .chain(service.rules.iter().skip(1).cloned())
                        .collect()
                }
            }
            (old, new)
        })
}

/// Users who were, are, or both; some of them changed.
pub(crate) fn people() -> impl Strategy<Value = Vec<ComparedUser>> {
    let one = (
        prop::option::of(identity()),
        prop::option::of(identity()),
        any::<bool>(),
    );
    vec(one, 0..4).prop_map(|all| {
        let mut people: Vec<ComparedUser> = Vec::new();
        for (before, after, same) in all {
            let name = before
                .as_ref()
                .or(after.as_ref())
                .map(|who| who.subject.clone());
            let Some(name) = name.filter(|name| people.iter().all(|person| person.name != *name))
            else {
                continue;
            };
            let named = |who: Option<Identity>| {
                who.map(|who| {
                    Arc::new(Identity {
                        subject: name.clone(),
                        subjects: Subjects::Users,
                        ..who
                    })
                })
            };
            let before = named(before);
            let after = if same { before.clone() } else { named(after) };
            people.push(ComparedUser {
                name,
                before,
                after,
            });
        }
        people
    })
}
