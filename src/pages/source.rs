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
            self.follow(before)?;
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
            rest = after;
        }
        self.follow(rest)
    }

    fn follow(&mut self, text: &str) -> Result<(), Fault> {
        for character in text.chars() {
            self.markup.take(character)?;
            self.line += usize::from(character == '\n');
        }
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
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TemplateSource, String> {
        TemplateSource::read(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_keeps_escaping_on_is_accepted() {
        for text in [
            "",
            "a } } { b #} %}",
            "<i title=\"{{ a }}\" class='{{a}}'>{{- a -}}</i>",
            "<input{% if a %} autofocus{% endif %}>",
            "{% if a == \"|safe }} %}\" %}{{ a }}{% elif not b %}x{% else %}y{% endif %}",
            "{% for x in [a, {'k': {}}] %}{{ x }}{% endfor %}{% set y = a %}{{ y }}",
            "<input {% if a %}class=\"x\"{% elif b %}y{% else %}z{% endif %} autofocus>",
            "<p {% for x in [a] %}title=\"{{ x }}\" {% endfor %}>",
            "<!doctype html><title>{{ a }}</title><textarea>{{ a }}</textarea >{{ b }}",
            "<style>@media (width < 9px) {} a{}</style >{{ a }}<!-->{{ a }}<!-- x --!>{{ a }}",
            "<svg><title>{{ a }}</title></svg></p title=\"{{ a }}\">",
            "{# {{ a|safe }} <script> #}<!-- x --><style>a{}</style>",
        ] {
            assert_eq!(read(text).map(drop), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_turns_escaping_off_is_refused() {
        let safe = "`|safe` is refused: every value is escaped";
        let unescaped = "`{% autoescape %}` is refused: every value is escaped";
        for (text, expected) in [
            ("\n{{ a|safe }}", format!("line 2: {safe}")),
            ("{{a | safe}}", format!("line 1: {safe}")),
            ("{{ \"}}\" ~ a |safe }}", format!("line 1: {safe}")),
            ("{{ {'k': {}}.a|safe }}", format!("line 1: {safe}")),
            ("{{ 'it\\'s' |safe }}", format!("line 1: {safe}")),
            (
                "{% set x %}{{ a }}{% endset %}",
                "line 1: `{% set %}` takes a value, such as `{% set x = user %}`".into(),
            ),
            ("{% set x = a|safe %}", format!("line 1: {safe}")),
            ("{% if a\n\n|safe %}{% endif %}", format!("line 1: {safe}")),
            (
                "{{ a|upper }}",
                "line 1: `|upper` is refused: pages have no filters".into(),
            ),
            (
                "{% autoescape false %}{{ a }}{% endautoescape %}",
                format!("line 1: {unescaped}"),
            ),
            (
                "x\n{%- autoescape false -%}",
                format!("line 2: {unescaped}"),
            ),
            ("{%+autoescape none%}", format!("line 1: {unescaped}")),
        ] {
            assert_eq!(read(text).map(drop), Err(expected), "{text}");
        }
        for name in [
            "raw", "filter", "include", "macro", "call", "do", "with", "",
        ] {
            let expected = format!(
                "line 1: `{{% {name} %}}` is refused; known are `if`, `elif`, `else`, `for` and `set`"
            );
            let text = format!("{{% {name} %}}");
            assert_eq!(read(&text).map(drop), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_value_is_where_it_can_be_escaped() {
        const UNQUOTED: &str =
            "line 1: a placeholder in a tag needs quotes, such as `value=\"{{ user }}\"`";
        const TORN: &str = "line 1: `{% if %}` and its end are in different places of a tag; put them around whole tags or attributes";
        const STYLE: &str =
            "line 3: a placeholder has no place in a style: the page's policy names its digest";
        for (text, expected) in [
            ("a\n{{a", "line 2: `{{` is never closed"),
            ("a\n\n{% if a", "line 3: `{%` is never closed"),
            ("{# {{ a }}", "line 1: `{#` is never closed"),
            ("<p {{a}}>", UNQUOTED),
            ("<p x={{a}}>", UNQUOTED),
            ("<p x={% if a %}{{a}}{% endif %}>", UNQUOTED),
            ("<!-- <p>{{a} }} -->", "line 1: `{{` is never closed"),
            (
                "<!-- <p>{{a}} -->",
                "line 1: a placeholder has no place in a comment",
            ),
            ("<!-- <!-- a --> <p {{a}}>", UNQUOTED),
            ("<p\x0c{{a}}>", UNQUOTED),
            ("<p title=a\"{{a}}\">", UNQUOTED),
            ("<p title=a'{{a}}'>", UNQUOTED),
            ("<p title \"{{a}}\">", UNQUOTED),
            ("<p =\"{{a}}\">", UNQUOTED),
            ("<p title=\"x\"\"{{a}}\">", UNQUOTED),
            ("<p/title=/\"{{a}}\">", UNQUOTED),
            ("<{{a}}>", UNQUOTED),
            ("</{{a}}>", UNQUOTED),
            ("</p x={{a}}>", UNQUOTED),
            ("<title></titl{{a}}>", UNQUOTED),
            (
                "<!-- a {{a}}",
                "line 1: a placeholder has no place in a comment",
            ),
            (
                "<! {{a}}>",
                "line 1: a placeholder has no place in a comment",
            ),
            (
                "<?x {{a}}>",
                "line 1: a placeholder has no place in a comment",
            ),
            (
                "</ {{a}}>",
                "line 1: a placeholder has no place in a comment",
            ),
            ("<style>\n\n{{a}}</style>", STYLE),
            ("<style\x0c>\n\n{{a}}</style>", STYLE),
            (
                "<style>\n\n</styles {{a}}",
                "line 3: what looks like a tag in `<style>` is none; write `< ` or `&lt;`",
            ),
            (
                "<svg><style><i title=\"</style>",
                "line 1: what looks like a tag in `<style>` is none; write `< ` or `&lt;`",
            ),
            (
                "<title><p \"</title><b title={{a}}>",
                "line 1: what looks like a tag in `<title>` is none; write `< ` or `&lt;`",
            ),
            (
                "<textarea><!--</textarea>",
                "line 1: what looks like a tag in `<textarea>` is none; write `< ` or `&lt;`",
            ),
            (
                "<svg><![CDATA[><i a=\"]]><b {{a}}\">",
                "line 1: `<![CDATA[` has no place on this page; take it away",
            ),
            (
                "<noscript><p title=\"</noscript>",
                "line 1: `<noscript` has no place on this page; take it away",
            ),
            (
                "<xmp>",
                "line 1: `<xmp` has no place on this page; take it away",
            ),
            (
                "<script\x0c>",
                "line 1: scripts do not run on this page; take it away",
            ),
            (
                "<script/x>",
                "line 1: scripts do not run on this page; take it away",
            ),
            ("<scr{% if a %}ipt{% endif %}>", TORN),
            ("<{% if a %}p{% endif %}>", TORN),
            ("<p {% if a %}title{% endif %}=\"{{a}}\">", TORN),
            ("<p title={% if a %}\"{% endif %}{{a}}\">", TORN),
            ("<p title{% if a %}={% endif %}\"{{a}}\">", TORN),
            ("<style>\n\n{% if a %}</style>", STYLE),
            ("<style>\n\n{% if a %}b{}{% endif %}</style>", STYLE),
            (
                "<SCRIPT src=x>",
                "line 1: scripts do not run on this page; take it away",
            ),
            (
                "<p title=\"{% if a %}\">{% endif %}",
                "line 1: `{% if %}` and its end are in different places of a tag; put them around whole tags or attributes",
            ),
            (
                "<p {% for x in a %}t=\"{% else %}\"{% endfor %}",
                "line 1: `{% for %}` and its end are in different places of a tag; put them around whole tags or attributes",
            ),
            (
                "{{#a}}x{{/a}}",
                "line 1: `{{#a}}` is no placeholder; write `{% if name %}…{% endif %}` or `{% if not name %}…{% endif %}`",
            ),
        ] {
            assert_eq!(read(text).map(drop), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_lines_of_names_and_the_styles_are_known() {
        let source = read("{% if b %}\n{{ 'c' ~ a }}{% endif %}<style>p{}</STYLE>").unwrap();
        assert_eq!((source.line_of("a"), source.line_of("b")), (2, 1));
        assert_eq!(source.line_of("c"), 0);
        assert_eq!(source.styles, ["p{}"]);
    }
}
