//! The changes for a pull request.

use super::report::DiffReport;
use crate::analysis::diff::PolicyChange;
use crate::cli::markdown::escape;

/// A comment of a pull request has room for some hundred lines.
const MOST_LINES: usize = 200;

pub(super) fn render(report: &DiffReport<'_>) -> String {
    let mut text = format!("### {}\n\n", report.summary());
    if !report.changes.is_empty() {
        text += "| | requests | for | before | now |\n| --- | --- | --- | --- | --- |\n";
        text.extend(
            report
                .changes
                .iter()
                .take(MOST_LINES)
                .map(|change| line(report, change)),
        );
        if report.changes.len() > MOST_LINES {
            text += &format!("\nand {} more\n", report.changes.len() - MOST_LINES);
        }
        text.push('\n');
    }
    for notice in report.notices.iter().take(MOST_LINES) {
        let weight = if notice.is_opening() {
            "**opens** "
        } else {
            ""
        };
        text += &format!(
            "- {weight}{}: {}\n",
            escape(&notice.about.replace('`', "")),
            escape(&notice.what.replace('`', ""))
        );
    }
    if report.notices.len() > MOST_LINES {
        text += &format!("- and {} more\n", report.notices.len() - MOST_LINES);
    }
    text
}

fn line(report: &DiffReport<'_>, change: &PolicyChange) -> String {
    let effect = change.effect.as_str();
    let effect = if change.effect.is_opening() {
        format!("**{effect}**")
    } else {
        effect.to_owned()
    };
    let mut paths = report.paths(change);
    let more = paths.len().saturating_sub(8);
    paths.truncate(8);
    let paths: Vec<_> = paths
        .iter()
        .map(|path| format!("`{}`", path.replace('|', "\\|")))
        .collect();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    let hosts = report
        .hosts(change)
        .map(|hosts| format!(" at {}", escape(&hosts)))
        .unwrap_or_default();
    let mut callers = escape(&report.callers(change));
    if !change.affected.is_empty() {
        callers += &format!(
            " (users: {})",
            escape(&report.everybody.names(&change.affected, 5))
        );
    }
    format!(
        "| {effect} | {}: {} {}{more}{hosts} | {callers} | {} | {} |\n",
        escape(&report.service(change)),
        report.methods(change),
        paths.join(" "),
        escape(&report.decided(report.old, change.before)),
        escape(&report.decided(report.new, change.after)),
    )
}
