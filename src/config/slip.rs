//! Slips of the pen that make a text no YAML, told from what the scanner says and from the lines before.

/// What is wrong, where, and what to write instead.
pub(super) struct Slip {
    /// Line and column, from 1.
    pub(super) place: (usize, usize),
    pub(super) what: &'static str,
    pub(super) help: String,
}

/// What a blank that is no space is called: YAML takes it for a letter, and nobody sees it.
pub(super) const ANOTHER_BLANK: &str = "a no-break space or the like, where only blanks may stand";

pub(super) const BLANK_HELP: &str = "write spaces instead";

/// Whether a key begins with a blank that is no space.
pub(super) fn begins_with_another_blank(key: &str) -> bool {
    key.starts_with(|c: char| c.is_whitespace() && !c.is_ascii())
}

/// The slip that made the scanner stop at this place, where it is certain.
pub(super) fn slip(text: &str, line: usize, column: usize, info: &str) -> Option<Slip> {
    if info.contains("unprintable") {
        return Some(Slip {
            place: (line, column),
            what: "a control character, which no text holds",
            help: "take it out; where there are many, save the file as UTF-8".to_owned(),
        });
    }
    let lines: Vec<&str> = text.lines().take(line).collect();
    let flow = ["flow", "',' or", "inside a block", "placement of ':'"];
    let open = Open::before(&lines, column);
    if let Some(slip) = tab(&lines, info)
        && open.bracket.is_none()
    {
        return Some(slip);
    }
    if let Some(place) = open.quote.filter(|_| info.contains("quoted")) {
        return Some(unclosed_quote(place));
    }
    if let Some(place) = open.spanning.filter(|_| !info.contains("tab")) {
        return Some(unclosed_quote(place));
    }
    if let Some((bracket, place)) = open
        .bracket
        .filter(|_| flow.iter().any(|word| info.contains(word)))
    {
        let closing = if bracket == '[' { ']' } else { '}' };
        return Some(Slip {
            place,
            what: "the bracket that opens here is not closed",
            help: format!("write `{closing}` where it ends"),
        });
    }
    if open.bracket.is_none() && info.contains("mapping values") {
        let above = lines.iter().rposition(|line| is_filled(line))?;
        let before = lines[..above].iter().rposition(|line| is_filled(line));
        return [Some(above), before]
            .into_iter()
            .flatten()
            .find_map(|at| no_blank(lines[at], at + 1));
    }
    let block = info.contains("expected key") || info.contains("block collection");
    block.then(|| dedent(&lines)).flatten()
}

fn unclosed_quote(place: (usize, usize)) -> Slip {
    Slip {
        place,
        what: "the quote that opens here is not closed in this line",
        help: "close it; lines that a quoted value goes on in are indented further than its key"
            .to_owned(),
    }
}

/// Whether a line says anything.
fn is_filled(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

/// A tab or another blank that is no space in the indentation, or a tab behind a colon or a `-`, of the last line or the one before.
fn tab(lines: &[&str], info: &str) -> Option<Slip> {
    let is_separation = info.contains("whitespace") || info.contains("tab");
    let last = lines
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, line)| is_filled(line));
    last.take(2).find_map(|(at, line)| {
        let indent = line.len() - line.trim_start().len();
        let column = line[..indent].find(|c| c != ' ').or_else(|| {
            let behind = [":\t", "-\t"]
                .into_iter()
                .filter_map(|what| line.find(what));
            behind.min().filter(|_| is_separation).map(|at| at + 1)
        })?;
        Some(Slip {
            place: (at + 1, line[..column].chars().count() + 1),
            what: match line.as_bytes()[column] {
                b'\t' => "a tab, where only blanks may stand",
                _ => ANOTHER_BLANK,
            },
            help: BLANK_HELP.to_owned(),
        })
    })
}

/// `key:value` or `-value`, in a line of its own.
fn no_blank(line: &str, number: usize) -> Option<Slip> {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let content = line.trim_start_matches(' ');
    if let Some(rest) = content.strip_prefix('-')
        && rest.starts_with(|c: char| c.is_ascii_alphabetic() || "{[\"'/".contains(c))
    {
        return Some(Slip {
            place: (number, indent + 1),
            what: "a blank is missing behind the `-`",
            help: "write `- `, then the value".to_owned(),
        });
    }
    let key = content.trim_start_matches("- ").trim_start();
    let offset = content.len() - key.len();
    let end = key.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let is_address = key[end..].starts_with("://");
    let glued = end > 0
        && !is_address
        && key[end..].starts_with(':')
        && !key[end + 1..].starts_with([' ', '\t']);
    (glued && key.len() > end + 1).then(|| Slip {
        place: (number, indent + offset + end + 1),
        what: "a blank is missing behind the colon",
        help: "write the key, `: `, then the value".to_owned(),
    })
}

/// A line that is indented as none of those that it could go on with.
fn dedent(lines: &[&str]) -> Option<Slip> {
    let (last, above) = lines.split_last()?;
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut levels: Vec<usize> = Vec::new();
    for line in above.iter().rev().filter(|line| is_filled(line)) {
        let (own, content) = (indent(line), line.trim_start_matches(' '));
        let entry = content
            .strip_prefix("- ")
            .map(|rest| own + 2 + indent(rest));
        for level in entry.into_iter().chain([own]) {
            if levels.last().is_none_or(|last| level < *last) {
                levels.push(level);
            }
        }
    }
    let found = indent(last);
    if levels.contains(&found) || !levels.iter().any(|level| *level < found) {
        return None;
    }
    let levels: Vec<String> = levels.iter().map(usize::to_string).collect();
    Some(Slip {
        place: (lines.len(), found + 1),
        what: "this line is indented as none of those above that it could go on with",
        help: format!(
            "indent it as what it belongs to: by {}",
            levels.join(" or ")
        ),
    })
}

/// What is open at a place of a text.
#[derive(Default)]
struct Open {
    /// The innermost bracket, or one that was closed by another kind.
    bracket: Option<(char, (usize, usize))>,
    /// A quote.
    quote: Option<(usize, usize)>,
    /// The last quote inside of the open brackets that was closed in another line.
    spanning: Option<(usize, usize)>,
}

impl Open {
    /// Reads lines up to a column of the last one.
    fn before(lines: &[&str], column: usize) -> Self {
        let mut scan = Scan::default();
        let last = lines.len();
        for (at, line) in lines.iter().enumerate() {
            let end = if at + 1 == last { column } else { usize::MAX };
            scan.line(line, at + 1, end);
        }
        let quote = scan.quote.map(|(_, place)| place);
        // the scanner may stop at another one, which is too much
        let open = scan
            .open
            .iter()
            .rev()
            .find(|(_, place)| *place != (last, column));
        Self {
            bracket: scan.wrong.or(open.copied()),
            quote,
            spanning: scan.spanning.filter(|_| quote.is_none()),
        }
    }
}

#[derive(Default)]
struct Scan {
    open: Vec<(char, (usize, usize))>,
    wrong: Option<(char, (usize, usize))>,
    quote: Option<(char, (usize, usize))>,
    spanning: Option<(usize, usize)>,
}

impl Scan {
    fn line(&mut self, line: &str, number: usize, end: usize) {
        let (mut before, mut escaped, mut filled) = (' ', false, ':');
        for (at, c) in line.chars().enumerate().take(end) {
            let place = (number, at + 1);
            match self.quote {
                Some(('"', _)) if escaped || c == '\\' => escaped = !escaped && c == '\\',
                Some((quote, start)) if c == quote => {
                    self.quote = None;
                    if start.0 != number && !self.open.is_empty() {
                        self.spanning = Some(start);
                    }
                }
                Some(_) => {}
                None if c == '#' && before.is_whitespace() => return,
                // elsewhere they are part of a value
                None if begins(before) && "[{,:-".contains(filled) => self.begin(c, place),
                None => {}
            }
            if self.quote.is_none() {
                self.close(c);
            }
            before = c;
            if !c.is_whitespace() {
                filled = c;
            }
        }
    }

    fn begin(&mut self, c: char, place: (usize, usize)) {
        match c {
            '"' | '\'' => self.quote = Some((c, place)),
            '[' | '{' => self.open.push((c, place)),
            _ => {}
        }
    }

    fn close(&mut self, c: char) {
        let opening = match c {
            ']' => '[',
            '}' => '{',
            _ => return,
        };
        if let Some(open) = self.open.pop()
            && open.0 != opening
        {
            self.wrong = self.wrong.or(Some(open));
        }
        if self.open.is_empty() {
            self.spanning = None;
        }
    }
}

/// Whether a value may begin behind this character.
fn begins(before: char) -> bool {
    before.is_whitespace() || "[{,".contains(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_no_text_holds_is_named() {
        let text = "server: { workers: 1\0 }";
        let scanned = saphyr_parser::Parser::new_from_str(text).find_map(Result::err);
        let error = scanned.unwrap();
        let slip = slip(text, 1, 20, error.info()).unwrap();
        assert_eq!(slip.what, "a control character, which no text holds");
    }
}
