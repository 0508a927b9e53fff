//! The callers that can reveal a difference between two rules.
//!
//! Further roles and claims, a fresher sign-in and a second factor never remove a permission. So where the outcome of a caller differs, it differs as well for
//! the minimal caller of the same name and address that fulfils the admitting condition: the minimal callers of every
//! condition of both rules are enough. A name matters where a rule or a segment of the path contains it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use super::change::{CallerKind, CallerSubject, ClaimClass};
use super::classes::SegmentClass;
use crate::access::{
    Authentication, AuthenticationDemand, Claim, ClaimMatch, ClaimValue, Condition, Expected,
    Identity, Requirement, RoleMatch, Rule, UserMatch,
};

/// What a caller needs to fulfil one condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    /// `None`: any name.
    subject: Option<CallerSubject>,
    roles: BTreeSet<Box<str>>,
    claims: BTreeSet<ClaimClass>,
    sign_in: AuthenticationDemand,
}

/// All callers to evaluate both rules for, on a path of these pieces.
pub(super) fn candidates(
    before: Option<&Rule>,
    after: Option<&Rule>,
    pieces: &[SegmentClass],
) -> BTreeSet<CallerKind> {
    let needs = needs(before, pieces)
        .into_iter()
        .chain(needs(after, pieces))
        .collect();
    spread(needs, &subjects(before, after, pieces))
}

/// The minimal callers that both rules admit.
pub(super) fn admitted_by_both(
    before: Option<&Rule>,
    after: Option<&Rule>,
    pieces: &[SegmentClass],
) -> BTreeSet<CallerKind> {
    let (old, new) = (needs(before, pieces), needs(after, pieces));
    let both = old
        .iter()
        .flat_map(|one| new.iter().filter_map(|other| one.and(other)));
    spread(both.collect(), &subjects(before, after, pieces))
}

/// One caller for each need and each name that satisfies it.
fn spread(needs: BTreeSet<Need>, subjects: &BTreeSet<CallerSubject>) -> BTreeSet<CallerKind> {
    let mut all = BTreeSet::from([CallerKind::Anonymous]);
    for Need {
        subject,
        roles,
        claims,
        sign_in,
    } in needs.into_iter().chain([Need::default()])
    {
        let known = |subject: &CallerSubject| CallerKind::Known {
            subject: subject.clone(),
            roles: roles.clone(),
            claims: claims.clone(),
            sign_in,
        };
        match &subject {
            Some(subject) => all.extend([known(subject)]),
            None => all.extend(subjects.iter().map(known)),
        }
    }
    all
}

/// The networks that either rule names.
pub(super) fn networks(before: Option<&Rule>, after: Option<&Rule>) -> BTreeSet<IpNet> {
    let all = conditions(before).iter().chain(conditions(after));
    all.flat_map(|condition| condition.networks.iter().copied())
        .collect()
}

/// The sign-ins that either rule asks for, those that both ask for together, and none.
pub(super) fn sign_ins(
    before: Option<&Rule>,
    after: Option<&Rule>,
) -> BTreeSet<AuthenticationDemand> {
    let demands = |rule| {
        let asked = conditions(rule).iter().map(|condition| condition.sign_in);
        let none = AuthenticationDemand::default();
        asked.chain([none]).collect::<BTreeSet<_>>()
    };
    let (old, new) = (demands(before), demands(after));
    let both = old
        .iter()
        .flat_map(|one| new.iter().map(|other| one.and(other)));
    both.collect()
}

/// How a caller of this kind has authenticated.
pub(super) fn authentication(who: &CallerKind) -> Authentication {
    match who {
        CallerKind::Known { sign_in, .. } => sign_in.least(),
        CallerKind::Anonymous | CallerKind::People { .. } => Authentication::WithoutSignIn,
    }
}

/// The identity of a caller of this kind, for a path of these pieces. `stranger` is a name that no configuration
/// contains.
pub(super) fn identity(
    who: &CallerKind,
    pieces: &[SegmentClass],
    stranger: &str,
) -> Option<Arc<Identity>> {
    let CallerKind::Known {
        subject,
        roles,
        claims,
        ..
    } = who
    else {
        return None;
    };
    let subject = match subject {
        CallerSubject::Anybody => stranger.into(),
        CallerSubject::Named(name) => name.clone(),
        CallerSubject::Segment(position) => pieces[*position].text.clone(),
    };
    let claims = claims.iter().map(|claim| match claim {
        ClaimClass::Value(name, value) => Claim {
            name: name.clone(),
            values: vec![value.clone()],
        },
        ClaimClass::Segment(name, position) => Claim {
            name: name.clone(),
            values: vec![ClaimValue::Text(pieces[*position].text.clone())],
        },
    });
    let roles = roles.iter().cloned().collect();
    Some(Arc::new(Identity {
        subject,
        roles,
        claims: claims.collect(),
        ..Identity::default()
    }))
}

fn conditions(rule: Option<&Rule>) -> &[Condition] {
    rule.map_or(&[], |rule| rule.requirement.conditions())
}

/// Any name, and every name that matters for these rules.
fn subjects(
    before: Option<&Rule>,
    after: Option<&Rule>,
    pieces: &[SegmentClass],
) -> BTreeSet<CallerSubject> {
    let mut subjects = BTreeSet::from([CallerSubject::Anybody]);
    for rule in [before, after].into_iter().flatten() {
        for user in rule
            .requirement
            .conditions()
            .iter()
            .filter_map(|condition| condition.user.as_ref())
        {
            subjects.extend(named(rule, user, pieces));
        }
    }
    subjects
}

fn named(rule: &Rule, user: &UserMatch, pieces: &[SegmentClass]) -> Vec<CallerSubject> {
    match user {
        UserMatch::OneOf(users) => users.iter().cloned().map(CallerSubject::Named).collect(),
        UserMatch::Parameter(name) => rule
            .pattern
            .position(name)
            .map(|position| spelled(position, pieces))
            .into_iter()
            .collect(),
    }
}

fn spelled(position: usize, pieces: &[SegmentClass]) -> CallerSubject {
    match &pieces[position] {
        piece if piece.is_exact() => CallerSubject::Named(piece.text.clone()),
        _ => CallerSubject::Segment(position),
    }
}

/// What a caller needs for the rule to admit it; one entry for each alternative.
fn needs(rule: Option<&Rule>, pieces: &[SegmentClass]) -> BTreeSet<Need> {
    let Some(of) = rule else {
        return BTreeSet::new();
    };
    let nothing = Need {
        subject: None,
        roles: BTreeSet::new(),
        claims: BTreeSet::new(),
        sign_in: AuthenticationDemand::default(),
    };
    match &of.requirement {
        Requirement::Anyone | Requirement::Authenticated => BTreeSet::from([nothing]),
        Requirement::Nobody => BTreeSet::new(),
        Requirement::AnyOf(conditions) => conditions
            .iter()
            .flat_map(|one| needs_of(of, one, pieces))
            .collect(),
    }
}

fn needs_of(rule: &Rule, condition: &Condition, pieces: &[SegmentClass]) -> Vec<Need> {
    let mut roles = vec![BTreeSet::new()];
    for demand in &condition.roles {
        roles = with_demand(&roles, demand);
    }
    let subjects = match &condition.user {
        None => vec![None],
        Some(user) => named(rule, user, pieces).into_iter().map(Some).collect(),
    };
    let claims = condition
        .claims
        .iter()
        .map(|claim| claim_of(rule, claim, pieces));
    let Some(claims) = claims.collect::<Option<BTreeSet<_>>>() else {
        return Vec::new();
    };
    let each = subjects
        .iter()
        .flat_map(|subject| roles.iter().map(move |roles| (subject, roles)));
    each.map(|(subject, roles)| Need {
        subject: subject.clone(),
        roles: roles.clone(),
        claims: claims.clone(),
        sign_in: condition.sign_in,
    })
    .collect()
}

/// Each set of roles, extended by what the match requires: all of its roles, or one of them.
fn with_demand(sets: &[BTreeSet<Box<str>>], demand: &RoleMatch) -> Vec<BTreeSet<Box<str>>> {
    let with =
        |set: &BTreeSet<Box<str>>, roles: &[Box<str>]| set.iter().chain(roles).cloned().collect();
    match demand {
        RoleMatch::OneOf(roles) => sets
            .iter()
            .flat_map(|set| roles.chunks(1).map(move |role| with(set, role)))
            .collect(),
        RoleMatch::All(roles) if roles.is_empty() => Vec::new(),
        RoleMatch::All(roles) => sets.iter().map(|set| with(set, roles)).collect(),
    }
}

fn claim_of(rule: &Rule, claim: &ClaimMatch, pieces: &[SegmentClass]) -> Option<ClaimClass> {
    let name = claim.name.clone();
    Some(match &claim.expected {
        Expected::Value(value) => ClaimClass::Value(name, value.clone()),
        Expected::Parameter(parameter) => {
            let position = rule.pattern.position(parameter)?;
            match &pieces[position] {
                piece if piece.is_exact() => {
                    ClaimClass::Value(name, ClaimValue::Text(piece.text.clone()))
                }
                _ => ClaimClass::Segment(name, position),
            }
        }
    })
}

impl Need {
    /// The union of both needs; `None` where they need different names.
    fn and(&self, other: &Self) -> Option<Self> {
        let subject = match (&self.subject, &other.subject) {
            (Some(one), Some(other)) if one != other => return None,
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        let roles = self.roles.union(&other.roles).cloned().collect();
        Some(Self {
            subject,
            roles,
            claims: self.claims.union(&other.claims).cloned().collect(),
            sign_in: self.sign_in.and(&other.sign_in),
        })
    }
}

/// Whether every caller of the second kind is of the first kind as well.
pub(super) fn includes(one: &CallerKind, other: &CallerKind) -> bool {
    match (one, other) {
        (
            CallerKind::Known {
                subject,
                roles,
                claims,
                sign_in,
            },
            CallerKind::Known {
                subject: narrower,
                roles: more_roles,
                claims: more_claims,
                sign_in: stricter,
            },
        ) => {
            (*subject == CallerSubject::Anybody || subject == narrower)
                && roles.is_subset(more_roles)
                && claims.is_subset(more_claims)
                && sign_in.and(stricter) == *stricter
        }
        (one, other) => one == other,
    }
}
