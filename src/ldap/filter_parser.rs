//! Reads the text of a filter (RFC 4515, section 3).

use super::filter::{
    Comparison, FilterError, FilterNode, FilterTemplate, Placeholder, ValuePiece, ValueTemplate,
};
use crate::text::hex;

/// How deep parts may lie in each other: the codec and directories have such bounds, too.
const DEEPEST: usize = 32;

/// The most characters of a filter.
const LONGEST: usize = 4096;

/// The characters of a filter that are still to be read.
struct FilterParser {
    characters: Vec<char>,
    at: usize,
}

impl FilterTemplate {
    /// Parses a filter such as `(&(objectClass=person)(uid={username}))`. Blanks may stand between its parts.
    ///
    /// # Errors
    /// [`FilterError`], with the place, for anything that is no filter, and for one that is nested too deeply or too long.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        FilterParser::parse(text).map(Self)
    }
}

impl FilterParser {
    fn parse(text: &str) -> Result<FilterNode, FilterError> {
        let mut parser = Self {
            characters: text.chars().collect(),
            at: 0,
        };
        if parser.characters.len() > LONGEST {
            let message = format!("the filter has more than {LONGEST} characters");
            return Err(error(LONGEST, 1, message, "write a shorter one"));
        }
        parser.skip_blanks();
        let filter = parser.filter(DEEPEST)?;
        parser.skip_blanks();
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.wrong(
                "the filter has ended before this",
                "put several parts into one, such as `(&(objectClass=person)(uid={username}))`",
            )),
        }
    }

    fn filter(&mut self, depth: usize) -> Result<FilterNode, FilterError> {
        if depth == 0 {
            let message = format!("parts of the filter lie more than {DEEPEST} deep");
            return Err(error(self.at, 1, message, "write a flatter one"));
        }
        if self.peek() != Some('(') {
            return Err(self.wrong(
                "a filter begins with `(`",
                "put parentheses around each part, such as `(uid={username})`",
            ));
        }
        let opened = self.at;
        self.at += 1;
        self.skip_blanks();
        let node = match self.peek() {
            Some('&') => FilterNode::And(self.list(depth)?),
            Some('|') => FilterNode::Or(self.list(depth)?),
            Some('!') => {
                self.at += 1;
                self.skip_blanks();
                let negated = self.filter(depth - 1)?;
                self.skip_blanks();
                FilterNode::Not(Box::new(negated))
            }
            Some(_) | None => self.item()?,
        };
        match self.peek() {
            Some(')') => {
                self.at += 1;
                Ok(node)
            }
            Some(_) => Err(self.wrong(
                "`)` is missing here",
                "end each part with `)`; write `\\28` and `\\29` for parentheses in a value",
            )),
            None => Err(error(
                opened,
                1,
                "this `(` is not closed".to_owned(),
                "end each part with `)`",
            )),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<FilterNode>, FilterError> {
        self.at += 1;
        let mut parts = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some('(') => parts.push(self.filter(depth - 1)?),
                Some(_) | None => return Ok(parts),
            }
        }
    }

    fn item(&mut self) -> Result<FilterNode, FilterError> {
        let attribute = self.attribute()?;
        let comparison = match self.peek() {
            Some(':') => return self.extensible(attribute),
            Some('=') => Comparison::Equal,
            Some('>') => Comparison::GreaterOrEqual,
            Some('<') => Comparison::LessOrEqual,
            Some('~') => Comparison::Approximate,
            Some(_) | None => return Err(self.no_comparison()),
        };
        let Some(attribute) = attribute else {
            return Err(self.no_comparison());
        };
        if comparison != Comparison::Equal {
            self.at += 1;
        }
        self.expect('=')?;
        if comparison == Comparison::Equal {
            return self.equality(attribute);
        }
        Ok(FilterNode::Compare(comparison, attribute, self.value()?))
    }

    /// After `=`: a value, a pattern with `*`, or `*` alone.
    fn equality(&mut self, attribute: String) -> Result<FilterNode, FilterError> {
        let mut values = vec![self.value()?];
        while self.peek() == Some('*') {
            self.at += 1;
            values.push(self.value()?);
        }
        let filled = |value: ValueTemplate| Some(value).filter(|value| !value.0.is_empty());
        let last = values.pop().unwrap_or_default();
        if values.is_empty() {
            return Ok(FilterNode::Compare(Comparison::Equal, attribute, last));
        }
        let initial = filled(values.remove(0));
        let (last, any) = (filled(last), values.into_iter().filter_map(filled));
        let any: Vec<_> = any.collect();
        Ok(match (&initial, &*any, &last) {
            (None, [], None) => FilterNode::Present(attribute),
            (_, _, _) => FilterNode::Substring {
                attribute,
                initial,
                any,
                last,
            },
        })
    }

    /// `attribute:dn:rule:=value`, of which one of attribute and rule must be there.
    fn extensible(&mut self, attribute: Option<String>) -> Result<FilterNode, FilterError> {
        let begun = self.at;
        self.expect(':')?;
        let mut with_dn = false;
        if self.characters[self.at..].starts_with(&['d', 'n', ':']) {
            with_dn = true;
            self.at += 3;
        }
        let rule = match self.peek() {
            Some('=') => None,
            Some(_) | None => {
                let rule = self.attribute()?;
                self.expect(':')?;
                rule
            }
        };
        self.expect('=')?;
        if attribute.is_none() && rule.is_none() {
            let message = "a match needs an attribute or a rule".to_owned();
            return Err(error(
                begun,
                1,
                message,
                "write it as `(member:1.2.840.113556.1.4.1941:={dn})`",
            ));
        }
        Ok(FilterNode::Extensible {
            attribute,
            rule,
            with_dn,
            value: self.value()?,
        })
    }

    /// The name or number of an attribute, with its options (RFC 4512, section 2.5); `None` where there is none.
    fn attribute(&mut self) -> Result<Option<String>, FilterError> {
        let begun = self.at;
        let belongs = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_');
        let length = self.characters[begun..].iter().take_while(|c| belongs(c));
        self.at += length.count();
        let name: String = self.characters[begun..self.at].iter().collect();
        if name.is_empty() {
            return Ok(None);
        }
        if is_attribute(&name) {
            return Ok(Some(name));
        }
        let message = format!("`{name}` is no attribute");
        let help = "write a name such as `uid`, or a number such as `2.5.4.3`";
        Err(error(begun, self.at - begun, message, help))
    }

    /// Up to `)` or `*`.
    fn value(&mut self) -> Result<ValueTemplate, FilterError> {
        let (mut pieces, mut bytes, begun) = (Vec::new(), Vec::new(), self.at);
        loop {
            match self.peek() {
                None | Some(')' | '*') => break,
                Some('\\') => bytes.push(self.escape()?),
                Some('{') => {
                    let placeholder = self.placeholder()?;
                    pieces.extend(self.text(&mut bytes, begun)?);
                    pieces.push(ValuePiece::Placeholder(placeholder));
                }
                Some(character @ ('(' | '\0' | '}')) => {
                    let escape = u32::from(character);
                    let message = format!("`{}` stands in a value", character.escape_default());
                    let help = format!("write `\\{escape:02x}` for it");
                    return Err(error(self.at, 1, message, help));
                }
                Some(character) => {
                    let mut encoded = [0; 4];
                    bytes.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
                    self.at += 1;
                }
            }
        }
        pieces.extend(self.text(&mut bytes, begun)?);
        Ok(ValueTemplate(pieces))
    }

    /// What was read of a value since the last placeholder.
    fn text(&self, bytes: &mut Vec<u8>, begun: usize) -> Result<Option<ValuePiece>, FilterError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match String::from_utf8(std::mem::take(bytes)) {
            Ok(text) => Ok(Some(ValuePiece::Text(text))),
            Err(_) => {
                let message = "the bytes of this value are no UTF-8".to_owned();
                let help = "compare an attribute that holds text";
                Err(error(begun, self.at - begun, message, help))
            }
        }
    }

    fn escape(&mut self) -> Result<u8, FilterError> {
        let digits: String = self.characters[self.at + 1..].iter().take(2).collect();
        match hex::decode::<1>(&digits) {
            Some([byte]) => {
                self.at += 3;
                Ok(byte)
            }
            None => Err(self.wrong(
                "`\\` stands before two hexadecimal digits",
                "write `\\5c` for a backslash, `\\2a` for `*`, `\\28` and `\\29` for parentheses",
            )),
        }
    }

    fn placeholder(&mut self) -> Result<Placeholder, FilterError> {
        let rest = &self.characters[self.at..];
        let end = rest.iter().position(|c| *c == '}');
        let name: Option<String> = end.map(|end| rest[1..end].iter().collect());
        let known = [Placeholder::Username, Placeholder::Dn];
        let found = known
            .into_iter()
            .find(|one| Some(one.name()) == name.as_deref());
        let length = end.map_or(1, |end| end + 1);
        match found {
            Some(placeholder) => {
                self.at += length;
                Ok(placeholder)
            }
            None => {
                let message = "this is no placeholder".to_owned();
                let help = "`{username}` and `{dn}` are; write `\\7b` and `\\7d` for braces";
                Err(error(self.at, length, message, help))
            }
        }
    }

    fn no_comparison(&self) -> FilterError {
        self.wrong(
            "an attribute and a comparison are expected here",
            "write a part as `(uid={username})`; `>=`, `<=` and `~=` compare as well",
        )
    }

    fn expect(&mut self, character: char) -> Result<(), FilterError> {
        if self.peek() == Some(character) {
            self.at += 1;
            return Ok(());
        }
        Err(self.no_comparison())
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn wrong(&self, message: &str, help: &str) -> FilterError {
        error(self.at, 1, message.to_owned(), help)
    }
}

/// Whether a text is the name or number of an attribute, perhaps with options (RFC 4512, section 2.5).
pub fn is_attribute(text: &str) -> bool {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default();
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let is_number = || {
        let digits = |arc: &str| !arc.is_empty() && arc.chars().all(|c| c.is_ascii_digit());
        name.contains('.') && name.split('.').all(digits)
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && is_word(name);
    (is_name || is_number()) && parts.all(is_word)
}

fn error(at: usize, length: usize, message: String, help: impl Into<String>) -> FilterError {
    FilterError {
        at,
        length: length.max(1),
        message,
        help: help.into(),
    }
}
