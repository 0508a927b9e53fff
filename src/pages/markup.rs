//! Where in a page a placeholder stands: only as much of HTML as it takes to know that an escaped value is safe there.

use super::error::Fault;

/// A place in HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between tags.
    Text,
    /// Inside a tag, outside of quotes.
    Tag,
    /// Inside a quoted attribute.
    Quoted(char),
    /// Inside `<!-- -->`.
    Comment,
    /// Inside `<style>`.
    Style,
}

/// Follows the text of a template.
#[derive(Debug)]
pub(super) struct Markup {
    pub(super) place: Place,
    /// The tag that is open, `<` included.
    tag: String,
    style: String,
    styles: Vec<String>,
}

impl Markup {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Text,
            tag: String::new(),
            style: String::new(),
            styles: Vec::new(),
        }
    }

    /// The contents of all `<style>` elements.
    pub(super) fn into_styles(self) -> Vec<String> {
        self.styles
    }

    /// Whether a value may stand here.
    pub(super) fn admits_value(&self) -> Result<(), Fault> {
        match self.place {
            Place::Text | Place::Quoted(_) => Ok(()),
            Place::Tag => Err(Fault::Unquoted),
            Place::Comment => Err(Fault::InComment),
            Place::Style => Err(Fault::InStyle),
        }
    }

    /// Takes one more character in.
    pub(super) fn take(&mut self, character: char) -> Result<(), Fault> {
        match self.place {
            Place::Text if character == '<' => self.open(),
            Place::Text => {}
            Place::Tag => return self.inside_tag(character),
            Place::Quoted(quote) if character == quote => self.place = Place::Tag,
            Place::Quoted(_) => {}
            Place::Comment => {
                self.tag.push(character);
                if self.tag.ends_with("-->") {
                    self.place = Place::Text;
                }
            }
            Place::Style => self.inside_style(character),
        }
        Ok(())
    }

    fn open(&mut self) {
        self.place = Place::Tag;
        self.tag.clear();
        self.tag.push('<');
    }

    fn inside_tag(&mut self, character: char) -> Result<(), Fault> {
        self.tag.push(character.to_ascii_lowercase());
        match character {
            '"' | '\'' => self.place = Place::Quoted(character),
            '-' if self.tag == "<!--" => self.place = Place::Comment,
            '>' if self.is("style") => self.place = Place::Style,
            '>' => self.place = Place::Text,
            _ => {}
        }
        if self.is("script") {
            Err(Fault::Script)
        } else {
            Ok(())
        }
    }

    fn inside_style(&mut self, character: char) {
        self.style.push(character);
        const END: &str = "</style>";
        let length = self.style.len().saturating_sub(END.len());
        if self
            .style
            .get(length..)
            .is_some_and(|end| end.eq_ignore_ascii_case(END))
        {
            self.style.truncate(length);
            self.styles.push(std::mem::take(&mut self.style));
            self.place = Place::Text;
        }
    }

    /// Whether the open tag is of this name.
    fn is(&self, name: &str) -> bool {
        let rest = self.tag[1..].strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '\n', '\t', '/', '>', '\r']))
    }
}
