//! Where in a page a placeholder stands: only as much of HTML as it takes to know that an escaped value is safe there.

use super::error::Fault;

/// The HTML context of a placeholder, which decides how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HtmlContext {
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
    pub(super) place: HtmlContext,
    /// The tag that is open, `<` included.
    tag: String,
    style: String,
    styles: Vec<String>,
}

impl Markup {
    pub(super) fn new() -> Self {
        Self {
            place: HtmlContext::Text,
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
            HtmlContext::Text | HtmlContext::Quoted(_) => Ok(()),
            HtmlContext::Tag => Err(Fault::Unquoted),
            HtmlContext::Comment => Err(Fault::InComment),
            HtmlContext::Style => Err(Fault::InStyle),
        }
    }

    /// Takes one more character in.
    pub(super) fn take(&mut self, character: char) -> Result<(), Fault> {
        match self.place {
            HtmlContext::Text if character == '<' => self.open(),
            HtmlContext::Text => {}
            HtmlContext::Tag => return self.inside_tag(character),
            HtmlContext::Quoted(quote) if character == quote => self.place = HtmlContext::Tag,
            HtmlContext::Quoted(_) => {}
            HtmlContext::Comment => {
                self.tag.push(character);
                if self.tag.ends_with("-->") {
                    self.place = HtmlContext::Text;
                }
            }
            HtmlContext::Style => self.inside_style(character),
        }
        Ok(())
    }

    fn open(&mut self) {
        self.place = HtmlContext::Tag;
        self.tag.clear();
        self.tag.push('<');
    }

    fn inside_tag(&mut self, character: char) -> Result<(), Fault> {
        self.tag.push(character.to_ascii_lowercase());
        match character {
            '"' | '\'' => self.place = HtmlContext::Quoted(character),
            '-' if self.tag == "<!--" => self.place = HtmlContext::Comment,
            '>' if self.is("style") => self.place = HtmlContext::Style,
            '>' => self.place = HtmlContext::Text,
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
            self.place = HtmlContext::Text;
        }
    }

    /// Whether the open tag is of this name.
    fn is(&self, name: &str) -> bool {
        let rest = self.tag[1..].strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '\n', '\t', '/', '>', '\r']))
    }
}
