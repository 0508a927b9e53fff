//! What is said of a text that is not YAML.

use saphyr_parser::ScanError;

use super::code::Code;
use super::finding::Finding;
use super::shown::{may_be_secret, shown};
use super::slip::{Slip, slip};
use super::span::{File, Span, narrow};

/// What the scanner stops at, and what to write instead. Where a slip is certain, it is named at its own place: the scanner
/// stops where it makes no sense of what follows.
pub(super) fn syntax_error(text: &str, file: File, error: &ScanError) -> Finding {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    let info = error.info();
    let braces = braces_help(text, file, error);
    let slip = match braces {
        Some(_) => None,
        None => slip(text, line, column, info),
    };
    if let Some(Slip { place, what, help }) = slip {
        let span = Span::at(file, narrow(place.0), narrow(place.1));
        return Finding::error(Code::YamlSyntax, span, format!("this is not YAML: {what}"))
            .help(help);
    }
    // The wording of the scanner is kept: it is what other YAML tools say and what can be looked up.
    let help = braces.unwrap_or_else(|| syntax_help(info).to_owned());
    let span = Span::at(file, narrow(line), narrow(column));
    Finding::error(Code::YamlSyntax, span, format!("this is not YAML: {info}")).help(help)
}

fn syntax_help(info: &str) -> &'static str {
    if info.contains("mapping values") {
        "quote a value that holds `: `, and check the indentation of this line and the one above"
    } else if info.contains("unexpected character") || info.contains("unknown escape") {
        "quote the value, in single quotes where it holds a backslash"
    } else if info.contains("anchor") {
        "write the value out, or quote it if it starts with `*` or `&`"
    } else {
        "check the indentation, and whether a bracket or quote is left open above"
    }
}

/// What is said of values with braces, in the line where the scanner stops or in the one before.
fn braces_help(text: &str, file: File, error: &ScanError) -> Option<String> {
    let (info, at) = (error.info(), error.marker().line().saturating_sub(1));
    let line = text.lines().nth(at).unwrap_or_default();
    // the scanner stops behind what it does not understand, often in the next line
    let before = text.lines().nth(at.saturating_sub(1)).unwrap_or_default();
    let in_flow = info.contains("flow") || info.contains("',' or");
    if line.contains("${") && line.contains(['{', '[']) && info.contains("flow") {
        return Some("quote a value that holds `${…}` inside `{ }` or `[ ]`".to_owned());
    }
    let braces = [line, before].into_iter().find_map(with_braces);
    let path = braces.filter(|_| in_flow || info.contains("expected"))?;
    Some(match path.filter(|_| file != File::Users) {
        Some(path) => format!("quote a value that holds braces: `\"{}\"`", shown(path)),
        None => "quote a value that holds `{` or `}`".to_owned(),
    })
}

/// Whether a line holds a value without quotes that has a parameter in it, such as `/users/{id}/**`; and this value, where
/// it is certain that it holds no secret: a pattern, and the value of `path`.
fn with_braces(line: &str) -> Option<Option<&str>> {
    let opening = line.match_indices('{').map(|(at, _)| at).find(|at| {
        let before = &line[..*at];
        let quoted = before.matches(['"', '\'']).count() % 2 == 1;
        let inside = before.ends_with(|c: char| c.is_ascii_graphic() && !"{[:,$\"'".contains(c));
        let after = line[*at..].split_once('}').map_or("", |(_, rest)| rest);
        let goes_on = after.starts_with(|c: char| c.is_ascii_graphic() && !",]}".contains(c));
        let first = before.trim_end().ends_with(':') && goes_on;
        !quoted && (inside || first) && line[*at..].contains('}')
    })?;
    let start = line[..opening]
        .char_indices()
        .rfind(|(_, c)| c.is_whitespace() || "[{,".contains(*c))
        .map_or(0, |(at, character)| at + character.len_utf8());
    let key = line[..start].trim_end().strip_suffix(':');
    let key = key.and_then(|before| before.rsplit([' ', '{', ',']).next());
    Some(pattern_at(&line[start..]).filter(|_| key == Some("path")))
}

/// A path pattern that a text begins with, whose parameters are closed: what follows is none of it.
fn pattern_at(text: &str) -> Option<&str> {
    let of_pattern = |c: char| c.is_ascii_alphanumeric() || "/{}*-_.~%".contains(c);
    let whole = text
        .find(|c| !of_pattern(c))
        .map_or(text, |end| &text[..end]);
    // the brackets around the rule may follow at once
    let surplus = whole
        .matches('}')
        .count()
        .checked_sub(whole.matches('{').count())?;
    let closers = whole.len() - whole.trim_end_matches('}').len();
    let pattern = &whole[..whole.len() - surplus.min(closers)];
    let ends = text[whole.len()..].starts_with([' ', ',', ']']) || whole.len() == text.len();
    (ends && pattern.starts_with('/') && !may_be_secret(pattern)).then_some(pattern)
}
