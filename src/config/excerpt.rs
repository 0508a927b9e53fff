//! Which text of a file may be shown: one line at a time, without secrets and without comments.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::PathBuf;

use super::blocks::GATEWAY;
use super::finding::Finding;
use super::problem::{Excerpt, Note, Place, Problem};
use super::shown::{
    REDACTED, looks_secret, may_be_secret, may_name_secret, names_file, names_old_keys,
    names_secret, names_token,
};
use super::span::{File, Position, Span};

/// A file that problems may point into.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Where its secrets lie; `None` where it could not be parsed and nobody knows.
    pub(super) secrets: Option<Vec<Span>>,
}

/// Turns findings into problems that can be shown.
pub(super) fn seal(findings: Vec<Finding>, sources: &[Source]) -> Vec<Problem> {
    // to cut a long file into lines takes a while
    if findings.is_empty() {
        return Vec::new();
    }
    let concealed: Vec<Span> = findings
        .iter()
        .filter_map(|finding| finding.concealed)
        .collect();
    let pages: Vec<Page<'_>> = sources
        .iter()
        .map(|source| Page::new(source, &concealed))
        .collect();
    let place = |span: Span| {
        Some(
            pages
                .iter()
                .find(|page| page.source.file == span.file)?
                .place(span),
        )
    };
    let sealed = |finding: Finding| {
        let notes = finding.notes.into_iter();
        let notes = notes
            .filter_map(|(span, message)| {
                Some(Note {
                    message,
                    place: place(span)?,
                })
            })
            .collect();
        Problem {
            code: finding.code,
            severity: finding.severity,
            message: finding.message,
            place: finding.span.and_then(place),
            help: finding.help,
            notes,
        }
    };
    findings.into_iter().map(sealed).collect()
}

/// The line of a place.
pub(super) fn excerpt(source: &Source, span: Span) -> Option<Excerpt> {
    Page::new(source, &[]).excerpt(span)
}

/// A source cut into lines.
struct Page<'a> {
    source: &'a Source,
    lines: Vec<&'a str>,
    /// In order and without overlaps, so that those of one line are found by bisection; `None` where nobody knows.
    secrets: Option<Vec<Span>>,
}

impl<'a> Page<'a> {
    fn new(source: &'a Source, concealed: &[Span]) -> Self {
        // A lone carriage return ends a line in YAML; a pair would count twice, so the empty half is left out.
        let lines = source
            .text
            .split('\n')
            .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
        let concealed = concealed.iter().filter(|span| span.file == source.file);
        let secrets = source
            .secrets
            .as_ref()
            .map(|known| disjoint(known.iter().chain(concealed)));
        Self {
            source,
            lines: lines.collect(),
            secrets,
        }
    }

    fn place(&self, span: Span) -> Place {
        Place {
            file: self.source.path.clone(),
            line: span.start.line as usize,
            column: span.start.column as usize,
            end_line: span.end.line as usize,
            end_column: span.end.column as usize,
            excerpt: self.excerpt(span),
        }
    }

    /// The line of the place. Of a line of `.env` nothing is shown: hardly anything in it is no secret.
    fn excerpt(&self, span: Span) -> Option<Excerpt> {
        let index = span.start.line as usize - 1;
        let line = *self.lines.get(index)?;
        let masks = match (self.source.file, &self.secrets) {
            (File::Environment, _) => std::iter::once(0..line.chars().count()).collect(),
            (File::Config | File::Users | File::Tests, Some(secrets)) => {
                masks_of(line, span.start.line, secrets)
            }
            (File::Config | File::Users | File::Tests, None) => self.guess(index),
        };
        let start = span.start.column as usize - 1;
        let end = if span.end.line == span.start.line {
            span.end.column as usize - 1
        } else {
            usize::MAX
        };
        Some(Masked::new(line, &masks).mark(start..end))
    }

    /// In a file that could not be parsed, whatever may be a secret is masked: all of a line below a key that names
    /// one, and what follows the key of a line of its own.
    fn guess(&self, index: usize) -> Vec<Range<usize>> {
        let line = self.lines[index];
        let below = self.above(index).any(is_suspicious);
        if self.source.file != File::Users && !below && !is_suspicious(line) {
            return mask_comment(line);
        }
        let run = |from, of: fn(&char) -> bool| line.chars().skip(from).take_while(of).count();
        let indent = run(0, |c| matches!(c, ' ' | '-' | '\t'));
        let key = line.chars().position(|c| c == ':');
        let key = key.filter(|at| *at <= 64 && !below);
        let key = key.filter(|at| !looks_secret(line.chars().take(*at).collect::<String>().trim()));
        let from = key.map_or(indent, |at| at + 1);
        let blank = run(from, |c| c.is_whitespace());
        std::iter::once(from + blank..line.chars().count())
            .filter(|mask| !mask.is_empty())
            .collect()
    }

    /// The line before, and the ones of the blocks that the line lies in.
    fn above(&self, index: usize) -> impl Iterator<Item = &'a str> {
        let depth = |line: &str| line.len() - line.trim_start().len();
        let mut indent = depth(self.lines[index]);
        let filled = self.lines[..index]
            .iter()
            .rev()
            .filter(|line| !line.trim().is_empty());
        filled.enumerate().filter_map(move |(distance, line)| {
            let outer = depth(line) < indent;
            indent = indent.min(depth(line));
            (outer || distance == 0).then_some(*line)
        })
    }
}

fn is_suspicious(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    let mut keys = line.match_indices(':').map(|(at, _)| {
        let before = line[..at].trim_end_matches(['"', '\'']);
        let key = before.rsplit([' ', ',', '{', '"', '\'']).next();
        key.unwrap_or_default()
    });
    words.any(|word| names_secret(word) || names_token(word) || names_old_keys(word))
        || keys.any(|key| {
            // of a file that cannot be parsed: fields that hold credentials, whatever block they lie in
            matches!(key, "authorization" | "headers" | "request_headers")
                || may_name_secret(key) && !names_file(key) && !GATEWAY.declares(key)
        })
        || line
            .split_whitespace()
            .any(|word| names_file(word.trim_end_matches([':', '"', '\''])))
            && line
                .split([' ', '"', '\'', ',', '{', '}', '[', ']'])
                .any(may_be_secret)
        || line.split([' ', '"', '\'', ',']).any(looks_secret)
        || line
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('@'))
}

/// In order, and where spans touch or hold one another, made one.
fn disjoint<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.copied().collect();
    spans.sort();
    spans.dedup_by(|next, kept| {
        let overlaps = next.start <= kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    spans
}

/// The characters of one line that lie in a secret or in a comment.
fn masks_of(line: &str, number: u32, secrets: &[Span]) -> Vec<Range<usize>> {
    let characters: Vec<char> = line.chars().collect();
    let width = characters.len();
    let place = |position: Position| match position.line.cmp(&number) {
        Ordering::Less => 0,
        Ordering::Equal => width.min(position.column as usize - 1),
        Ordering::Greater => width,
    };
    let covered = |span: &Span| {
        let (start, end) = (place(span.start), place(span.end));
        // the parser counts the space before a closing bracket to the value
        let blank = characters[start..end.max(start)].iter().rev();
        start..end - blank.take_while(|c| c.is_whitespace()).count()
    };
    let first = secrets.partition_point(|span| span.end.line < number);
    let here = secrets[first..]
        .iter()
        .take_while(|span| span.start.line <= number);
    let mut masks: Vec<_> = here.map(covered).chain(mask_comment(line)).collect();
    masks.retain(|mask| !mask.is_empty());
    masks.sort_by_key(|mask| mask.start);
    masks
}

/// From a `#` that can start a comment to the end. Inside a quoted text it may be none; then too much is masked.
fn mask_comment(line: &str) -> Vec<Range<usize>> {
    let mut before = ' ';
    for (index, c) in line.chars().enumerate() {
        if c == '#' && before.is_whitespace() {
            return std::iter::once(index..line.chars().count()).collect();
        }
        before = c;
    }
    Vec::new()
}

/// A line with pieces replaced, which knows where each character went.
struct Masked {
    text: String,
    /// For each character of the line, and for its end, the byte in `text`.
    bytes: Vec<usize>,
}

impl Masked {
    /// `masks` come in order of their starts. A comment leaves nothing behind, anything else a word.
    fn new(line: &str, masks: &[Range<usize>]) -> Self {
        let mut masked = Self {
            text: String::new(),
            bytes: Vec::new(),
        };
        let mut masks = merge(masks).into_iter().peekable();
        let mut hole = 0;
        for (index, c) in line.chars().enumerate() {
            while masks.next_if(|mask| mask.end <= index).is_some() {}
            let mask = masks.peek().filter(|mask| mask.contains(&index));
            if mask.is_some_and(|mask| mask.start == index) {
                hole = masked.text.len();
                masked.text.push_str(if c == '#' { "" } else { REDACTED });
            }
            if mask.is_some() {
                masked.bytes.push(hole);
            } else {
                masked.bytes.push(masked.text.len());
                masked.text.push(c);
            }
        }
        masked.bytes.push(masked.text.len());
        masked
    }

    fn mark(mut self, characters: Range<usize>) -> Excerpt {
        let end = self.bytes.len() - 1;
        let start = self.bytes[characters.start.min(end)];
        let stop = self.bytes[characters.end.min(end)].max(start);
        self.text
            .truncate(self.text.trim_end().len().max(stop.min(self.text.len())));
        let start = start.min(self.text.len());
        // A caret needs something to stand under.
        let mut stop = stop.min(self.text.len());
        if stop <= start {
            stop = self.text[start..]
                .chars()
                .next()
                .map_or(start, |c| start + c.len_utf8());
        }
        Excerpt {
            text: self.text,
            marked: start..stop,
        }
    }
}

fn merge(masks: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(masks.len());
    for mask in masks {
        match merged.last_mut() {
            Some(last) if mask.start <= last.end => last.end = last.end.max(mask.end),
            Some(_) | None => merged.push(mask.clone()),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(line: &str, masks: &[Range<usize>], mark: Range<usize>) -> (String, String) {
        let excerpt = Masked::new(line, masks).mark(mark);
        let marked = excerpt.text[excerpt.marked.clone()].to_owned();
        (excerpt.text, marked)
    }

    #[test]
    fn secrets_are_replaced_and_the_caret_moves_along() {
        let line = "{ password: hünter2, rolse: [a] } # no";
        let masks = [12..19, 34..38];
        assert_eq!(
            masked(line, &masks, 21..26),
            (
                "{ password: [redacted], rolse: [a] }".to_owned(),
                "rolse".to_owned()
            )
        );
        assert_eq!(masked(line, &masks, 12..19).1, "[redacted]");
        assert_eq!(masked(line, &masks, 14..15).1, "[");
        assert_eq!(
            masked(line, &[0..12, 12..38], 2..10),
            ("[redacted]".to_owned(), "[".to_owned())
        );
        assert_eq!(masked("", &[], 0..0), (String::new(), String::new()));
        assert_eq!(masked("a", &[], 7..9), ("a".to_owned(), String::new()));
    }
}
