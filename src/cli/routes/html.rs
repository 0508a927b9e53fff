//! The table as one page: nothing from elsewhere, readable without JavaScript, searchable with it.

use super::report::{Cell, LEGEND, RoutesReport, ServiceTable, heading, whereabouts};

const PAGE: &str = include_str!("page.html");

pub(super) fn render(report: &RoutesReport<'_>) -> String {
    let tables: String = report
        .services
        .iter()
        .map(|table| section(report, table))
        .collect();
    PAGE.replace(
        "{{legend}}",
        &escape(&format!("{LEGEND} What no rule covers is refused.")),
    )
    .replace("{{tables}}", &tables)
}

fn section(report: &RoutesReport<'_>, table: &ServiceTable<'_>) -> String {
    let (name, place) = (&table.service.name, whereabouts(table.service));
    let (name, place) = (escape(name), escape(&place));
    let head = format!("<h2>{name}</h2>\n<p class=\"where\">{place}</p>\n");
    if table.rows.is_empty() {
        return head + "<p>No rules: every request is refused.</p>\n";
    }
    let headings = report
        .audiences
        .iter()
        .map(|audience| format!("<th scope=\"col\">{}</th>", escape(heading(audience))));
    let headings: String = headings.collect();
    let rows = table.rows.iter().map(|row| {
        let cells: String = row.cells.iter().map(cell).collect();
        let (methods, path) = (escape(&row.methods), escape(&row.path));
        format!("<tr><td>{methods}</td><th scope=\"row\"><code>{path}</code></th>{cells}</tr>\n")
    });
    let rows: String = rows.collect();
    format!(
        "{head}<table>\n<thead><tr><th scope=\"col\">methods</th><th scope=\"col\">path</th>{headings}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Yes => "<td class=\"yes\">yes</td>".to_owned(),
        Cell::No => "<td class=\"no\">–</td>".to_owned(),
        Cell::If(conditions) => format!(
            "<td class=\"if\">if {}</td>",
            escape(&conditions.join(", or "))
        ),
    }
}

/// Text that is nothing but text to HTML, in elements and attributes alike. A brace could begin a place of the page that
/// is filled in later.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '{' => escaped.push_str("&#123;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
