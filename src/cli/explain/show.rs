//! An explanation as text.

use std::fmt::Write as _;

use http::Method;

use super::subject::Subject;
use crate::access::{Decision, Explanation, Loss, RequestPath, Requirement, RuleId, RuleReport};
use crate::config::Service;

pub(super) fn explanation(
    service: &Service,
    method: &Method,
    path: &RequestPath,
    subject: &Subject,
    explanation: &Explanation<'_>,
) -> String {
    let mut text = String::new();
    let mut line = |line: String| text.push_str(&(line + "\n"));
    line(format!("{method} {path} to service `{}`, asked by {}", service.name, subject.name));
    line(String::new());
    line(decision(&explanation.decision));
    match &explanation.winner {
        Some(report) => winner(service, report).into_iter().for_each(&mut line),
        None => line("  no rule covers the request".to_owned()),
    }
    for (rule, loss) in &explanation.beaten {
        line(format!("  beats {}: {}", place(service, *rule), reason(loss)));
    }
    for rule in &explanation.other_methods {
        line(format!("  not asked: {} covers the path, but not {method}", place(service, *rule)));
    }
    text
}

fn decision(decision: &Decision<'_>) -> String {
    match decision {
        Decision::Allow(permit) if permit.identity().is_none() => "allowed, without an identity".to_owned(),
        Decision::Allow(_) => "allowed".to_owned(),
        Decision::Challenge(challenge) if challenge.credential_rejected => {
            "unauthenticated (401): Invalid or expired token".to_owned()
        }
        Decision::Challenge(_) => "unauthenticated (401): Not authenticated".to_owned(),
        Decision::Forbid(forbid) => format!("forbidden (403): {}", forbid.reason),
    }
}

fn winner(service: &Service, report: &RuleReport) -> Vec<String> {
    let rule = service.policy.rule(report.rule);
    let mut lines = vec![format!("  by {}", place(service, report.rule))];
    if report.alternatives.is_empty() {
        lines.push(format!("    allow: {}", word(&rule.requirement)));
    }
    for (index, alternative) in report.alternatives.iter().enumerate() {
        let joint = if index == 0 { "" } else { "or " };
        let entries = alternative.iter().map(|entry| {
            let mark = if entry.holds { "holds" } else { "fails" };
            format!("{} {mark}", entry.asked)
        });
        lines.push(format!("    {joint}{}", entries.collect::<Vec<_>>().join(", and ")));
    }
    lines
}

fn word(requirement: &Requirement) -> &'static str {
    match requirement {
        Requirement::Anyone => "anyone",
        Requirement::Authenticated => "authenticated",
        Requirement::Nobody => "nobody",
        Requirement::AnyOf(_) => "no alternative",
    }
}

fn reason(loss: &Loss) -> &str {
    match loss {
        Loss::Path(why) | Loss::Method(why) => why,
    }
}

/// A rule with its place: `` `POST /jobs` (gateway.yaml:14:9) ``.
fn place(service: &Service, id: RuleId) -> String {
    let mut text = format!("`{}`", service.policy.rule(id).name);
    if let Some(origin) = service.origins.get(id.0 as usize) {
        write!(text, " ({}:{}:{})", origin.file.display(), origin.line, origin.column)
            .expect("a string takes everything");
    }
    text
}
