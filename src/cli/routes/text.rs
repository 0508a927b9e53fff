//! The table as text that fits a terminal.

use std::collections::HashMap;

use super::report::{Cell, LEGEND, RoutesReport, ServiceTable, heading, whereabouts};
use crate::cli::printing::{STRONG, styled};
use crate::cli::terminal::{DOUBTFUL, FAINT, GOOD, wrap};

/// Space between two columns.
const GAP: usize = 2;

/// `width`: columns of the terminal; without one, lines are as long as they need to be.
pub(super) fn render(report: &RoutesReport<'_>, width: Option<usize>) -> String {
    let mut text = String::new();
    for table in &report.services {
        let mut notes = Notes::default();
        let cells = notes.number(table);
        let name = styled(STRONG, &table.service.name);
        text += &format!("{name} ({})\n", whereabouts(table.service));
        if table.rows.is_empty() {
            text += "no rules: every request is refused\n\n";
            continue;
        }
        let layout = Layout::new(report, table, &cells, width);
        for columns in &layout.blocks {
            text.push('\n');
            text += &layout.block(report, table, &cells, columns);
        }
        text += &notes.render();
        text.push('\n');
    }
    let legend = format!("{LEGEND} What no rule covers is refused.");
    text + &wrap(&legend, 0, Some(width.unwrap_or(100))) + "\n"
}

/// The conditions, each with the number that stands in the table.
#[derive(Default)]
struct Notes {
    texts: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Notes {
    /// The table's cells as they are printed.
    fn number(&mut self, table: &ServiceTable<'_>) -> Vec<Vec<String>> {
        let rows = table.rows.iter();
        rows.map(|row| row.cells.iter().map(|cell| self.cell(cell)).collect())
            .collect()
    }

    fn cell(&mut self, cell: &Cell) -> String {
        let conditions = match cell {
            Cell::Yes => return "yes".to_owned(),
            Cell::No => return "-".to_owned(),
            Cell::If(conditions) => conditions,
        };
        let numbers = conditions
            .iter()
            .map(|condition| self.number_of(condition).to_string());
        format!("if {}", numbers.collect::<Vec<_>>().join("/"))
    }

    fn number_of(&mut self, condition: &str) -> usize {
        *self.numbers.entry(condition.to_owned()).or_insert_with(|| {
            self.texts.push(condition.to_owned());
            self.texts.len()
        })
    }

    fn render(&self) -> String {
        let lines = self
            .texts
            .iter()
            .enumerate()
            .map(|(index, text)| format!("  {:>2}  {text}\n", index + 1));
        let lines: String = lines.collect();
        if lines.is_empty() {
            lines
        } else {
            format!("\n{lines}")
        }
    }
}

/// How wide each column is, and which columns stand side by side.
struct Layout {
    methods: usize,
    path: usize,
    widths: Vec<usize>,
    blocks: Vec<Vec<usize>>,
}

impl Layout {
    fn new(
        report: &RoutesReport<'_>,
        table: &ServiceTable<'_>,
        cells: &[Vec<String>],
        width: Option<usize>,
    ) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let methods =
            widest(&mut table.rows.iter().map(|row| length(&row.methods))).max("methods".len());
        let path = widest(&mut table.rows.iter().map(|row| length(&row.path))).max("path".len());
        // one endless path does not push every other line off the terminal: it has a line to itself
        let path = width.map_or(path, |width| path.min((width / 2).max(16)));
        let widths: Vec<usize> = (0..report.audiences.len())
            .map(|column| {
                let heading = length(heading(&report.audiences[column]));
                widest(&mut cells.iter().map(|row| length(&row[column]))).max(heading)
            })
            .collect();
        let free = width.map(|width| width.saturating_sub(methods + path + GAP));
        Self {
            methods,
            path,
            blocks: blocks(&widths, free),
            widths,
        }
    }

    fn block(
        &self,
        report: &RoutesReport<'_>,
        table: &ServiceTable<'_>,
        cells: &[Vec<String>],
        columns: &[usize],
    ) -> String {
        let headings = columns
            .iter()
            .map(|column| pad(heading(&report.audiences[*column]), self.widths[*column]));
        let mut text = self.line(
            "methods",
            "path",
            headings.map(|text| styled(STRONG, &text)),
        );
        for (row, cells) in table.rows.iter().zip(cells) {
            let cells = columns
                .iter()
                .map(|column| coloured(&cells[*column], self.widths[*column]));
            text += &self.line(&row.methods, &row.path, cells);
        }
        text
    }

    fn line(&self, methods: &str, path: &str, cells: impl Iterator<Item = String>) -> String {
        let gap = " ".repeat(GAP);
        let mut line = format!(
            "{}{gap}{}",
            pad(methods, self.methods),
            pad(path, self.path)
        );
        if length(path) > self.path {
            line += &format!("\n{}", " ".repeat(self.methods + GAP + self.path));
        }
        for cell in cells {
            line += &format!("{gap}{cell}");
        }
        line.trim_end().to_owned() + "\n"
    }
}

/// Columns that fit side by side into `free`; at least one each.
fn blocks(widths: &[usize], free: Option<usize>) -> Vec<Vec<usize>> {
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    let mut used = usize::MAX;
    for (column, width) in widths.iter().enumerate() {
        let more = used.saturating_add(width + GAP);
        match blocks.last_mut() {
            Some(block) if free.is_none_or(|free| more <= free) => {
                block.push(column);
                used = more;
            }
            Some(_) | None => {
                blocks.push(vec![column]);
                used = width + GAP;
            }
        }
    }
    blocks
}

fn coloured(cell: &str, width: usize) -> String {
    let style = match cell {
        "yes" => GOOD,
        "-" => FAINT,
        _ => DOUBTFUL,
    };
    styled(style, cell) + &" ".repeat(width.saturating_sub(length(cell)))
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(length(text))))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_stand_below() {
        assert_eq!(blocks(&[9, 9, 5], None), [vec![0, 1, 2]]);
        assert_eq!(blocks(&[9, 9, 5], Some(22)), [vec![0, 1], vec![2]]);
        assert_eq!(blocks(&[9, 9, 5], Some(1)), [vec![0], vec![1], vec![2]]);
    }
}
