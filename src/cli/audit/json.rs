//! The report for programs.

use serde_json::{Value, json};

use super::Report;
use crate::access::RuleId;
use crate::analysis::in_words;
use crate::analysis::openapi::{Covered, Decider, Finding, Security};

pub(super) fn render(report: &Report<'_>) -> String {
    let operations: Vec<Value> = report
        .audit
        .operations
        .iter()
        .map(|one| operation(report, one))
        .collect();
    let unused: Vec<Value> = report
        .audit
        .unused
        .iter()
        .map(|id| rule(report, *id))
        .collect();
    let answer = json!({
        "service": report.service.name,
        "title": report.document.title,
        "operations": operations,
        "unused": unused,
        "odd": report.document.odd,
    });
    format!("{answer:#}\n")
}

fn operation(report: &Report<'_>, covered: &Covered) -> Value {
    let operation = &report.document.operations[covered.operation];
    let refused = match &covered.decider {
        Decider::Rule(_) => Value::Null,
        Decider::NoRule => json!("no rule"),
        Decider::Own => json!("own path"),
        Decider::OtherService(index) => {
            json!(format!("service {}", report.config.services[*index].name))
        }
        Decider::NoService => json!("no service"),
        Decider::BadPath => json!("path"),
        Decider::BadMethod => json!("method"),
    };
    let main = match covered.decider {
        Decider::Rule(id) => rule(report, id),
        Decider::NoRule
        | Decider::Own
        | Decider::OtherService(_)
        | Decider::NoService
        | Decider::BadPath
        | Decider::BadMethod => Value::Null,
    };
    let security = match &operation.security {
        Security::Unsaid => Value::Null,
        Security::Open | Security::Optional(_) | Security::Required(_) => {
            json!(operation.security.to_string())
        }
    };
    json!({
        "method": operation.method.as_str(),
        "path": covered.path.to_string(),
        "name": operation.name,
        "tags": operation.tags,
        "rule": main,
        "refused": refused,
        "others": covered.others.iter().map(|id| rule(report, *id)).collect::<Vec<_>>(),
        "security": security,
        "findings": covered.findings.iter().map(|finding| Finding::as_str(*finding)).collect::<Vec<_>>(),
    })
}

fn rule(report: &Report<'_>, id: RuleId) -> Value {
    let rule = report.policy.rule(id);
    let origin = report.service.origins.get(id.0 as usize);
    json!({
        "name": rule.name,
        "path": rule.pattern.source(),
        "allow": in_words(&rule.requirement),
        "mode": rule.mode.as_str(),
        "file": origin.map(|origin| origin.file.display().to_string()),
        "line": origin.map(|origin| origin.line),
    })
}
