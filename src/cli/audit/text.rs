//! The report for people.

use super::report::AuditReport;
use crate::access::Mode;
use crate::analysis::in_words;
use crate::analysis::openapi::{ApiOperation, AuditFinding, OperationCoverage, OperationDecider};
use crate::cli::printing::{STRONG, counted, styled};
use crate::cli::terminal::{BAD, DOUBTFUL, FAINT, GOOD};
use crate::cli::view;

pub(super) fn render(report: &AuditReport<'_>) -> String {
    let title = report.document.title.as_deref().unwrap_or("the document");
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    let operations = counted(report.audit.operations.len(), "operation");
    let mut text = format!(
        "{} of {title} at the service `{}`\n\n",
        styled(STRONG, &operations),
        report.service.name
    );
    let operations = &report.audit.operations;
    let method = |one| operation(report, one).method.as_str().len();
    let path = |one: &OperationCoverage| one.path.to_string().chars().count().min(60);
    let methods = operations.iter().map(method).max();
    let paths = operations.iter().map(path).max();
    let widths = (methods.unwrap_or(0), paths.unwrap_or(0));
    for covered in operations {
        text += &line(report, covered, widths);
    }
    text + &summary(report) + &unused(report) + &odd(report)
}

fn operation<'a>(report: &'a AuditReport<'_>, covered: &OperationCoverage) -> &'a ApiOperation {
    &report.document.operations[covered.operation]
}

fn line(
    report: &AuditReport<'_>,
    covered: &OperationCoverage,
    (methods, paths): (usize, usize),
) -> String {
    let operation = operation(report, covered);
    let path = plain(&covered.path.to_string());
    let marks = covered
        .findings
        .iter()
        .map(|finding| mark(*finding))
        .collect::<Vec<_>>()
        .join(" ");
    let mut text = format!(
        "{:methods$}  {path:paths$}  {}  {marks}",
        operation.method.as_str(),
        decided(report, &covered.decider)
    );
    text.truncate(text.trim_end().len());
    text.push('\n');
    for rule in &covered.others {
        let of = report.policy.rule(*rule);
        let place = view::place(report.service, *rule);
        text += &format!(
            "{:methods$}    but {}: {} ({place})\n",
            "",
            of.pattern,
            in_words(&of.requirement)
        );
    }
    if covered.findings.contains(&AuditFinding::Looser)
        || covered.findings.contains(&AuditFinding::Stricter)
    {
        text += &styled(
            FAINT,
            &format!(
                "{:methods$}    the document asks for {}",
                "",
                plain(&operation.security.to_string())
            ),
        );
        text.push('\n');
    }
    text
}

/// What decides, and where that stands.
fn decided(report: &AuditReport<'_>, decider: &OperationDecider) -> String {
    match decider {
        OperationDecider::Rule(rule) => {
            let place = styled(FAINT, &format!("({})", view::place(report.service, *rule)));
            let rule = report.policy.rule(*rule);
            let reported = if rule.mode == Mode::Report {
                ", denials are only reported"
            } else {
                ""
            };
            format!("{}{reported} {place}", in_words(&rule.requirement))
        }
        OperationDecider::NoRule => "no rule: refused".to_owned(),
        OperationDecider::Own => format!(
            "the gateway's own path: `{}` is never forwarded",
            report.config.auth.path
        ),
        OperationDecider::OtherService(index) => format!(
            "goes to the service `{}`",
            report.config.services[*index].name
        ),
        OperationDecider::NoService => "goes to no service: 404".to_owned(),
        OperationDecider::BadPath => "the path is refused: 400".to_owned(),
        OperationDecider::BadMethod => "the method is refused: 405".to_owned(),
    }
}

fn mark(finding: AuditFinding) -> String {
    let style = match finding {
        AuditFinding::Open => DOUBTFUL,
        AuditFinding::Uncovered | AuditFinding::Looser => BAD,
        AuditFinding::Stricter => GOOD,
    };
    styled(style, finding.as_str())
}

fn summary(report: &AuditReport<'_>) -> String {
    let counts = report.audit.count();
    let said = [
        (
            AuditFinding::Open,
            "open: callers who are not known are let in",
        ),
        (
            AuditFinding::Uncovered,
            "uncovered: no rule of the service decides",
        ),
        (
            AuditFinding::Looser,
            "looser: the document asks for security, the rules do not",
        ),
        (
            AuditFinding::Stricter,
            "stricter: the rules ask for an identity, the document does not",
        ),
    ];
    let lines = said
        .iter()
        .filter_map(|(finding, what)| Some(format!("{:>5}  {what}\n", counts.get(finding)?)));
    let lines: String = lines.collect();
    if lines.is_empty() {
        "\nnothing is open, uncovered or in disagreement\n".to_owned()
    } else {
        format!("\n{lines}")
    }
}

fn unused(report: &AuditReport<'_>) -> String {
    if report.audit.unused.is_empty() {
        return String::new();
    }
    let line = |rule: &crate::access::RuleId| {
        let of = report.policy.rule(*rule);
        format!(
            "  {}: {} ({})\n",
            of.name,
            in_words(&of.requirement),
            view::place(report.service, *rule)
        )
    };
    let lines: String = report.audit.unused.iter().map(line).collect();
    format!("\nrules that cover no operation:\n{lines}")
}

fn odd(report: &AuditReport<'_>) -> String {
    if report.document.odd.is_empty() {
        return String::new();
    }
    let lines: String = report
        .document
        .odd
        .iter()
        .map(|line| format!("  {}\n", plain(line)))
        .collect();
    format!("\nodd in the document:\n{lines}")
}

/// A text of the document that moves no cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
