//! New values as YAML text.

use super::model::{Fresh, literal};
use crate::config::scalar::{Scalar, resolve};

/// A value on one line, fit for every place.
pub(super) fn inline(value: &Fresh) -> String {
    match value {
        Fresh::Text(text) => scalar(&literal(text)),
        Fresh::Reference(text) => scalar(text),
        Fresh::True => "true".to_owned(),
        Fresh::False => "false".to_owned(),
        Fresh::List(items) => format!(
            "[{}]",
            items.iter().map(inline).collect::<Vec<_>>().join(", ")
        ),
        Fresh::Map(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key}: {}", inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// An entry of a block, line by line, without the block's own indentation; `step` is one level of it.
pub(super) fn block(key: &str, value: &Fresh, step: usize) -> Vec<String> {
    let key = scalar(key);
    let indent = " ".repeat(step);
    match value {
        Fresh::Map(fields) => {
            let lines = fields
                .iter()
                .flat_map(|(key, value)| block(key, value, step));
            std::iter::once(format!("{key}:"))
                .chain(lines.map(|line| format!("{indent}{line}")))
                .collect()
        }
        Fresh::List(items) if items.iter().any(|item| matches!(item, Fresh::Map(_))) => {
            let lines = items
                .iter()
                .map(|item| format!("{indent}- {}", inline(item)));
            std::iter::once(format!("{key}:")).chain(lines).collect()
        }
        Fresh::Text(_) | Fresh::Reference(_) | Fresh::True | Fresh::False | Fresh::List(_) => {
            vec![format!("{key}: {}", inline(value))]
        }
    }
}

/// Without quotes where nobody could read it as something else, in a flow or in a block.
pub(super) fn scalar(text: &str) -> String {
    let word =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | '$' | '@' | '+' | '-' | '=');
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '$' | '_' | '/'));
    let plain = starts && text.chars().all(word) && resolve(text) == Scalar::Text;
    // YAML 1.1 readers take these for truth values
    let dubious = ["yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|other| text.eq_ignore_ascii_case(other));
    if plain && !dubious {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                quoted.push_str(&format!("\\U{:08X}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
