//! The users of both configurations: those who changed, and those whom changed rules affect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::access::{
    Claim, ClaimValue, Condition, Expected, Identity, Requirement, RoleMatch, Rule, UserMatch,
};

/// A user of either configuration.
#[derive(Clone, Debug)]
pub struct ComparedUser {
    /// The user's name.
    pub name: Box<str>,
    /// The identity in the old configuration; `None`: not in the user list, or disabled.
    pub before: Option<Arc<Identity>>,
    /// The identity in the new configuration; `None`: not in the user list, or disabled.
    pub after: Option<Arc<Identity>>,
}

/// A class of users that no rule distinguishes.
#[derive(Clone, Debug)]
pub(super) struct UserClass {
    /// By index in the list of users.
    pub(super) members: Vec<usize>,
    pub(super) before: Option<Arc<Identity>>,
    pub(super) after: Option<Arc<Identity>>,
}

/// Whether anything about a class of users changed that rules evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserChange {
    Yes,
    No,
}

/// What rules evaluate of an identity: roles, claims, and the name where a rule or a path may contain it.
type Seen = (
    BTreeSet<Box<str>>,
    Vec<(Box<str>, Vec<ClaimValue>)>,
    Option<Box<str>>,
);

/// Beyond this many classes, affected users are not computed.
const MOST_CLASSES: usize = 500;

/// All users who can log in under either configuration, by class.
#[derive(Debug)]
pub(super) struct UserClasses {
    /// Classes about which something changed that rules evaluate.
    pub(super) changed: Vec<UserClass>,
    /// All other classes; empty where there are more than [`MOST_CLASSES`].
    pub(super) unchanged: Vec<UserClass>,
}

impl UserClasses {
    /// `is_named` says whether a rule or a literal segment contains the name.
    pub(super) fn new(
        people: &[ComparedUser],
        claims: &BTreeSet<Box<str>>,
        is_named: &dyn Fn(&str) -> bool,
    ) -> Self {
        let see = |identity: &Option<Arc<Identity>>| {
            let identity = identity.as_ref()?;
            Some(seen(identity, claims, is_named(&identity.subject)))
        };
        let mut classes = BTreeMap::<(Option<Seen>, Option<Seen>), UserClass>::new();
        for (index, person) in people.iter().enumerate() {
            if person.before.is_none() && person.after.is_none() {
                // can log in neither before nor after: anonymous in both
                continue;
            }
            let class = classes.entry((see(&person.before), see(&person.after)));
            let class = class.or_insert_with(|| UserClass {
                members: Vec::new(),
                before: person.before.clone(),
                after: person.after.clone(),
            });
            class.members.push(index);
        }
        let mut all = Self {
            changed: Vec::new(),
            unchanged: Vec::new(),
        };
        for ((before, after), class) in classes {
            let list = if before == after {
                &mut all.unchanged
            } else {
                &mut all.changed
            };
            list.push(class);
        }
        if all.unchanged.len() > MOST_CLASSES {
            all.unchanged.clear();
        }
        all
    }

    /// All classes.
    pub(super) fn all(&self) -> impl Iterator<Item = (&UserClass, UserChange)> {
        let unchanged = self.unchanged.iter().map(|class| (class, UserChange::No));
        unchanged.chain(self.changed.iter().map(|class| (class, UserChange::Yes)))
    }

    /// Whether the outcome of the rule may differ for a user who changed.
    pub(super) fn touch(&self, rule: &Rule) -> bool {
        self.changed.iter().any(|class| {
            let (before, after) = (class.before.as_deref(), class.after.as_deref());
            match &rule.requirement {
                Requirement::Anyone | Requirement::Nobody => false,
                Requirement::Authenticated => before.is_some() != after.is_some(),
                Requirement::AnyOf(conditions) => conditions
                    .iter()
                    .any(|one| prospects(one, before) != prospects(one, after)),
            }
        })
    }
}

fn seen(identity: &Identity, claims: &BTreeSet<Box<str>>, named: bool) -> Seen {
    let compared = identity
        .claims
        .iter()
        .filter(|claim| claims.contains(&claim.name));
    // one rule may compare a segment with both
    let own =
        |value: &ClaimValue| matches!(value, ClaimValue::Text(text) if *text == identity.subject);
    let named = named || compared.clone().flat_map(|claim| &claim.values).any(own);
    let compared = compared
        .map(|claim| (claim.name.clone(), claim.values.clone()))
        .collect();
    (
        identity.roles.iter().cloned().collect(),
        compared,
        named.then(|| identity.subject.clone()),
    )
}

/// The claim values that the rest of the condition, which depends on path and address, is compared with; `None` where
/// the condition fails on any path.
fn prospects<'a>(
    condition: &'a Condition,
    who: Option<&'a Identity>,
) -> Option<Vec<&'a ClaimValue>> {
    let asks_for_nobody = condition.roles.is_empty()
        && condition.user.is_none()
        && condition.claims.is_empty()
        && condition.sign_in.is_empty();
    if asks_for_nobody {
        return Some(Vec::new());
    }
    let who = who?;
    let has = |name: &str| who.roles.iter().any(|role| **role == *name);
    let roles = condition.roles.iter().all(|demand| match demand {
        RoleMatch::OneOf(roles) => roles.iter().any(|role| has(role)),
        RoleMatch::All(roles) => roles.iter().all(|role| has(role)),
    });
    let user = condition.user.iter().all(|user| match user {
        UserMatch::OneOf(users) => users.contains(&who.subject),
        UserMatch::Parameter(_) => true,
    });
    let mut open = Vec::new();
    for claim in &condition.claims {
        let mut held = values(who, &claim.name);
        match &claim.expected {
            Expected::Value(value) => held.find(|one| *one == value).map(|_| ())?,
            Expected::Parameter(_) => open.extend(held),
        }
    }
    (roles && user).then_some(open)
}

fn values<'a>(who: &'a Identity, name: &'a str) -> impl Iterator<Item = &'a ClaimValue> {
    let claims = who
        .claims
        .iter()
        .filter(move |claim: &&Claim| *claim.name == *name);
    claims.flat_map(|claim| &claim.values)
}

/// An adaptation of a path to a user: the segments to replace, and which of them by the user's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PathFitting {
    pub(super) texts: BTreeMap<usize, Box<str>>,
    pub(super) own: BTreeSet<usize>,
}

/// The ways to replace the segments that the rule compares with the identity, one condition at a time. The first leaves
/// them as they are.
pub(super) fn fittings(rule: Option<&Rule>, who: &Identity) -> BTreeSet<PathFitting> {
    let mut all = BTreeSet::from([PathFitting::default()]);
    let Some(of) = rule else { return all };
    for condition in of.requirement.conditions() {
        let mut ways = vec![PathFitting::default()];
        if let Some(UserMatch::Parameter(name)) = &condition.user
            && let Some(position) = of.pattern.position(name)
        {
            ways[0].texts.insert(position, who.subject.clone());
            ways[0].own.insert(position);
        }
        for claim in &condition.claims {
            let Expected::Parameter(name) = &claim.expected else {
                continue;
            };
            let Some(position) = of.pattern.position(name) else {
                continue;
            };
            let texts = values(who, &claim.name).filter_map(|value| match value {
                ClaimValue::Text(text) if text.is_empty() => None,
                ClaimValue::Text(text) => Some(text.clone()),
                ClaimValue::Integer(number) => Some(number.to_string().into()),
                ClaimValue::Boolean(_) => None,
            });
            let texts: Vec<Box<str>> = texts.collect();
            ways = ways
                .iter()
                .flat_map(|way| texts.iter().map(move |text| way.with(position, text)))
                .collect();
        }
        all.extend(ways);
    }
    all
}

impl PathFitting {
    fn with(&self, position: usize, text: &str) -> Self {
        let mut with = self.clone();
        // a segment that must equal the name as well keeps it: only an equal claim fits
        with.texts.entry(position).or_insert_with(|| text.into());
        with
    }
}
