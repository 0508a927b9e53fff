//! Where in a page a placeholder stands: the tokens of HTML, as far as it takes to know that an escaped value is safe there.
//!
//! The states are those of the WHATWG tokenizer. Where a browser may read a text in another way, as inside of `<svg>`,
//! the template is refused.

use super::error::Fault;

/// The HTML context of a placeholder, which decides how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HtmlContext {
    /// Between tags.
    Text,
    /// Behind `<` or `</`.
    TagOpen,
    /// Behind `<!`.
    Declaration,
    /// Inside `<!…>` or `<?…>`.
    BogusComment,
    /// Inside `<!-- -->`.
    Comment,
    TagName,
    BeforeAttributeName,
    AttributeName,
    AfterAttributeName,
    /// Behind a statement that may or may not have added to the tag: what comes next must be a name of its own.
    AfterStatement,
    BeforeValue,
    Unquoted,
    /// Inside a quoted attribute.
    Quoted(char),
    /// Inside `<title>` or `<textarea>`: text without tags.
    TextOnly,
    /// Inside `<style>`.
    Style,
}

/// Follows the text of a template.
#[derive(Debug)]
pub(super) struct Markup {
    pub(super) place: HtmlContext,
    /// Whether the open tag is an end tag.
    is_end: bool,
    /// The name of the open tag, or of the element around a text without tags; in lower case.
    name: String,
    /// The text of a comment or of an element without tags so far.
    text: String,
    styles: Vec<String>,
}

/// Elements in which browsers, or some of them, find no tags, and that are of no use on these pages.
const REFUSED: [&str; 7] = [
    "script",
    "noscript",
    "iframe",
    "xmp",
    "noembed",
    "noframes",
    "plaintext",
];

impl HtmlContext {
    /// Whether names of attributes may come next.
    fn is_among_names(self) -> bool {
        matches!(
            self,
            Self::BeforeAttributeName
                | Self::AttributeName
                | Self::AfterAttributeName
                | Self::AfterStatement
        )
    }
}

impl Markup {
    pub(super) fn new() -> Self {
        Self {
            place: HtmlContext::Text,
            is_end: false,
            name: String::new(),
            text: String::new(),
            styles: Vec::new(),
        }
    }

    /// The contents of all `<style>` elements.
    pub(super) fn into_styles(self) -> Vec<String> {
        self.styles
    }

    /// Whether a value may stand here.
    pub(super) fn admits_value(&self) -> Result<(), Fault> {
        use HtmlContext as At;
        match self.place {
            At::Text | At::Quoted(_) => Ok(()),
            At::TextOnly if !self.text.contains('<') => Ok(()),
            At::BogusComment | At::Comment | At::Declaration => Err(Fault::InComment),
            At::Style => Err(Fault::InStyle),
            At::TagOpen | At::TagName | At::BeforeAttributeName | At::AttributeName => {
                Err(Fault::Unquoted)
            }
            At::AfterAttributeName | At::AfterStatement | At::BeforeValue => Err(Fault::Unquoted),
            At::Unquoted | At::TextOnly => Err(Fault::Unquoted),
        }
    }

    /// A statement begins here: with or without what it adds, names stay whole. `false` where they cannot.
    pub(super) fn admits_statement(&mut self) -> bool {
        if self.place == HtmlContext::TagName {
            self.place = HtmlContext::AfterStatement;
        }
        !matches!(self.place, HtmlContext::TagOpen | HtmlContext::Declaration)
    }

    /// A branch ends that began at `before`; what follows is read from there, or from here. `false` where that differs.
    pub(super) fn join(&mut self, before: HtmlContext) -> bool {
        if self.place.is_among_names() && before.is_among_names() {
            if self.place != before {
                self.place = HtmlContext::AfterStatement;
            }
            return true;
        }
        self.place == before
    }

    /// Takes one more character in.
    pub(super) fn take(&mut self, character: char) -> Result<(), Fault> {
        use HtmlContext as At;
        let is_blank = matches!(character, '\t' | '\n' | '\x0c' | '\r' | ' ');
        self.place = match (self.place, character) {
            (At::Text, '<') => {
                (self.is_end, self.place) = (false, At::TagOpen);
                self.name.clear();
                At::TagOpen
            }
            (At::Text, _) => At::Text,
            (At::TagOpen, _) => self.behind_opening(character),
            (At::Declaration, _) => return self.in_declaration(character),
            (At::BogusComment, '>') => At::Text,
            (At::Comment, _) => self.in_comment(character),
            (At::Quoted(quote), _) if character == quote => At::BeforeAttributeName,
            (At::BeforeValue, '"' | '\'') => At::Quoted(character),
            (At::BeforeValue, _) if is_blank => At::BeforeValue,
            (At::TextOnly | At::Style, _) => return self.in_text(character, is_blank),
            (place @ (At::BogusComment | At::Quoted(_)), _) => place,
            (_, '>') => return self.close(),
            (At::Unquoted | At::BeforeValue, _) if !is_blank => At::Unquoted,
            (At::AttributeName | At::AfterAttributeName, '=') => At::BeforeValue,
            (At::AttributeName | At::AfterAttributeName, _) if is_blank => At::AfterAttributeName,
            (_, '/') => At::BeforeAttributeName,
            (_, _) if is_blank => At::BeforeAttributeName,
            (At::TagName, _) => {
                self.name.push(character.to_ascii_lowercase());
                At::TagName
            }
            (At::AfterStatement, _) => return Err(Fault::Torn("if".to_owned())),
            (_, _) => At::AttributeName,
        };
        Ok(())
    }

    fn behind_opening(&mut self, character: char) -> HtmlContext {
        match character {
            'a'..='z' | 'A'..='Z' => {
                self.name.push(character.to_ascii_lowercase());
                HtmlContext::TagName
            }
            '/' if !self.is_end => {
                self.is_end = true;
                HtmlContext::TagOpen
            }
            '>' if self.is_end => HtmlContext::Text,
            _ if self.is_end => HtmlContext::BogusComment,
            '!' => {
                self.text.clear();
                HtmlContext::Declaration
            }
            '?' => HtmlContext::BogusComment,
            '<' => HtmlContext::TagOpen,
            _ => HtmlContext::Text,
        }
    }

    fn in_declaration(&mut self, character: char) -> Result<(), Fault> {
        self.text.push(character);
        self.place = match &*self.text {
            // a text to browsers inside of `<svg>`, a comment elsewhere
            "[" => return Err(Fault::Element("![CDATA[".to_owned())),
            "-" => HtmlContext::Declaration,
            "--" => {
                self.text.clear();
                HtmlContext::Comment
            }
            _ if character == '>' => HtmlContext::Text,
            _ => HtmlContext::BogusComment,
        };
        Ok(())
    }

    fn in_comment(&mut self, character: char) -> HtmlContext {
        self.text.push(character);
        let ends = matches!(&*self.text, ">" | "->")
            || self.text.ends_with("-->")
            || self.text.ends_with("--!>");
        if ends {
            HtmlContext::Text
        } else {
            HtmlContext::Comment
        }
    }

    /// A tag is complete.
    fn close(&mut self) -> Result<(), Fault> {
        self.text.clear();
        self.place = match &*self.name {
            _ if self.is_end => HtmlContext::Text,
            name if REFUSED.contains(&name) => return Err(Fault::Element(name.to_owned())),
            "title" | "textarea" => HtmlContext::TextOnly,
            "style" => HtmlContext::Style,
            _ => HtmlContext::Text,
        };
        Ok(())
    }

    /// In an element without tags, until its own end tag.
    fn in_text(&mut self, character: char, is_blank: bool) -> Result<(), Fault> {
        // a tag that is longer than the element's own end tag is of no interest
        let from = self.text.len().saturating_sub(self.name.len() + 2);
        let opening = self.text.bytes().skip(from).rposition(|byte| byte == b'<');
        let tag = opening.map(|at| (from + at, &self.text[from + at + 1..]));
        let named = tag.and_then(|(at, tag)| Some((at, tag.strip_prefix('/')?)));
        if let Some((at, name)) = named
            && (is_blank || matches!(character, '/' | '>'))
            && name.eq_ignore_ascii_case(&self.name)
        {
            if self.place == HtmlContext::Style {
                self.styles.push(self.text[..at].to_owned());
            }
            self.is_end = true;
            self.place = HtmlContext::BeforeAttributeName;
            return self.take(character);
        }
        let begins_tag = |rest: &str| {
            rest.is_empty() && (character.is_ascii_alphabetic() || matches!(character, '!' | '?'))
        };
        let leaves_name = |name: &str| {
            let mut read = name.to_owned();
            read.push(character.to_ascii_lowercase());
            !self.name.starts_with(&read.to_ascii_lowercase())
        };
        // a tag to browsers inside of `<svg>`
        if tag.is_some_and(|(_, rest)| begins_tag(rest))
            || named.is_some_and(|(_, name)| name.len() <= self.name.len() && leaves_name(name))
        {
            return Err(Fault::TagInText(self.name.clone()));
        }
        self.text.push(character);
        Ok(())
    }
}
