//! Changes in words.

use super::report::DiffReport;
use crate::access::{AuthenticationDemand, Mode, Rule, Segment};
use crate::analysis::diff::{
    AddressClass, CallerClass, CallerKind, CallerSubject, ClaimClass, DecisionSource, MethodClass,
    PathClass, PathPiece, PolicyChange,
};
use crate::analysis::in_words;
use crate::cli::view;
use crate::config::Config;

impl DiffReport<'_> {
    /// `GET, POST`; `any method`; `any method but DELETE`. `HEAD` goes without saying where it goes with `GET`.
    pub(super) fn methods(&self, change: &PolicyChange) -> String {
        let names = |has: &dyn Fn(&MethodClass) -> bool| -> String {
            let chosen: Vec<String> = self
                .methods
                .iter()
                .filter(|class| has(class))
                .map(ToString::to_string)
                .collect();
            let with_get = chosen.iter().any(|name| name == "GET");
            let said = chosen
                .into_iter()
                .filter(|name| !(with_get && name == "HEAD"));
            said.collect::<Vec<_>>().join(", ")
        };
        if !change.methods.contains(&MethodClass::Other) {
            return names(&|class| change.methods.contains(class));
        }
        match names(&|class| !change.methods.contains(class)).as_str() {
            "" => "any method".to_owned(),
            but => format!("any method but {but}"),
        }
    }

    /// The paths as patterns, with the names that the rules give their segments.
    pub(super) fn paths(&self, change: &PolicyChange) -> Vec<String> {
        let rules = [
            self.rule(self.new, change.after),
            self.rule(self.old, change.before),
        ];
        change
            .paths
            .iter()
            .map(|class| named(class, rules))
            .collect()
    }

    /// The name of the service: `jobs`, or `jobs, before files`.
    pub(super) fn service(&self, change: &PolicyChange) -> String {
        let name = |config: &Config, source: DecisionSource| {
            source
                .service()
                .map(|index| config.services[index].name.clone())
        };
        match (name(self.old, change.before), name(self.new, change.after)) {
            (Some(old), Some(new)) if old != new => format!("{new} (before: {old})"),
            (_, Some(name)) | (Some(name), None) => name,
            (None, None) => String::new(),
        }
    }

    /// The hosts, where the change is about some of them only.
    pub(super) fn hosts(&self, change: &PolicyChange) -> Option<String> {
        let both = [(self.old, change.before), (self.new, change.after)];
        let known = both.iter().filter_map(|(config, source)| {
            let hosts = config.services[source.service()?]
                .hosts
                .iter()
                .map(ToString::to_string);
            Some(hosts.collect::<std::collections::BTreeSet<_>>())
        });
        let known: Vec<_> = known.collect();
        let hosts: std::collections::BTreeSet<String> =
            change.hosts.iter().map(ToString::to_string).collect();
        let all = known
            .iter()
            .any(|known| *known == hosts || (known.is_empty() && hosts.contains("any other host")));
        (!all).then(|| hosts.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// What decides, and where that is written: `authenticated (gateway.yaml:14:9)`.
    pub(super) fn decided(&self, config: &Config, source: DecisionSource) -> String {
        match source {
            DecisionSource::Rule(service, id) => {
                let service = &config.services[service];
                let Some(rule) = service.policy.rules().get(id.0 as usize) else {
                    return "no rule: only reported".to_owned();
                };
                let reported = if rule.mode == Mode::Report {
                    ", only reported"
                } else {
                    ""
                };
                format!(
                    "{}{reported} ({})",
                    in_words(&rule.requirement),
                    view::place(service, id)
                )
            }
            DecisionSource::NoRule(_) => "no rule: refused".to_owned(),
            DecisionSource::Own => "the gateway's own path: not forwarded".to_owned(),
            DecisionSource::NoService => "no service: 404".to_owned(),
            DecisionSource::Refused => "the path is refused: 400".to_owned(),
        }
    }

    pub(super) fn rule<'c>(&self, config: &'c Config, source: DecisionSource) -> Option<&'c Rule> {
        match source {
            DecisionSource::Rule(service, id) => {
                config.services[service].policy.rules().get(id.0 as usize)
            }
            DecisionSource::NoRule(_)
            | DecisionSource::Own
            | DecisionSource::NoService
            | DecisionSource::Refused => None,
        }
    }

    /// All callers, joined by `; `.
    pub(super) fn callers(&self, change: &PolicyChange) -> String {
        let callers = || change.callers.iter();
        let has = |who: &CallerKind, from: AddressClass| {
            callers().any(|class| class.who == *who && class.from == from)
        };
        let anybody = CallerKind::Known {
            subject: CallerSubject::Anybody,
            roles: [].into(),
            claims: [].into(),
            sign_in: AuthenticationDemand::default(),
        };
        let both = |from: AddressClass| has(&anybody, from) && has(&CallerKind::Anonymous, from);
        let words = callers().filter_map(|class| match (both(class.from), &class.who) {
            (true, CallerKind::Anonymous) => Some(at("anyone".to_owned(), class.from)),
            (true, who) if *who == anybody => None,
            (true | false, _) => Some(self.caller(change, class)),
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// One class of callers: `role admin from 10.0.0.0/8`.
    pub(super) fn caller(&self, change: &PolicyChange, class: &CallerClass) -> String {
        let who = match &class.who {
            CallerKind::Anonymous => "anonymous callers".to_owned(),
            CallerKind::People { people, own } if own.is_empty() => {
                format!("user {}", self.everybody.names(people, 10))
            }
            CallerKind::People { people, own } => {
                let own = own
                    .iter()
                    .map(|position| self.segment(change, *position))
                    .collect::<Vec<_>>()
                    .join(", ");
                format!(
                    "user {} where {own} is the own name",
                    self.everybody.names(people, 10)
                )
            }
            CallerKind::Known {
                subject,
                roles,
                claims,
                sign_in,
            } => {
                let mut parts = self.known(change, subject, roles, claims);
                parts.extend((!sign_in.is_empty()).then(|| sign_in.to_string()));
                match &*parts {
                    [] => "anybody who is signed in".to_owned(),
                    parts => parts.join(" with "),
                }
            }
        };
        at(who, class.from)
    }

    /// What such a caller has, part by part; nothing: anybody who is signed in.
    fn known<'c>(
        &self,
        change: &PolicyChange,
        subject: &CallerSubject,
        roles: impl IntoIterator<Item = &'c Box<str>>,
        claims: impl IntoIterator<Item = &'c ClaimClass>,
    ) -> Vec<String> {
        let mut parts = match subject {
            CallerSubject::Anybody => Vec::new(),
            CallerSubject::Named(name) => vec![format!("user {name}")],
            CallerSubject::Segment(position) => vec![format!(
                "the user that {} names",
                self.segment(change, *position)
            )],
        };
        let roles: Vec<&str> = roles.into_iter().map(|role| &**role).collect();
        match roles.as_slice() {
            [] => {}
            [one] => parts.push(format!("role {one}")),
            many => parts.push(format!("roles {}", many.join(" and "))),
        }
        parts.extend(claims.into_iter().map(|claim| match claim {
            ClaimClass::Segment(name, position) => {
                format!("claim {name} = {}", self.segment(change, *position))
            }
            ClaimClass::Value(..) => format!("claim {claim}"),
        }));
        parts
    }

    /// The name of a segment: `{id}`.
    fn segment(&self, change: &PolicyChange, position: usize) -> String {
        let rules = [
            self.rule(self.new, change.after),
            self.rule(self.old, change.before),
        ];
        let name = rules
            .into_iter()
            .flatten()
            .find_map(|rule| parameter(rule, position));
        name.map_or_else(
            || format!("segment {}", position + 1),
            |name| format!("{{{name}}}"),
        )
    }
}

fn at(who: String, from: AddressClass) -> String {
    match from {
        AddressClass::Anywhere => who,
        AddressClass::In(network) => format!("{who} from {network}"),
        AddressClass::Elsewhere => format!("{who} from elsewhere"),
    }
}

/// A class as a pattern: `/users/{id}/**`.
fn named(class: &PathClass, rules: [Option<&Rule>; 2]) -> String {
    let name = |position| {
        rules
            .into_iter()
            .flatten()
            .find_map(|rule| parameter(rule, position))
    };
    let mut class = class.clone();
    let names: Vec<Option<String>> = class
        .0
        .iter()
        .enumerate()
        .map(|(position, piece)| match piece {
            PathPiece::Any => name(position).map(|name| format!("{{{name}}}")),
            PathPiece::Literal(_) | PathPiece::Rest => None,
        })
        .collect();
    if class.0.is_empty() {
        return "/".to_owned();
    }
    let pieces = class.0.drain(..).zip(names);
    pieces
        .map(|(piece, name)| {
            name.map_or_else(
                || PathClass(vec![piece]).to_string(),
                |name| format!("/{name}"),
            )
        })
        .collect()
}

fn parameter(rule: &Rule, position: usize) -> Option<&str> {
    match rule.pattern.segments().get(position) {
        Some(Segment::Parameter(name)) => name.as_deref(),
        Some(Segment::Literal(_) | Segment::Rest) | None => None,
    }
}
