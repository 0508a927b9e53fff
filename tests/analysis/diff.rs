//! `diff` against every short path × method × host × caller.

use std::net::IpAddr;
use std::sync::Arc;

use gatelatch::access::{Authentication, CaseRule, Identity, Methods, Pattern, Requirement, Rule};
use gatelatch::analysis::ConfigurationView;
use gatelatch::analysis::diff::{
    AddressClass, CallerKind, CallerSubject, ClaimClass, ComparedUser, PolicyChange, compare,
};
use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::brute::{
    Comes, Request, addresses, authentications, effect, holds, is_about, least, lies_in_one,
    named_methods, outcome, ways,
};
use crate::strategies::identity;
use crate::worlds::{Recipe, ServiceRecipe, pair, people};

const METHODS: [Method; 5] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::OPTIONS,
    Method::PUT,
];
const HOSTS: [&str; 4] = ["a.x", "c.x", "c.b.x", "y"];

/// All paths of up to three segments out of these.
fn paths() -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut last = paths.clone();
    for _ in 0..3 {
        let longer = last
            .iter()
            .flat_map(|path| ["a", "A", "b", "z"].map(|segment| format!("{path}/{segment}")));
        last = longer.collect();
        paths.extend(last.iter().cloned());
    }
    paths[0] = "/".to_owned();
    paths.push("/a/".to_owned());
    paths
}

fn requests() -> impl Iterator<Item = Request> {
    paths().into_iter().flat_map(|path| {
        HOSTS.into_iter().flat_map(move |host| {
            let path = path.clone();
            METHODS.into_iter().map(move |method| Request {
                method,
                host,
                path: path.clone(),
            })
        })
    })
}

fn folds(old: &ConfigurationView<'_>, new: &ConfigurationView<'_>) -> bool {
    old.services
        .iter()
        .chain(&new.services)
        .any(|service| service.policy.case() == CaseRule::Insensitive)
}

/// A caller: who it is to either configuration, where from, and which of the people.
type Asker<'a> = (
    Option<&'a Arc<Identity>>,
    Option<&'a Arc<Identity>>,
    Comes,
    Option<usize>,
);

/// From where and how callers come: where some rule asks for a sign-in, with two ways to authenticate at each address, which
/// differ from one to the next.
fn circumstances(old: &ConfigurationView<'_>, new: &ConfigurationView<'_>) -> Vec<Comes> {
    let services = old.services.iter().chain(&new.services);
    let rules = services.flat_map(|service| service.policy.rules());
    let mut conditions = rules.flat_map(|rule| rule.requirement.conditions());
    let ways = if conditions.any(|condition| !condition.sign_in.is_empty()) {
        authentications()
    } else {
        vec![Authentication::WithoutSignIn; 2]
    };
    let each = addresses().into_iter().enumerate();
    let each = each.flat_map(|(index, address)| {
        [2 * index, 2 * index + 1].map(|way| Comes {
            address,
            authentication: ways[way % ways.len()],
        })
    });
    let mut each: Vec<_> = each.collect();
    each.dedup();
    each
}

fn check(
    recipes: &(Recipe, Recipe),
    people: &[ComparedUser],
    strangers: &[Arc<Identity>],
) -> Result<(), TestCaseError> {
    let (old, new) = (recipes.0.cook(), recipes.1.cook());
    let (old, new) = (old.view(), new.view());
    let changes = compare(&old, &new, people, &mut |_| {});
    let (fold, named) = (folds(&old, &new), named_methods([&old, &new]));
    let circumstances = circumstances(&old, &new);
    let mut askers: Vec<Asker<'_>> = Vec::new();
    for comes in &circumstances {
        askers.push((None, None, *comes, None));
        askers.extend(
            strangers
                .iter()
                .map(|who| (Some(who), Some(who), *comes, None)),
        );
        let members = people.iter().enumerate();
        askers
            .extend(members.map(|(index, one)| {
                (one.before.as_ref(), one.after.as_ref(), *comes, Some(index))
            }));
    }
    for request in requests() {
        for (before, after, comes, person) in &askers {
            let was = outcome(&old, &request, *before, *comes);
            let is = outcome(&new, &request, *after, *comes);
            let Some(effect) = effect(&was, &is) else {
                continue;
            };
            let is_said = |change: &&PolicyChange| {
                change.effect == effect
                    && is_about(change, &request, (&was, &is), &named, fold)
                    && [before, after].iter().any(|who| {
                        names(
                            change,
                            who.map(|who| &**who),
                            *comes,
                            &request,
                            *person,
                            people,
                        )
                    })
            };
            let who = (before, after);
            prop_assert!(
                changes.iter().any(|change| is_said(&change)),
                "nothing says that {:?} {} by {:?} from {:?}: {:?} -> {:?}\n{:#?}",
                request,
                effect.as_str(),
                who,
                comes,
                was,
                is,
                changes
            );
        }
    }
    for change in &changes {
        witness(change, &old, &new, people)?;
    }
    Ok(())
}

/// Whether the change names this caller.
fn names(
    change: &PolicyChange,
    who: Option<&Identity>,
    comes: Comes,
    request: &Request,
    person: Option<usize>,
    people: &[ComparedUser],
) -> bool {
    // whoever changed is spoken of by name, but where the path says who is meant
    let listed = person.is_none_or(|index| {
        people[index].before == people[index].after || change.affected.contains(&index)
    });
    change.callers.iter().any(|class| match class.who {
        CallerKind::People { .. } => holds(class, who, comes, &request.path, person),
        CallerKind::Anonymous | CallerKind::Known { .. } => {
            (listed || depends_on_path(&class.who)) && holds(class, who, comes, &request.path, None)
        }
    })
}

fn depends_on_path(who: &CallerKind) -> bool {
    let CallerKind::Known {
        subject, claims, ..
    } = who
    else {
        return false;
    };
    matches!(subject, CallerSubject::Segment(_))
        || claims
            .iter()
            .any(|claim| matches!(claim, ClaimClass::Segment(..)))
}

/// Each caller class of a change has a request that changes so, and the change's own witness is one.
fn witness(
    change: &PolicyChange,
    old: &ConfigurationView<'_>,
    new: &ConfigurationView<'_>,
    people: &[ComparedUser],
) -> Result<(), TestCaseError> {
    let addresses = addresses();
    let host = change.witness.host.to_string().leak();
    let request = Request {
        method: change.witness.method.clone(),
        host,
        path: change.witness.path.clone(),
    };
    for class in &change.callers {
        let both = least(class, &request.path);
        let (before, after) = match &class.who {
            CallerKind::People {
                people: members, ..
            } => (
                people[members[0]].before.clone(),
                people[members[0]].after.clone(),
            ),
            CallerKind::Anonymous | CallerKind::Known { .. } => (both.clone(), both),
        };
        let mut places = addresses.iter().filter(|address| match class.from {
            AddressClass::Anywhere | AddressClass::Elsewhere => true,
            AddressClass::In(network) => lies_in_one(**address, &network),
        });
        let shows = |address: &Option<IpAddr>| {
            ways(class).into_iter().any(|authentication| {
                let comes = Comes {
                    address: *address,
                    authentication,
                };
                let was = outcome(old, &request, before.as_ref(), comes);
                let is = outcome(new, &request, after.as_ref(), comes);
                effect(&was, &is) == Some(change.effect)
                    && was.source == change.before
                    && is.source == change.after
            })
        };
        prop_assert!(places.any(shows), "no witness for {class:?} of {change:#?}");
    }
    prop_assert!(
        !change.callers.is_empty() && !change.methods.is_empty() && !change.paths.is_empty()
    );
    Ok(())
}

/// One case looks at a hundred thousand requests; `PROPTEST_CASES` asks for more than a few.
fn few() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if default.cases == 256 {
        48
    } else {
        default.cases
    };
    ProptestConfig { cases, ..default }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn every_changed_request_is_reported_and_every_report_has_a_witness(
        recipes in pair(), people in people(), strangers in vec(identity().prop_map(Arc::new), 0..6),
    ) {
        check(&recipes, &people, &strangers)?;
    }

    #[test]
    fn a_configuration_is_equal_to_itself(recipes in pair()) {
        let world = recipes.0.cook();
        let changes = compare(&world.view(), &world.view(), &[], &mut |_| {});
        prop_assert!(changes.is_empty(), "{:#?}", changes);
    }
}

/// A mount of which letter case does not count, before a service that tells the spellings apart.
#[test]
fn spellings_are_told_apart_behind_a_mount_that_does_not() {
    let rule = |path: &str| Rule {
        name: path.into(),
        pattern: Pattern::parse(path).unwrap(),
        methods: Methods::All,
        requirement: Requirement::Anyone,
        mode: gatelatch::access::Mode::Enforce,
    };
    let service = |name, mount, case, rules: &[&str]| ServiceRecipe {
        name,
        hosts: vec![],
        mount,
        case,
        strip: false,
        rules: rules.iter().map(|path| rule(path)).collect(),
    };
    let one = service("one", "/", CaseRule::Sensitive, &["/a"]);
    let two = service("two", "/a", CaseRule::Insensitive, &["/**"]);
    let recipe = |services| Recipe {
        services,
        prefix: "/auth",
        token_path: false,
    };
    let recipes = (recipe(vec![one.clone(), two]), recipe(vec![one]));
    check(&recipes, &[], &[]).unwrap();
}
