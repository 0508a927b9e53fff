//! The changes for programs, in full.

use serde_json::{Value, json};

use super::report::DiffReport;
use crate::analysis::diff::{
    AddressClass, CallerClass, CallerKind, CallerSubject, DecisionSource, MethodClass, PolicyChange,
};
use crate::analysis::in_words;
use crate::config::Config;

pub(super) fn render(report: &DiffReport<'_>) -> String {
    let changes: Vec<Value> = report
        .changes
        .iter()
        .map(|one| change(report, one))
        .collect();
    let notices = report
        .notices
        .iter()
        .map(|notice| json!({ "effect": notice.weight.as_str(), "about": notice.about, "what": notice.what }));
    let notices: Vec<Value> = notices.collect();
    format!(
        "{:#}\n",
        json!({ "opens": report.opens(), "changes": changes, "notices": notices })
    )
}

fn change(report: &DiffReport<'_>, change: &PolicyChange) -> Value {
    let methods = change.methods.iter().map(|class| match class {
        MethodClass::Named(method) => json!(method.as_str()),
        MethodClass::Other => json!("*"),
    });
    json!({
        "effect": change.effect.as_str(),
        "service": { "before": name(report.old, change.before), "after": name(report.new, change.after) },
        "hosts": change.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "methods": methods.collect::<Vec<_>>(),
        "paths": report.paths(change),
        "callers": change.callers.iter().map(|class| caller(report, change, class)).collect::<Vec<_>>(),
        "users": users(report, &change.affected),
        "before": decision(report.old, change.before),
        "after": decision(report.new, change.after),
        "example": {
            "method": change.witness.method.as_str(),
            "host": change.witness.host,
            "path": change.witness.path,
            "address": change.witness.address.map(|address| address.to_string()),
        },
    })
}

fn name(config: &Config, source: DecisionSource) -> Value {
    source
        .service()
        .map_or(Value::Null, |index| json!(config.services[index].name))
}

fn users(report: &DiffReport<'_>, people: &[usize]) -> Value {
    people
        .iter()
        .map(|index| json!(report.everybody.people[*index].name))
        .collect()
}

/// `text` for people, and the parts for programs. Who has more roles or claims is meant as well.
fn caller(report: &DiffReport<'_>, change: &PolicyChange, class: &CallerClass) -> Value {
    let mut value = match &class.who {
        CallerKind::Anonymous => json!({ "kind": "anonymous" }),
        CallerKind::People { people, .. } => {
            json!({ "kind": "user", "users": users(report, people) })
        }
        CallerKind::Known {
            subject,
            roles,
            claims,
            sign_in,
        } => json!({
            "kind": "known",
            "user": match subject {
                CallerSubject::Named(name) => json!(name),
                CallerSubject::Anybody | CallerSubject::Segment(_) => Value::Null,
            },
            "roles": roles,
            "claims": claims.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "second_factor": sign_in.second_factor,
            "max_age": sign_in.max_age.map(|max_age| max_age.as_secs()),
        }),
    };
    value["text"] = report.caller(change, class).into();
    value["from"] = match class.from {
        AddressClass::Anywhere => Value::Null,
        AddressClass::In(_) | AddressClass::Elsewhere => class.from.to_string().into(),
    };
    value
}

fn decision(config: &Config, source: DecisionSource) -> Value {
    match source {
        DecisionSource::Rule(service, id) => {
            let service = &config.services[service];
            let Some(rule) = service.policy.rules().get(id.0 as usize) else {
                return json!({ "allow": "anyone", "mode": "report" });
            };
            let origin = service.origins.get(id.0 as usize);
            json!({
                "rule": rule.name,
                "allow": in_words(&rule.requirement),
                "mode": rule.mode.as_str(),
                "file": origin.map(|origin| origin.file.display().to_string()),
                "line": origin.map(|origin| origin.line),
            })
        }
        DecisionSource::NoRule(_) => json!({ "refused": "no rule" }),
        DecisionSource::Own => json!({ "refused": "own path" }),
        DecisionSource::NoService => json!({ "refused": "no service" }),
        DecisionSource::Refused => json!({ "refused": "path" }),
    }
}
