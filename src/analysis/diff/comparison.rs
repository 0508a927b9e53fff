//! Both configurations, and everything that is computed once for all requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use http::Method;

use super::super::unused_names::{UnusedNames, fold};
use super::super::view::{ConfigurationView, ServicePolicyView};
use super::change::MethodClass;
use super::outcome::OutcomeMemo;
use super::pattern_tree::{Interner, NodeId, PatternTree};
use super::people::{ComparedUser, UserClasses};
use crate::access::{CaseRule, ClaimValue, Expected, Methods, Rule, Segment, UserMatch};

/// Both configurations.
pub(super) struct Comparison<'a> {
    pub(super) old: ComparedConfiguration<'a>,
    pub(super) new: ComparedConfiguration<'a>,
    pub(super) unused: UnusedNames,
    /// Each class of methods, with a representative.
    pub(super) methods: Vec<(MethodClass, Method)>,
    pub(super) people: UserClasses,
    pub(super) memo: OutcomeMemo,
    /// The literals that services compare with regard to letter case, by their folded form.
    pub(super) exact: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    differing: HashMap<(usize, usize, NodeId, NodeId), Texts>,
}

/// Texts that are computed once and shared.
type Texts = Rc<[Box<str>]>;

/// One configuration with its pattern trees, by service.
pub(super) struct ComparedConfiguration<'a> {
    pub(super) view: &'a ConfigurationView<'a>,
    pub(super) trees: Vec<PatternTree>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(
        old: &'a ConfigurationView<'a>,
        new: &'a ConfigurationView<'a>,
        people: &[ComparedUser],
    ) -> Self {
        let rules = || services(old, new).flat_map(|service| service.policy.rules());
        let texts = texts(old, new, people);
        let named: BTreeSet<Box<str>> = rules().flat_map(names).map(|name| fold(&name)).collect();
        let claims = rules()
            .flat_map(|rule| rule.requirement.conditions())
            .flat_map(|one| &one.claims);
        let claims = claims.map(|claim| claim.name.clone()).collect();
        let people = UserClasses::new(people, &claims, &|name| named.contains(&fold(name)));
        let mut interner = Interner::default();
        let mut half = |view: &'a ConfigurationView<'a>| {
            let touches = |rule: &Rule| people.touch(rule);
            let tree = |service: &ServicePolicyView<'_>| {
                PatternTree::new(service.policy, &mut interner, &touches)
            };
            ComparedConfiguration {
                view,
                trees: view.services.iter().map(tree).collect(),
            }
        };
        Self {
            old: half(old),
            new: half(new),
            unused: UnusedNames::new(&texts),
            methods: method_classes(old, new),
            people,
            memo: OutcomeMemo::default(),
            exact: exact(old, new),
            differing: HashMap::new(),
        }
    }

    /// Whether a request that moves from the first service to the second reaches another service or another path.
    pub(super) fn moves(&self, old: usize, new: usize) -> bool {
        let (old, new) = (&self.old.view.services[old], &self.new.view.services[new]);
        let stripped = |service: &ServicePolicyView<'_>| -> Option<Vec<String>> {
            service
                .strip_path
                .then(|| service.mount.segments().map(str::to_owned).collect())
        };
        old.known_as != new.known_as || stripped(old) != stripped(new)
    }

    /// Whether both services read patterns and paths alike and forward to the same place.
    pub(super) fn alike(&self, old: usize, new: usize) -> bool {
        let (first, second) = (&self.old.view.services[old], &self.new.view.services[new]);
        first.policy.case() == second.policy.case()
            && first.paths == second.paths
            && !self.moves(old, new)
    }

    /// Whether both subtrees decide alike, for users who changed as well.
    pub(super) fn equal(
        &self,
        (old, new): (usize, usize),
        (a, b): (Option<NodeId>, Option<NodeId>),
    ) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                let (a, b) = (self.old.trees[old].node(a), self.new.trees[new].node(b));
                a.whole == b.whole && !a.touched && !b.touched
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// The literals of both nodes below which they do not decide alike.
    pub(super) fn differing(
        &mut self,
        (old, new): (usize, usize),
        (a, b): (NodeId, NodeId),
    ) -> Texts {
        if let Some(known) = self.differing.get(&(old, new, a, b)) {
            return Rc::clone(known);
        }
        let first = &self.old.trees[old].node(a).literals;
        let second = &self.new.trees[new].node(b).literals;
        let differs = |text: &str| {
            let children = (first.get(text).copied(), second.get(text).copied());
            !self.equal((old, new), children)
        };
        let mut texts: Vec<Box<str>> = first.keys().filter(|text| differs(text)).cloned().collect();
        let added = second.keys().filter(|text| !first.contains_key(*text));
        texts.extend(added.cloned());
        let texts: Texts = texts.into();
        self.differing.insert((old, new, a, b), Rc::clone(&texts));
        texts
    }
}

fn services<'s>(
    old: &'s ConfigurationView<'_>,
    new: &'s ConfigurationView<'_>,
) -> impl Iterator<Item = &'s ServicePolicyView<'s>> {
    old.services.iter().chain(&new.services)
}

fn exact(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
) -> BTreeMap<Box<str>, BTreeSet<Box<str>>> {
    let mut exact = BTreeMap::<Box<str>, BTreeSet<Box<str>>>::new();
    if services(old, new).all(|service| service.policy.case() == CaseRule::Sensitive) {
        // every service compares letter case, and nothing is folded
        return exact;
    }
    let mut add = |text: &str| {
        exact.entry(fold(text)).or_default().insert(text.into());
    };
    for service in services(old, new).filter(|service| service.policy.case() == CaseRule::Sensitive)
    {
        service.mount.segments().for_each(&mut add);
        service
            .policy
            .rules()
            .iter()
            .flat_map(literals)
            .for_each(|text| add(text));
    }
    exact
}

/// Every text that a host, a segment, a method, a user or a claim is compared with; folded.
fn texts(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
    people: &[ComparedUser],
) -> BTreeSet<Box<str>> {
    let mut texts = old.texts();
    texts.extend(new.texts());
    for rule in services(old, new).flat_map(|service| service.policy.rules()) {
        texts.extend(names(rule).map(|text| fold(&text)));
        texts.extend(claim_texts(rule).map(fold));
        let methods = named_methods(rule).iter();
        texts.extend(methods.map(|method| fold(method.as_str())));
    }
    for identity in people
        .iter()
        .flat_map(|person| person.before.iter().chain(&person.after))
    {
        texts.insert(fold(&identity.subject));
        let values = identity.claims.iter().flat_map(|claim| &claim.values);
        texts.extend(values.filter_map(text_of).map(fold));
    }
    texts
}

/// The users that a rule names, and the literals of its pattern, which are compared with users.
fn names(rule: &Rule) -> impl Iterator<Item = Box<str>> {
    let users = rule
        .requirement
        .conditions()
        .iter()
        .filter_map(|condition| match &condition.user {
            Some(UserMatch::OneOf(users)) => Some(users),
            Some(UserMatch::Parameter(_)) | None => None,
        });
    users.flatten().chain(literals(rule)).cloned()
}

fn literals(rule: &Rule) -> impl Iterator<Item = &Box<str>> {
    rule.pattern
        .segments()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Literal(text) => Some(text),
            Segment::Parameter(_) | Segment::Rest => None,
        })
}

fn claim_texts(rule: &Rule) -> impl Iterator<Item = &str> {
    let claims = rule
        .requirement
        .conditions()
        .iter()
        .flat_map(|condition| &condition.claims);
    claims.filter_map(|claim| match &claim.expected {
        Expected::Value(value) => text_of(value),
        Expected::Parameter(_) => None,
    })
}

fn text_of(value: &ClaimValue) -> Option<&str> {
    match value {
        ClaimValue::Text(text) => Some(text),
        ClaimValue::Integer(_) | ClaimValue::Boolean(_) => None,
    }
}

fn named_methods(rule: &Rule) -> &[Method] {
    match &rule.methods {
        Methods::All => &[],
        Methods::Only(methods) => methods,
    }
}

/// The methods that any rule names, and one of the others. `HEAD` is a class of its own beside `GET`, whose rules cover
/// it; `POST` is one where there are token paths, at which the gateway answers it.
pub(super) fn method_classes(
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
) -> Vec<(MethodClass, Method)> {
    let rules = services(old, new).flat_map(|service| service.policy.rules());
    let mut named = BTreeMap::new();
    for method in rules.flat_map(named_methods) {
        named.insert(method.as_str().to_owned(), method.clone());
        if method == Method::GET {
            named.insert("HEAD".to_owned(), Method::HEAD);
        }
    }
    if !old.own.token_paths.is_empty() || !new.own.token_paths.is_empty() {
        named.insert("POST".to_owned(), Method::POST);
    }
    let names: BTreeSet<Box<str>> = named.keys().map(|name| fold(name)).collect();
    let other = UnusedNames::new(&names).method();
    let mut methods: Vec<_> = named
        .into_values()
        .map(|method| (MethodClass::Named(method.clone()), method))
        .collect();
    methods.push((MethodClass::Other, other));
    methods
}

impl ComparedConfiguration<'_> {
    /// How a service compares letter case.
    pub(super) fn case(&self, service: usize) -> CaseRule {
        self.trees[service].case
    }
}
