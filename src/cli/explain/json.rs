//! An explanation for programs.

use serde_json::{Value, json};

use super::{Found, mode, rates, show};
use crate::access::{Decision, RuleId};
use crate::analysis::simulation::{SimulatedCaller, SimulatedRequest, SimulatedVerdict};
use crate::analysis::{ConditionReport, Explanation, RuleReport};
use crate::config::{Config, Service};
use crate::rates::{LimitedBy, Rate};
use crate::wire::Target;

/// One object. What does not apply is `null` or empty, never missing.
pub(super) fn report(
    config: &Config,
    request: &SimulatedRequest,
    subject: &SimulatedCaller,
    found: &Found<'_>,
) -> Value {
    let mut report = json!({
        "request": request.to_string(),
        "caller": subject.name,
        "service": null,
        "host": request.host().map(crate::wire::Host::name),
        "path": null,
        "reason": null,
        "mode": null,
        "rule": null,
        "allow": null,
        "conditions": [],
        "rates": [],
        "beats": [],
        "not_asked": [],
        "nearest": null,
        "to_be_allowed": [],
        "destination": null,
    });
    match found {
        Found::Refused(refusal) => {
            report["verdict"] = refusal.verdict().as_str().into();
            report["status"] = refusal.status().into();
            report["reason"] = refusal.to_string().into();
            if let crate::analysis::simulation::SimulatedRejection::Path(service, _) = refusal {
                report["service"] = config.services[*service].name.as_str().into();
            }
        }
        Found::Own(target) => {
            take_target(&mut report, target);
            report["verdict"] = SimulatedVerdict::Allowed.as_str().into();
            report["status"] = Value::Null;
            report["reason"] = "the gateway itself answers".into();
        }
        Found::Decided {
            service,
            target,
            explanation,
            destination,
        } => {
            take_target(&mut report, target);
            decided(&mut report, service, explanation);
            if let (Some(path), Some(destination)) = (&target.destination, destination) {
                let mut other = json!({ "path": path.as_str() });
                decided(&mut other, service, destination);
                let path_is_allowed = matches!(explanation.decision, Decision::Allow(_));
                take_destination(&mut report, other, path_is_allowed);
            }
        }
    }
    report
}

/// Both must be allowed: where the path is, the destination decides.
fn take_destination(report: &mut Value, destination: Value, path_is_allowed: bool) {
    if path_is_allowed {
        for key in ["verdict", "status", "reason", "mode"] {
            report[key] = destination[key].clone();
        }
    }
    report["destination"] = destination;
}

fn take_target(report: &mut Value, target: &Target) {
    report["host"] = target.host.name().into();
    report["path"] = target.path.as_str().into();
}

fn decided(report: &mut Value, service: &Service, explanation: &Explanation) {
    let (status, reason) = match &explanation.decision {
        Decision::Allow(_) => (None, None),
        Decision::Challenge(challenge) => (Some(401), Some(challenge.reason.to_string())),
        Decision::Forbid(forbid) => (Some(403), Some(forbid.reason.to_string())),
    };
    report["verdict"] = SimulatedVerdict::of(&explanation.decision).as_str().into();
    report["status"] = status.into();
    report["reason"] = reason.into();
    report["service"] = service.name.as_str().into();
    report["mode"] = mode(service, explanation).as_str().into();
    if let Some(winner) = &explanation.winner {
        report["rule"] = rule(service, winner.rule);
        report["allow"] = show::word(&service.policy.rule(winner.rule).requirement).into();
        report["conditions"] = conditions(winner);
    }
    report["rates"] = rates(service, explanation).map(rate).collect();
    let beats = explanation.beaten.iter().map(|(id, loss)| {
        let mut beaten = rule(service, *id);
        beaten["why"] = loss.to_string().into();
        beaten
    });
    report["beats"] = beats.collect();
    report["not_asked"] = explanation
        .other_methods
        .iter()
        .map(|id| rule(service, *id))
        .collect();
    report["nearest"] = explanation.nearest.map(|id| rule(service, id)).into();
    report["to_be_allowed"] = explanation.remedies.as_slice().into();
}

/// A list of alternatives, each a list of entries that must all hold.
fn conditions(winner: &RuleReport) -> Value {
    let alternative = |entries: &Vec<ConditionReport>| -> Value {
        let entry = |entry: &ConditionReport| json!({ "asked": entry.asked, "has": entry.has, "holds": entry.holds });
        entries.iter().map(entry).collect()
    };
    winner.alternatives.iter().map(alternative).collect()
}

fn rate((of, rate): (LimitedBy, Rate)) -> Value {
    json!({
        "of": of.as_str(),
        "requests": rate.requests(),
        "per_seconds": rate.per().as_secs_f64(),
        "burst": rate.burst(),
        "by": rate.by().as_str(),
    })
}

fn rule(service: &Service, id: RuleId) -> Value {
    let origin = &service.origins[id.0 as usize];
    json!({
        "name": service.policy.rule(id).name,
        "file": origin.file.to_string_lossy(),
        "line": origin.line,
        "column": origin.column,
    })
}
