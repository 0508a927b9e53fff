//! One change, made in the text and in the tree.

use std::ops::Range;

use super::model::{self, Fresh, entry, find, find_entry, find_mut};
use super::render::{block, inline, scalar};
use crate::config::span::Position;
use crate::config::yaml::{Entry, Node, Value};

/// One change. A path names the map or list that is changed.
#[derive(Debug)]
pub(super) enum Patch {
    /// Further entries of a map, which may be empty.
    Insert {
        path: Vec<Box<str>>,
        entries: Vec<(Box<str>, Fresh)>,
    },
    /// A further item of a list.
    Append { path: Vec<Box<str>>, value: Fresh },
    /// Another value of an entry.
    Replace {
        path: Vec<Box<str>>,
        key: Box<str>,
        value: Fresh,
    },
    /// An entry less.
    Remove { path: Vec<Box<str>>, key: Box<str> },
}

impl Patch {
    /// The change in the tree; `None` where it does not fit.
    pub(super) fn apply(&self, root: &mut Node) -> Option<()> {
        match self {
            Self::Insert { path, entries } => {
                let node = find_mut(root, path)?;
                let new = entries
                    .iter()
                    .map(|(key, value)| entry(key, value.to_node()));
                match &mut node.value {
                    Value::Map(present) => present.extend(new),
                    Value::Plain(_) => node.value = Value::Map(new.collect()),
                    Value::Quoted(_) | Value::List(_) | Value::Broken => return None,
                }
            }
            Self::Append { path, value } => {
                let Value::List(items) = &mut find_mut(root, path)?.value else {
                    return None;
                };
                items.push(value.to_node());
            }
            Self::Replace { path, key, value } => {
                find_mut(root, path)
                    .and_then(|map| find_mut(map, std::slice::from_ref(key)))?
                    .value = value.to_node().value;
            }
            Self::Remove { path, key } => {
                let map = find_mut(root, path)?;
                let Value::Map(entries) = &mut map.value else {
                    return None;
                };
                entries.retain(|entry| entry.key != *key);
            }
        }
        Some(())
    }

    /// The change in the text; `None` where it is written in a way that this does not know.
    pub(super) fn write(&self, text: &str, root: &Node) -> Option<String> {
        let page = Page::new(text)?;
        let (range, new) = match self {
            Self::Insert { path, entries } => page.insert(owner(root, path)?, entries)?,
            Self::Append { path, value } => page.append(find(root, path)?, value)?,
            Self::Replace { path, key, value } => {
                page.replace(find_entry(find(root, path)?, key)?, value)?
            }
            Self::Remove { path, key } => page.remove(find(root, path)?, key)?,
        };
        Some([&text[..range.start], &new, &text[range.end..]].concat())
    }
}

/// The entry that holds the map which is changed.
fn owner<'n>(root: &'n Node, path: &[Box<str>]) -> Option<&'n Entry> {
    let (last, before) = path.split_last()?;
    find_entry(find(root, before)?, last)
}

/// What is put in place of which bytes.
type Splice = (Range<usize>, String);

/// The text with its lines.
struct Page<'t> {
    text: &'t str,
    starts: Vec<usize>,
    newline: &'static str,
}

impl<'t> Page<'t> {
    /// `None` where lines end in a way that editors disagree on.
    fn new(text: &'t str) -> Option<Self> {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let lone = text.replace("\r\n", "\n");
        let mixed = newline == "\r\n" && lone.matches('\n').count() != text.matches("\r\n").count();
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        (!lone.contains('\r') && !mixed).then_some(Self {
            text,
            starts,
            newline,
        })
    }

    fn offset(&self, position: Position) -> Option<usize> {
        let start = *self.starts.get(position.line.checked_sub(1)? as usize)?;
        let column = position.column.checked_sub(1)? as usize;
        let rest = &self.text[start..];
        let width = rest
            .char_indices()
            .map(|(at, _)| at)
            .chain([rest.len()])
            .nth(column)?;
        Some(start + width)
    }

    fn starts_with(&self, node: &Node, first: char) -> bool {
        self.offset(node.span.start)
            .is_some_and(|at| self.text[at..].starts_with(first))
    }

    fn is_flow(&self, node: &Node) -> bool {
        match node.value {
            Value::Map(_) => self.starts_with(node, '{'),
            Value::List(_) => self.starts_with(node, '['),
            Value::Plain(_) | Value::Quoted(_) | Value::Broken => false,
        }
    }

    /// Behind the last character of a value.
    fn end(&self, node: &Node) -> Option<usize> {
        match &node.value {
            Value::Map(entries) if !self.is_flow(node) => self.entry_end(entries.last()?),
            Value::List(items) if !self.is_flow(node) => self.end(items.last()?),
            // where the text of a literal block ends is a matter of white space
            Value::Quoted(_) if self.starts_with(node, '|') || self.starts_with(node, '>') => None,
            Value::Quoted(_) => self.quoted_end(self.offset(node.span.start)?),
            Value::Plain(_) | Value::Map(_) | Value::List(_) => self.offset(node.span.end),
            Value::Broken => None,
        }
    }

    /// Behind the quote that ends a text which begins here. The parser counts blanks, and a comment behind them, as part of it.
    fn quoted_end(&self, start: usize) -> Option<usize> {
        let quote = self.text[start..].chars().next()?;
        let mut rest = self.text[start..].char_indices().skip(1).peekable();
        while let Some((at, character)) = rest.next() {
            match character {
                '\\' if quote == '"' => drop(rest.next()),
                // two are one in the text
                '\'' if quote == '\'' && rest.next_if(|(_, next)| *next == '\'').is_some() => {}
                _ if character == quote => return Some(start + at + 1),
                _ => {}
            }
        }
        None
    }

    /// Behind the last character of an entry; that is its colon where nothing follows.
    fn entry_end(&self, entry: &Entry) -> Option<usize> {
        if is_empty(&entry.node) {
            self.colon(entry).map(|at| at + 1)
        } else {
            self.end(&entry.node)
        }
    }

    fn colon(&self, entry: &Entry) -> Option<usize> {
        let end = self.offset(entry.key_span.end)?;
        let rest = &self.text[end..];
        rest.trim_start_matches(' ')
            .starts_with(':')
            .then(|| end + rest.len() - rest.trim_start_matches(' ').len())
    }

    /// The start of the line behind the one that holds this place.
    fn next_line(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |length| at + length + 1)
    }

    /// The spaces before a place that nothing else stands before, in its line.
    fn indent(&self, at: usize) -> Option<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[start..at]
            .bytes()
            .all(|byte| byte == b' ')
            .then_some(at - start)
    }

    fn insert(&self, owner: &Entry, new: &[(Box<str>, Fresh)]) -> Option<Splice> {
        let lines = |step| {
            new.iter()
                .flat_map(|(key, value)| block(key, value, step))
                .collect::<Vec<_>>()
        };
        let node = &owner.node;
        if self.is_flow(node) {
            let Value::Map(entries) = &node.value else {
                return None;
            };
            let top = self.indent(self.offset(owner.key_span.start)?);
            return match (entries.last(), top) {
                // `users: {}` becomes a block: everything will be written there
                (None, Some(indent))
                    if new.iter().all(|(_, value)| matches!(value, Fresh::Map(_))) =>
                {
                    let start = self.colon(owner)? + 1;
                    let (newline, spaces) = (self.newline, " ".repeat(indent + 2));
                    let lines = lines(2)
                        .iter()
                        .map(|line| format!("{newline}{spaces}{line}"))
                        .collect();
                    Some((start..self.end(node)?, lines))
                }
                (last, _) => {
                    let new = new
                        .iter()
                        .map(|(key, value)| format!("{}: {}", scalar(key), inline(value)));
                    self.insert_inline(node, last, &new.collect::<Vec<_>>().join(", "))
                }
            };
        }
        let parent = self.offset(owner.key_span.start)?;
        let parent_indent = self.indent(parent)?;
        let (indent, step) = match &node.value {
            Value::Map(entries) => {
                let first = self.indent(self.offset(entries.first()?.key_span.start)?)?;
                (
                    first,
                    self.step(entries)
                        .unwrap_or(first.checked_sub(parent_indent)?),
                )
            }
            Value::Plain(_) => (parent_indent + 2, 2),
            Value::Quoted(_) | Value::List(_) | Value::Broken => return None,
        };
        Some(self.insert_lines(self.entry_end(owner)?, indent, &lines(step)))
    }

    /// How far the fields of the entries stand behind the entries themselves.
    fn step(&self, entries: &[Entry]) -> Option<usize> {
        entries.iter().find_map(|entry| {
            let Value::Map(fields) = &entry.node.value else {
                return None;
            };
            let inner = self.indent(self.offset(fields.first()?.key_span.start)?)?;
            inner
                .checked_sub(self.indent(self.offset(entry.key_span.start)?)?)
                .filter(|step| *step > 0)
        })
    }

    fn insert_lines(&self, after: usize, indent: usize, lines: &[String]) -> Splice {
        let at = self.next_line(after);
        let spaces = " ".repeat(indent);
        let mut new: String = lines
            .iter()
            .map(|line| format!("{spaces}{line}{}", self.newline))
            .collect();
        if at > 0 && !self.text[..at].ends_with('\n') {
            new.insert_str(0, self.newline);
        }
        (at..at, new)
    }

    fn insert_inline<'n>(
        &self,
        node: &Node,
        last: Option<impl Into<Last<'n>>>,
        new: &str,
    ) -> Option<Splice> {
        let at = match last.map(Into::into) {
            Some(Last::Entry(entry)) => self.entry_end(entry)?,
            Some(Last::Item(item)) => self.end(item)?,
            None => {
                let at = self.offset(node.span.start)? + 1;
                return Some((at..at, format!(" {new} ")));
            }
        };
        Some((at..at, format!(", {new}")))
    }

    fn append(&self, list: &Node, value: &Fresh) -> Option<Splice> {
        let Value::List(items) = &list.value else {
            return None;
        };
        if self.is_flow(list) {
            return self.insert_inline(list, items.last(), &inline(value));
        }
        let first = self.offset(items.first()?.span.start)?;
        let line = self.text[..first]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let before = &self.text[line..first];
        let dash = before
            .find('-')
            .filter(|at| before[..*at].bytes().all(|byte| byte == b' '))?;
        Some(self.insert_lines(
            self.end(items.last()?)?,
            dash,
            &[format!("- {}", inline(value))],
        ))
    }

    fn replace(&self, entry: &Entry, value: &Fresh) -> Option<Splice> {
        if is_empty(&entry.node) {
            let at = self.colon(entry)? + 1;
            return Some((at..at, format!(" {}", inline(value))));
        }
        let single = !matches!(entry.node.value, Value::Map(_) | Value::List(_));
        let (start, end) = (self.offset(entry.node.span.start)?, self.end(&entry.node)?);
        single.then(|| (start..end, inline(value)))
    }

    fn remove(&self, map: &Node, key: &str) -> Option<Splice> {
        let entry = find_entry(map, key)?;
        let (start, end) = (self.offset(entry.key_span.start)?, self.entry_end(entry)?);
        if !self.is_flow(map) {
            self.indent(start)?;
            let line = self.text[..start]
                .rfind('\n')
                .map_or(0, |newline| newline + 1);
            return Some((line..self.next_line(end), String::new()));
        }
        let behind = self.text[end..].trim_start();
        if let Some(rest) = behind.strip_prefix(',') {
            return Some((
                start..self.text.len() - rest.trim_start().len(),
                String::new(),
            ));
        }
        let before = self.text[..start].trim_end();
        let comma = before.strip_suffix(',').unwrap_or(before).len();
        Some((comma..end, String::new()))
    }
}

/// The last thing in a flow collection.
enum Last<'n> {
    Entry(&'n Entry),
    Item(&'n Node),
}

impl<'n> From<&'n Entry> for Last<'n> {
    fn from(entry: &'n Entry) -> Self {
        Self::Entry(entry)
    }
}

impl<'n> From<&'n Node> for Last<'n> {
    fn from(item: &'n Node) -> Self {
        Self::Item(item)
    }
}

/// Whether nothing at all is written.
fn is_empty(node: &Node) -> bool {
    model::is_nothing(node) && matches!(&node.value, Value::Plain(text) if text.is_empty())
}
