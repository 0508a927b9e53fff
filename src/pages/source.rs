//! What a template may be written with, beyond what minijinja accepts.
//!
//! It escapes text and quoted attributes, and only while nobody turns that off. So a value may be nowhere else, and
//! whatever turns it off, or hides text from this reader, is refused: filters, and all statements but a few.

use super::error::{Fault, TemplateError};
use super::markup::{HtmlContext, Markup};

/// Statements that are left: they choose, repeat and name, and their tags alternate with text as it is shown.
const STATEMENTS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "set"];

/// The structure of an accepted template.
#[derive(Debug)]
pub(super) struct TemplateSource {
    tags: Vec<Tag>,
    /// The contents of all `<style>` elements.
    pub(super) styles: Vec<String>,
}

/// `{{ … }}` or `{% … %}`.
#[derive(Debug)]
struct Tag {
    line: usize,
    /// Its words: names, numbers and keywords, those in quotes left out.
    words: Vec<String>,
}

impl TemplateSource {
    /// Reads a template whose lines end in `\n`.
    ///
    /// # Errors
    /// The first thing that is refused.
    pub(super) fn read(text: &str) -> Result<Self, TemplateError> {
        let mut reader = Reader {
            markup: Markup::new(),
            line: 1,
            trims: false,
            tags: Vec::new(),
            open: Vec::new(),
        };
        reader.read(text).map_err(|fault| TemplateError {
            line: reader.line,
            fault,
        })?;
        Ok(Self {
            tags: reader.tags,
            styles: reader.markup.into_styles(),
        })
    }

    /// The line where a name is first used; 0 where it is not.
    pub(super) fn line_of(&self, name: &str) -> usize {
        let named = |tag: &&Tag| tag.words.iter().any(|word| word == name);
        self.tags.iter().find(named).map_or(0, |tag| tag.line)
    }
}

struct Reader {
    markup: Markup,
    line: usize,
    /// Whether the tag before took the blanks behind it away.
    trims: bool,
    tags: Vec<Tag>,
    /// The statements that are open, from the outside.
    open: Vec<OpenStatement>,
}

/// An `if` or a `for`.
struct OpenStatement {
    name: String,
    /// Where in the markup it began.
    place: HtmlContext,
    /// Whether one of its branches has ended elsewhere among the names of a tag.
    moves: bool,
}

impl Reader {
    fn read(&mut self, text: &str) -> Result<(), Fault> {
        let mut rest = text;
        while let Some((before, opening, after)) = next_tag(rest) {
            self.follow(before, after.starts_with('-'))?;
            let (inner, after) = if opening == "{#" {
                after.split_once("#}").ok_or(Fault::Unclosed("{#"))?
            } else {
                let end = end_of_tag(after, opening).ok_or(Fault::Unclosed(opening))?;
                (&after[..end], &after[end + 2..])
            };
            match opening {
                "{{" => self.value(inner)?,
                "{%" => self.statement(inner)?,
                _ => {}
            }
            self.line += inner.matches('\n').count();
            self.trims = inner.ends_with('-');
            rest = after;
        }
        self.follow(rest, false)
    }

    /// Follows the text up to the next tag as it is shown: `{{-` and `-}}` take the blanks beside them away.
    fn follow(&mut self, text: &str, trims_end: bool) -> Result<(), Fault> {
        let whole = if self.trims { text.trim_start() } else { text };
        self.line += text[..text.len() - whole.len()].matches('\n').count();
        let shown = if trims_end { whole.trim_end() } else { whole };
        for character in shown.chars() {
            self.markup.take(character)?;
            self.line += usize::from(character == '\n');
        }
        self.line += whole[shown.len()..].matches('\n').count();
        Ok(())
    }

    fn value(&mut self, inner: &str) -> Result<(), Fault> {
        let inner = inner.trim();
        if inner.starts_with(['#', '^', '/']) {
            return Err(Fault::Section(inner.to_owned()));
        }
        self.markup.admits_value()?;
        self.take_words(inner)
    }

    fn statement(&mut self, inner: &str) -> Result<(), Fault> {
        let inner = inner.trim_start_matches(['-', '+']).trim_start();
        let name: String = inner.chars().take_while(|c| is_word(*c)).collect();
        if !STATEMENTS.contains(&&*name) {
            return Err(Fault::Statement(name));
        }
        // the policy names the digest of a style as it is written here
        if self.markup.place == HtmlContext::Style {
            return Err(Fault::InStyle);
        }
        self.take_words(inner)?;
        self.nest(name, inner)
    }

    /// With and without a branch, what follows must be in the same place of the markup.
    fn nest(&mut self, name: String, inner: &str) -> Result<(), Fault> {
        if !self.markup.admits_statement() {
            return Err(Fault::Torn(name));
        }
        let place = self.markup.place;
        match &*name {
            // its text would be shown elsewhere than it is read here
            "set" if !inner.contains('=') => return Err(Fault::Statement(name)),
            "if" | "for" => self.open.push(OpenStatement {
                name,
                place,
                moves: false,
            }),
            "elif" | "else" => self.end_branch(true)?,
            "endif" | "endfor" => self.end_branch(false)?,
            _ => {}
        }
        Ok(())
    }

    /// The next branch begins where the statement did.
    fn end_branch(&mut self, another: bool) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        let here = self.markup.place;
        // what is repeated is read from its own end
        let joined = (open.name == "if" || here == open.place) && self.markup.join(open.place);
        if !joined {
            return Err(Fault::Torn(open.name.clone()));
        }
        open.moves |= here != open.place;
        match (another, open.moves) {
            (true, _) => self.markup.place = open.place,
            (false, true) => self.markup.place = HtmlContext::AfterStatement,
            (false, false) => {}
        }
        if !another {
            self.open.pop();
        }
        Ok(())
    }

    fn take_words(&mut self, inner: &str) -> Result<(), Fault> {
        let bare = without_quoted(inner);
        if let Some((_, filter)) = bare.split_once('|') {
            let filter = filter.trim_start().chars().take_while(|c| is_word(*c));
            return Err(Fault::Filter(filter.collect()));
        }
        let words = bare.split(|c| !is_word(c)).filter(|word| !word.is_empty());
        self.tags.push(Tag {
            line: self.line,
            words: words.map(str::to_owned).collect(),
        });
        Ok(())
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What is before the next tag, how the tag opens, and what follows.
fn next_tag(text: &str) -> Option<(&str, &'static str, &str)> {
    let openings = ["{{", "{%", "{#"];
    let found = openings
        .iter()
        .filter_map(|opening| text.find(opening).map(|at| (at, *opening)));
    let (at, opening) = found.min()?;
    Some((&text[..at], opening, &text[at + 2..]))
}

/// Where a tag ends: behind whole texts in quotes and whole brackets, as minijinja reads it.
fn end_of_tag(text: &str, opening: &str) -> Option<usize> {
    let ending = if opening == "{{" { "}}" } else { "%}" };
    let mut depth = 0_usize;
    for (at, character) in bare_characters(text) {
        match character {
            _ if depth == 0 && text[at..].starts_with(ending) => return Some(at),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn without_quoted(text: &str) -> String {
    bare_characters(text)
        .map(|(_, character)| character)
        .collect()
}

/// The characters that are not in quotes. A quote itself is given as a blank.
fn bare_characters(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quote, mut escaped) = (None, false);
    text.char_indices().filter_map(move |(at, character)| {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if character == '\\' => escaped = true,
            Some(end) if character == end => quote = None,
            Some(_) => {}
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                return Some((at, ' '));
            }
            None => return Some((at, character)),
        }
        None
    })
}

#[cfg(test)]
mod tests;
