//! One request at a time, as the gateway would: the long way round.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gatelatch::access::{
    AccessSubject, Authentication, Decision, Identity, Methods, PathOptions, RequestPath, lies_in,
};
use gatelatch::analysis::ConfigurationView;
use gatelatch::analysis::diff::{
    AddressClass, CallerClass, CallerKind, CallerSubject, ChangeEffect, ClaimClass, DecisionSource,
    HostClass, MethodClass, PathClass, PathPiece, PolicyChange,
};
use http::Method;
use ipnet::IpNet;

/// A request but for its caller.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) host: &'static str,
    pub(crate) path: String,
}

/// From where a caller comes, and how it has authenticated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comes {
    pub(crate) address: Option<IpAddr>,
    pub(crate) authentication: Authentication,
}

/// What decides, and whether the request is forwarded to which service and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) source: DecisionSource,
    pub(crate) to: Option<(String, Option<String>)>,
}

pub(crate) fn outcome(
    view: &ConfigurationView<'_>,
    request: &Request,
    who: Option<&Arc<Identity>>,
    comes: Comes,
) -> Outcome {
    let nowhere = |source| Outcome { source, to: None };
    let path = RequestPath::parse(&request.path, PathOptions::default()).unwrap();
    let text = path.as_str();
    if view
        .own
        .prefixes()
        .into_iter()
        .any(|own| text == own || text.starts_with(&format!("{own}/")))
    {
        return nowhere(DecisionSource::Own);
    }
    if request.method == Method::POST && view.own.token_paths.iter().any(|own| own == text) {
        return nowhere(DecisionSource::Own);
    }
    let Some(index) = view.router.find(request.host, &path) else {
        return nowhere(DecisionSource::NoService);
    };
    let service = &view.services[index];
    let caller = match who {
        Some(who) => {
            AccessSubject::known(Arc::clone(who), comes.address).authenticated(comes.authentication)
        }
        None => AccessSubject::anonymous(comes.address),
    };
    let stripped = service
        .strip_path
        .then(|| service.mount.source().to_owned());
    match service.policy.decide(&request.method, &path, &caller) {
        Decision::Allow(rule) => Outcome {
            source: DecisionSource::Rule(index, rule),
            to: Some((service.name.to_owned(), stripped)),
        },
        Decision::Challenge(challenge) => nowhere(DecisionSource::Rule(index, challenge.rule)),
        Decision::Forbid(forbid) => {
            nowhere(forbid.rule.map_or(DecisionSource::NoRule(index), |id| {
                DecisionSource::Rule(index, id)
            }))
        }
    }
}

/// What changes from one outcome to the other.
pub(crate) fn effect(before: &Outcome, after: &Outcome) -> Option<ChangeEffect> {
    match (&before.to, &after.to) {
        (None, Some(_)) => Some(ChangeEffect::Opens),
        (Some(_), None) => Some(ChangeEffect::Closes),
        (Some(one), Some(other)) => (one != other).then_some(ChangeEffect::Moves),
        (None, None) => None,
    }
}

/// Whether a change says so of this request, whoever sends it.
pub(crate) fn is_about(
    change: &PolicyChange,
    request: &Request,
    (before, after): (&Outcome, &Outcome),
    named: &[Method],
    fold: bool,
) -> bool {
    change.before == before.source
        && change.after == after.source
        && has_method(change, &request.method, named)
        && change.hosts.contains(&host_class(change, request.host))
        && change
            .paths
            .iter()
            .any(|class| covers(class, &request.path, fold))
}

fn has_method(change: &PolicyChange, method: &Method, named: &[Method]) -> bool {
    change.methods.iter().any(|class| match class {
        MethodClass::Named(one) => one == method,
        MethodClass::Other => !named.contains(method),
    })
}

/// The methods that some rule names, or the gateway itself.
pub(crate) fn named_methods(sides: [&ConfigurationView<'_>; 2]) -> Vec<Method> {
    let rules = sides
        .into_iter()
        .flat_map(|view| &view.services)
        .flat_map(|service| service.policy.rules());
    let mut named: Vec<Method> = rules
        .flat_map(|rule| match &rule.methods {
            Methods::All => Vec::new(),
            Methods::Only(methods) => methods.clone(),
        })
        .collect();
    if named.contains(&Method::GET) {
        named.push(Method::HEAD);
    }
    if sides
        .into_iter()
        .any(|view| !view.own.token_paths.is_empty())
    {
        named.push(Method::POST);
    }
    named
}

fn host_class(change: &PolicyChange, host: &str) -> HostClass {
    let exact = HostClass::Exact(host.into());
    if change.hosts.contains(&exact) {
        return exact;
    }
    let below = host
        .match_indices('.')
        .map(|(dot, _)| HostClass::Below(host[dot + 1..].into()));
    below
        .into_iter()
        .find(|class| change.hosts.contains(class))
        .unwrap_or(HostClass::Other)
}

fn covers(class: &PathClass, path: &str, fold: bool) -> bool {
    let segments = segments(path);
    let open = class.0.last() == Some(&PathPiece::Rest);
    let fixed = class.0.len() - usize::from(open);
    let fits = if open {
        segments.len() >= fixed
    } else {
        segments.len() == fixed
    };
    let same = |literal: &str, segment: &str| {
        if fold {
            literal.to_lowercase() == segment.to_lowercase()
        } else {
            literal == segment
        }
    };
    fits && class
        .0
        .iter()
        .zip(&segments)
        .all(|(piece, segment)| match piece {
            PathPiece::Literal(text) => same(text, segment),
            PathPiece::Any | PathPiece::Rest => true,
        })
}

pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|text| !text.is_empty())
        .map(|text| text.replace("%2C", ","))
        .collect()
}

/// Whether the class holds this caller; `person` is its place in the list of people.
pub(crate) fn holds(
    class: &CallerClass,
    who: Option<&Identity>,
    comes: Comes,
    path: &str,
    person: Option<usize>,
) -> bool {
    let segments = segments(path);
    let address = comes.address;
    let from = match class.from {
        AddressClass::Anywhere => true,
        AddressClass::In(network) => address.is_some_and(|address| lies_in(address, &network)),
        AddressClass::Elsewhere => true,
    };
    from && match (&class.who, who) {
        (CallerKind::Anonymous, None) => true,
        (
            CallerKind::Known {
                subject,
                roles,
                claims,
                sign_in,
            },
            Some(who),
        ) => {
            let subject = match subject {
                CallerSubject::Anybody => true,
                CallerSubject::Named(name) => *name == who.subject,
                CallerSubject::Segment(position) => *segments[*position] == *who.subject,
            };
            subject
                && sign_in.is_met_by(comes.authentication)
                && roles.iter().all(|role| who.roles.contains(role))
                && claims.iter().all(|one| has(one, who, &segments))
        }
        (CallerKind::People { people, own }, who) => {
            let name = who.map(|who| &*who.subject);
            person.is_some_and(|person| people.contains(&person))
                && own
                    .iter()
                    .all(|position| name.is_none_or(|name| segments[*position] == name))
        }
        (CallerKind::Anonymous, Some(_)) | (CallerKind::Known { .. }, None) => false,
    }
}

fn has(claim: &ClaimClass, who: &Identity, segments: &[String]) -> bool {
    let values = |name: &str| {
        let held = who
            .claims
            .iter()
            .filter(|held| *held.name == *name)
            .flat_map(|held| held.values.clone());
        held.collect::<Vec<_>>()
    };
    match claim {
        ClaimClass::Value(name, value) => {
            // a segment `7` is the text and the number
            let alike = |held: &gatelatch::access::ClaimValue| {
                gatelatch_words(held) == gatelatch_words(value)
            };
            values(name).iter().any(alike)
        }
        ClaimClass::Segment(name, position) => values(name)
            .iter()
            .any(|held| gatelatch_words(held) == segments[*position]),
    }
}

fn gatelatch_words(value: &gatelatch::access::ClaimValue) -> String {
    use gatelatch::access::ClaimValue;
    match value {
        ClaimValue::Text(text) => text.to_string(),
        ClaimValue::Integer(number) => number.to_string(),
        ClaimValue::Boolean(truth) => truth.to_string(),
    }
}

/// An identity of this class, as little as possible.
pub(crate) fn least(class: &CallerClass, path: &str) -> Option<Arc<Identity>> {
    use gatelatch::access::{Claim, ClaimValue};
    let segments = segments(path);
    let CallerKind::Known {
        subject,
        roles,
        claims,
        ..
    } = &class.who
    else {
        return None;
    };
    let subject = match subject {
        CallerSubject::Anybody => "stranger".into(),
        CallerSubject::Named(name) => name.clone(),
        CallerSubject::Segment(position) => segments[*position].as_str().into(),
    };
    let claims = claims.iter().map(|claim| match claim {
        ClaimClass::Value(name, value) => Claim {
            name: name.clone(),
            values: vec![value.clone()],
        },
        ClaimClass::Segment(name, position) => Claim {
            name: name.clone(),
            values: vec![ClaimValue::Text(segments[*position].as_str().into())],
        },
    });
    Some(Arc::new(Identity {
        subject,
        roles: roles.iter().cloned().collect(),
        claims: claims.collect(),
        ..Identity::default()
    }))
}

/// The ways to authenticate of a member of this class that may be among the witnesses.
pub(crate) fn ways(class: &CallerClass) -> Vec<Authentication> {
    match &class.who {
        CallerKind::Known { sign_in, .. } => vec![sign_in.least()],
        CallerKind::Anonymous => vec![Authentication::WithoutSignIn],
        CallerKind::People { .. } => authentications(),
    }
}

/// Ways to authenticate of every class that the random rules make, and without a sign-in.
pub(crate) fn authentications() -> Vec<Authentication> {
    let ages = [None, Some(901), Some(900), Some(60)];
    let signed_in = ages.into_iter().flat_map(|age: Option<u64>| {
        [false, true].map(|second_factor| Authentication::SignedIn {
            age: age.map(Duration::from_secs),
            second_factor,
        })
    });
    signed_in.chain([Authentication::WithoutSignIn]).collect()
}

/// Addresses of every class that the random networks make.
pub(crate) fn addresses() -> Vec<Option<IpAddr>> {
    let texts = ["10.0.0.1", "10.1.0.1", "2001:db8::1", "192.0.2.1"];
    texts
        .iter()
        .map(|text| Some(text.parse().unwrap()))
        .chain([None])
        .collect()
}

pub(crate) fn lies_in_one(address: Option<IpAddr>, network: &IpNet) -> bool {
    address.is_some_and(|address| lies_in(address, network))
}
