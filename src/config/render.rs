//! Problems as text like rustc's, or as JSON.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::problem::{Place, Problem, Severity};

/// Whether escape sequences may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With colours.
    Ansi,
}

/// All problems, each followed by an empty line.
pub fn render(problems: &[Problem], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Ansi => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let one = |problem| correct_columns(renderer.render(&report(problem)), problem) + "\n\n";
    problems.iter().map(one).collect()
}

fn report(problem: &Problem) -> Vec<Group<'_>> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(&problem.message)
        .id(problem.code.as_str());
    let group = at(Group::with_title(title), problem.place.as_ref());
    let help = problem.help.iter().map(|help| Level::HELP.message(help));
    let notes = problem.notes.iter().map(|note| {
        let title = Level::NOTE.secondary_title(&note.message);
        at(Group::with_title(title), Some(&note.place))
    });
    std::iter::once(group.elements(help)).chain(notes).collect()
}

/// One line a snippet: the renderer would fill a gap with the lines between, and those may hold secrets.
fn at<'a>(group: Group<'a>, place: Option<&'a Place>) -> Group<'a> {
    let Some(place) = place else { return group };
    let path = place.file.to_string_lossy();
    match &place.excerpt {
        Some(excerpt) => group.element(
            Snippet::source(&excerpt.text)
                .path(path)
                .line_start(place.line)
                .annotation(AnnotationKind::Primary.span(excerpt.marked.clone())),
        ),
        None => group.element(
            Origin::path(path)
                .line(place.line)
                .char_column(place.column),
        ),
    }
}

/// The renderer counts columns in the line that is shown; where a secret was taken out of it, the file has others.
fn correct_columns(mut text: String, problem: &Problem) -> String {
    let mut from = 0;
    for place in problem
        .place
        .iter()
        .chain(problem.notes.iter().map(|note| &note.place))
    {
        let Some(excerpt) = &place.excerpt else {
            continue;
        };
        let position = format!("{}:{}:", place.file.display(), place.line);
        let shown = (excerpt.text[..excerpt.marked.start].chars().count() + 1).to_string();
        let Some(at) = text[from..].find(&format!("{position}{shown}")) else {
            continue;
        };
        let start = from + at + position.len();
        let column = place.column.to_string();
        text.replace_range(start..start + shown.len(), &column);
        from = start + column.len();
    }
    text
}

/// The same for programs: a list of objects.
pub fn to_json(problems: &[Problem]) -> Value {
    problems.iter().map(one).collect()
}

fn one(problem: &Problem) -> Value {
    let note =
        |message: &str, place: &Place| json!({ "message": message, "place": place_of(place) });
    json!({
        "code": problem.code.as_str(),
        "severity": problem.severity.as_str(),
        "message": problem.message,
        "place": problem.place.as_ref().map(place_of),
        "help": problem.help,
        "notes": problem.notes.iter().map(|n| note(&n.message, &n.place)).collect::<Vec<_>>(),
    })
}

fn place_of(place: &Place) -> Value {
    json!({
        "file": place.file.to_string_lossy(),
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    })
}
