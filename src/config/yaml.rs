//! One pass over the YAML text into a tree that knows the place of every key and value.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::code::Code;
use super::finding::{Finding, Findings};
use super::shown::shown;
use super::slip::{ANOTHER_BLANK, BLANK_HELP, begins_with_another_blank};
use super::span::{File, Position, Span, narrow};
use super::syntax::syntax_error;

/// Deep enough for every claim, shallow enough for every stack.
const MAX_DEPTH: usize = 32;

/// The key that merges another map, in YAML 1.1.
const MERGE: &str = "<<";

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// A value as written; plain scalars are not resolved yet.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Without quotes: may be a number, a truth value or nothing.
    Plain(Box<str>),
    /// A string for certain.
    Quoted(Box<str>),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Already reported; whoever meets it stays silent.
    Broken,
}

/// A key of a map and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) key_span: Span,
    pub(super) node: Node,
}

/// A document that was read.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Node,
    /// Entries that were refused: nobody reads them, but they may hold secrets.
    pub(super) dropped: Vec<Entry>,
}

/// Takes the entries of one long map of the root as they are read, so that its tree is never whole.
pub(super) trait Harvest {
    /// The key of that map.
    const KEY: &'static str;

    /// Where an entry of this key was taken before.
    fn first(&self, key: &str) -> Option<Span>;

    /// Takes an entry whose key is new.
    fn take(&mut self, entry: Entry);
}

/// Takes nothing: the tree is whole.
struct Whole;

impl Harvest for Whole {
    const KEY: &'static str = "";

    fn first(&self, _: &str) -> Option<Span> {
        None
    }

    fn take(&mut self, _: Entry) {}
}

/// Reads one document. `None` where the text is not YAML; everything wrong is reported.
pub(super) fn read(text: &str, file: File, findings: &mut Findings) -> Option<Tree> {
    run(text, Builder::new(file, findings, &mut Whole))
}

/// Reads one document like [`read`], but for the entries of one map: they go to `harvest`, and the tree holds that map
/// empty. What was taken counts for nothing where this gives `None`.
pub(super) fn read_along(
    text: &str,
    file: File,
    harvest: &mut impl Harvest,
    findings: &mut Findings,
) -> Option<Tree> {
    run(text, Builder::new(file, findings, harvest))
}

fn run<H: Harvest>(text: &str, mut builder: Builder<'_, H>) -> Option<Tree> {
    let file = builder.file;
    for step in Parser::new_from_str(text) {
        let done = match step {
            Ok((event, span)) => builder.event(event, span_of(file, span)),
            Err(error) => Err(syntax_error(text, file, &error).into()),
        };
        if let Err(finding) = done {
            builder.findings.push(*finding);
            return None;
        }
    }
    let nothing = Node {
        span: Span::at(file, 1, 1),
        value: Value::Plain("".into()),
    };
    Some(Tree {
        root: builder.root.unwrap_or(nothing),
        dropped: builder.dropped,
    })
}

fn span_of(file: File, span: saphyr_parser::Span) -> Span {
    let position = |mark: saphyr_parser::Marker| Position {
        line: narrow(mark.line()),
        column: narrow(mark.col() + 1),
    };
    Span {
        file,
        start: position(span.start),
        end: position(span.end),
    }
}

/// A list or map that is not closed yet.
enum Frame {
    List {
        start: Span,
        items: Vec<Node>,
    },
    Map {
        start: Span,
        entries: Vec<Entry>,
        key: Option<(Box<str>, Span)>,
    },
    /// The map whose entries are taken.
    Long {
        start: Span,
        key: Option<(Box<str>, Span)>,
        refused: Vec<Finding>,
    },
}

struct Builder<'a, H> {
    file: File,
    findings: &'a mut Findings,
    harvest: &'a mut H,
    open: Vec<Frame>,
    root: Option<Node>,
    dropped: Vec<Entry>,
    documents: usize,
}

type Step = Result<(), Box<Finding>>;

impl<'a, H: Harvest> Builder<'a, H> {
    fn new(file: File, findings: &'a mut Findings, harvest: &'a mut H) -> Self {
        Self {
            file,
            findings,
            harvest,
            open: Vec::new(),
            root: None,
            dropped: Vec::new(),
            documents: 0,
        }
    }

    /// An `Err` ends the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(_) => self.document(span),
            Event::Alias(_) => {
                self.refuse(
                    span,
                    "aliases are not read",
                    "write the value out where it is used, or quote it if it starts with `*`",
                );
                self.add(Node {
                    span,
                    value: Value::Broken,
                })
            }
            Event::Scalar(text, style, anchor, tag) => {
                let broken = self.refuses(span, anchor, tag.is_some());
                let value = match style {
                    _ if broken => Value::Broken,
                    ScalarStyle::Plain => Value::Plain(text.into()),
                    ScalarStyle::SingleQuoted
                    | ScalarStyle::DoubleQuoted
                    | ScalarStyle::Literal
                    | ScalarStyle::Folded => Value::Quoted(text.into()),
                };
                self.add(Node { span, value })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuses(span, anchor, tag.is_some());
                self.push(
                    span,
                    Frame::List {
                        start: span,
                        items: Vec::new(),
                    },
                )
            }
            Event::MappingStart(anchor, tag) => {
                self.refuses(span, anchor, tag.is_some());
                let frame = match self.is_long() {
                    true => Frame::Long {
                        start: span,
                        key: None,
                        refused: Vec::new(),
                    },
                    false => Frame::Map {
                        start: span,
                        entries: Vec::new(),
                        key: None,
                    },
                };
                self.push(span, frame)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn document(&mut self, span: Span) -> Step {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let finding = Finding::error(
            Code::YamlFeature,
            span,
            "a second document in the same file",
        );
        Err(finding
            .help("take the `---` away, or put the document into a file of its own")
            .into())
    }

    /// Whether an anchor or a tag stands before the value.
    fn refuses(&mut self, span: Span, anchor: usize, tagged: bool) -> bool {
        if anchor != 0 {
            self.refuse(
                span,
                "anchors are not read",
                "write the value out, or quote it if it starts with `&`",
            );
        } else if tagged {
            self.refuse(
                span,
                "tags are not read",
                "quote the value if it starts with `!`, else take the tag away",
            );
        }
        anchor != 0 || tagged
    }

    fn refuse(&mut self, span: Span, message: &str, help: &str) {
        self.findings
            .push(Finding::error(Code::YamlFeature, span, message).help(help));
    }

    /// Whether the map that begins is the one whose entries are taken: the first of its key in the root.
    fn is_long(&self) -> bool {
        let [
            Frame::Map {
                entries,
                key: Some((key, _)),
                ..
            },
        ] = self.open.as_slice()
        else {
            return false;
        };
        !H::KEY.is_empty() && &**key == H::KEY && entries.iter().all(|entry| &*entry.key != H::KEY)
    }

    fn push(&mut self, span: Span, frame: Frame) -> Step {
        if matches!(
            self.open.last(),
            Some(Frame::Map { key: None, .. } | Frame::Long { key: None, .. })
        ) {
            return Err(complex_key(span).into());
        }
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            let help = "no key of the configuration is so deep: take the inner levels out";
            return Err(Finding::error(Code::TooDeep, span, message)
                .help(help)
                .into());
        }
        self.open.push(frame);
        Ok(())
    }

    fn close(&mut self, end: Span) -> Step {
        let (start, value) = match self.open.pop() {
            Some(Frame::List { start, items }) => (start, Value::List(items)),
            Some(Frame::Map { start, entries, .. }) => {
                (start, Value::Map(self.without_duplicates(entries)))
            }
            Some(Frame::Long { start, refused, .. }) => {
                self.findings.insert(self.findings.len(), refused);
                (start, Value::Map(Vec::new()))
            }
            None => return Ok(()),
        };
        // A block ends where the next one starts; only a flow collection has an end of its own, one bracket wide.
        let is_block = start.start != start.end;
        let mut bracket = end.start;
        bracket.column += 1;
        let end = if is_block { bracket } else { start.end };
        self.add(Node {
            span: Span { end, ..start },
            value,
        })
    }

    fn add(&mut self, node: Node) -> Step {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry {
                    key,
                    key_span,
                    node,
                }),
                None => *key = Some(as_key(node)?),
            },
            Some(Frame::Long { key, .. }) => match key.take() {
                Some((key, key_span)) => self.pass_on(Entry {
                    key,
                    key_span,
                    node,
                }),
                None => *key = Some(as_key(node)?),
            },
        }
        Ok(())
    }

    /// The first of equal keys is taken. What is wrong with the others is said when the map is complete, as of every
    /// other map.
    fn pass_on(&mut self, entry: Entry) {
        let said = self.findings.len();
        match self.harvest.first(&entry.key) {
            Some(first) => self.duplicate(entry, first),
            None if &*entry.key == MERGE => self.merge(entry),
            None => self.harvest.take(entry),
        }
        if let Some(Frame::Long { refused, .. }) = self.open.last_mut() {
            refused.extend(self.findings.split_off(said));
        }
    }

    /// The first of equal keys stays, so that what follows from it is checked as well.
    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
        let mut seen: HashMap<Box<str>, Span> = HashMap::new();
        // A hash table for a map of five keys costs more than it saves.
        let many = entries.len() > 16;
        for entry in entries {
            let first = match many {
                true => seen.get(&entry.key).copied(),
                false => kept
                    .iter()
                    .find(|other| other.key == entry.key)
                    .map(|other| other.key_span),
            };
            match first {
                Some(first) => self.duplicate(entry, first),
                None if &*entry.key == MERGE => self.merge(entry),
                None => {
                    if many {
                        seen.insert(entry.key.clone(), entry.key_span);
                    }
                    kept.push(entry);
                }
            }
        }
        kept
    }

    fn merge(&mut self, entry: Entry) {
        self.refuse(
            entry.key_span,
            "merge keys are not read",
            "write the keys out",
        );
        self.dropped.push(entry);
    }

    fn duplicate(&mut self, entry: Entry, first: Span) {
        let message = format!("the key `{}` is given twice", shown(&entry.key));
        let finding = Finding::error(Code::DuplicateKey, entry.key_span, message)
            .note(first, "first given here")
            .help("take one of them away");
        self.findings.push(finding);
        self.dropped.push(entry);
    }
}

fn as_key(node: Node) -> Result<(Box<str>, Span), Box<Finding>> {
    match node.value {
        Value::Plain(text) if begins_with_another_blank(&text) => {
            Err(Finding::error(Code::YamlSyntax, node.span, ANOTHER_BLANK)
                .help(BLANK_HELP)
                .into())
        }
        Value::Plain(text) | Value::Quoted(text) => Ok((text, node.span)),
        Value::List(_) | Value::Map(_) | Value::Broken => Err(complex_key(node.span).into()),
    }
}

fn complex_key(span: Span) -> Finding {
    Finding::error(Code::YamlFeature, span, "a key that is not a plain name")
        .help("write `name: value`; quote a value that starts with `?`, `[` or `{`")
}
