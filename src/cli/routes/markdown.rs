//! The table for a wiki or a pull request (GitHub Flavored Markdown).

use super::report::{Cell, LEGEND, RoutesReport, ServiceTable, heading, whereabouts};
use crate::cli::markdown::escape;

pub(super) fn render(report: &RoutesReport<'_>) -> String {
    let tables = report.services.iter().map(|table| section(report, table));
    format!(
        "{}{LEGEND} What no rule covers is refused.\n",
        tables.collect::<String>()
    )
}

fn section(report: &RoutesReport<'_>, table: &ServiceTable<'_>) -> String {
    let mut text = format!(
        "## {}\n\n{}\n\n",
        escape(&table.service.name),
        escape(&whereabouts(table.service))
    );
    if table.rows.is_empty() {
        return text + "No rules: every request is refused.\n\n";
    }
    let headings = report
        .audiences
        .iter()
        .map(|audience| escape(heading(audience)));
    text += &line(
        ["methods".to_owned(), "path".to_owned()]
            .into_iter()
            .chain(headings),
    );
    text += &line((0..report.audiences.len() + 2).map(|_| "---".to_owned()));
    for row in &table.rows {
        let cells = row.cells.iter().map(|cell| match cell {
            Cell::Yes => "yes".to_owned(),
            Cell::No => "-".to_owned(),
            Cell::If(conditions) => format!("if {}", escape(&conditions.join(", or "))),
        });
        text += &line(
            [escape(&row.methods), code(&row.path)]
                .into_iter()
                .chain(cells),
        );
    }
    text + "\n"
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// A path; no pattern holds a backtick.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}
