//! What a plain scalar means: the core schema of YAML 1.2, in which `no`, `off` and `1:30` are strings.

use serde_yaml::Value;

/// A resolved scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Nothing,
    Boolean(bool),
    Integer(i128),
    Real(f64),
    Text,
}

/// Resolves a scalar that stands without quotes.
pub(super) fn resolve(text: &str) -> Scalar {
    if text.is_empty() {
        return Scalar::Nothing;
    }
    if !may_be_special(text) {
        return Scalar::Text;
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Null) => Scalar::Nothing,
        Ok(Value::Bool(value)) => Scalar::Boolean(value),
        Ok(Value::Number(number)) => number_of(&number),
        // Numbers beyond 64 bits are errors there; to us they are texts, which no number field takes.
        Ok(Value::String(_) | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_))
        | Err(_) => Scalar::Text,
    }
}

/// Most scalars are words, which need no parser. Inner spaces keep document markers away from it.
fn may_be_special(text: &str) -> bool {
    let first = text.as_bytes()[0];
    let starts = first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.' | b'~');
    let word = matches!(
        text,
        "null" | "Null" | "NULL" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE"
    );
    word || (starts && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn number_of(number: &serde_yaml::Number) -> Scalar {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), _, _) => Scalar::Integer(value.into()),
        (None, Some(value), _) => Scalar::Integer(value.into()),
        (None, None, Some(value)) => Scalar::Real(value),
        (None, None, None) => Scalar::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_of_yaml_1_2() {
        for (text, expected) in [
            ("", Scalar::Nothing),
            ("~", Scalar::Nothing),
            ("null", Scalar::Nothing),
            ("true", Scalar::Boolean(true)),
            ("FALSE", Scalar::Boolean(false)),
            ("no", Scalar::Text),
            ("off", Scalar::Text),
            ("yes", Scalar::Text),
            ("12", Scalar::Integer(12)),
            ("-3", Scalar::Integer(-3)),
            ("0x1F", Scalar::Integer(31)),
            (
                "18446744073709551615",
                Scalar::Integer(18_446_744_073_709_551_615),
            ),
            ("99999999999999999999", Scalar::Text),
            ("017", Scalar::Text),
            ("12:30", Scalar::Text),
            ("1.5", Scalar::Real(1.5)),
            ("10s", Scalar::Text),
            ("127.0.0.1", Scalar::Text),
            ("--- 5", Scalar::Text),
            ("2026-01-01T00:00:00Z", Scalar::Text),
            ("nulls", Scalar::Text),
        ] {
            assert_eq!(resolve(text), expected, "{text:?}");
        }
    }
}
