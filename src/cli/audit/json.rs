//! The report for programs.

use serde_json::{Value, json};

use super::report::AuditReport;
use crate::access::RuleId;
use crate::analysis::in_words;
use crate::analysis::openapi::{
    AuditFinding, OperationCoverage, OperationDecider, OperationSecurity,
};

pub(super) fn render(report: &AuditReport<'_>) -> String {
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

fn operation(report: &AuditReport<'_>, covered: &OperationCoverage) -> Value {
    let operation = &report.document.operations[covered.operation];
    let refused = match &covered.decider {
        OperationDecider::Rule(_) => Value::Null,
        OperationDecider::NoRule => json!("no rule"),
        OperationDecider::Own => json!("own path"),
        OperationDecider::OtherService(index) => {
            json!(format!("service {}", report.config.services[*index].name))
        }
        OperationDecider::NoService => json!("no service"),
        OperationDecider::BadPath => json!("path"),
        OperationDecider::BadMethod => json!("method"),
    };
    let main = match covered.decider {
        OperationDecider::Rule(id) => rule(report, id),
        OperationDecider::NoRule
        | OperationDecider::Own
        | OperationDecider::OtherService(_)
        | OperationDecider::NoService
        | OperationDecider::BadPath
        | OperationDecider::BadMethod => Value::Null,
    };
    let security = match &operation.security {
        OperationSecurity::Unsaid => Value::Null,
        OperationSecurity::Open
        | OperationSecurity::Optional(_)
        | OperationSecurity::Required(_) => {
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
        "findings": covered.findings.iter().map(|finding| AuditFinding::as_str(*finding)).collect::<Vec<_>>(),
    })
}

fn rule(report: &AuditReport<'_>, id: RuleId) -> Value {
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
