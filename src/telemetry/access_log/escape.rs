//! Text that cannot break out of its place in a line.
//!
//! Everything beyond visible ASCII is escaped, not the control bytes alone: C1 controls and marks that turn the
//! direction of writing are able to disguise a line on a terminal.

use crate::text::hex;

/// Appends a JSON string, quotes included.
pub(in crate::telemetry) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if holds(text, Needs::Escape) {
        escape(out, text);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// Appends a text as it is where it is one plain word, as a JSON string otherwise.
pub(in crate::telemetry) fn word(out: &mut Vec<u8>, text: &str) {
    if text.is_empty() || holds(text, Needs::Quotes) {
        quoted(out, text);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// What a byte needs where it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    /// It ends a word.
    Quotes,
    Escape,
}

/// Of every byte: a look into a table costs less than half a dozen comparisons, for texts as short as those of a line.
const NEEDS: [Needs; 256] = {
    let mut needs = [Needs::Escape; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        needs[byte as usize] = match byte {
            b'"' | b'\\' => Needs::Escape,
            b' ' | b'=' => Needs::Quotes,
            _ => Needs::Nothing,
        };
        byte += 1;
    }
    needs
};

fn holds(text: &str, least: Needs) -> bool {
    text.bytes().any(|byte| NEEDS[usize::from(byte)] >= least)
}

#[cold]
fn escape(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            ' '..='~' => out.push(character as u8),
            _ => character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| escape_unit(out, *unit)),
        }
    }
}

fn escape_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    out.extend(unit.to_be_bytes().map(hex::lower).as_flattened());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(write: impl Fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_are_quoted_where_needed() {
        for (text, expected) in [
            ("/jobs/1?%20", "/jobs/1?%20"),
            ("", r#""""#),
            ("GET /jobs", r#""GET /jobs""#),
            ("a=b", r#""a=b""#),
            ("say \"hi\"", r#""say \"hi\"""#),
            ("a\r\nb\\\t\0", r#""a\r\nb\\\t\u0000""#),
            ("é\u{9b}\u{202e}😀", r#""\u00e9\u009b\u202e\ud83d\ude00""#),
        ] {
            assert_eq!(text_of(word, text), expected);
        }
    }

    proptest! {
        #[test]
        fn a_quoted_text_is_visible_ascii_and_reads_back(text in any::<String>()) {
            let written = text_of(quoted, &text);
            prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
