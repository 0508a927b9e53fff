//! The fields of a record, and its format: one JSON object per line.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::access::ClientAddress;
use crate::telemetry::access_log::Stamp;

/// The most bytes of one text, so that no client makes a record long.
const LONGEST_TEXT: usize = 2048;

/// The outcome of a recorded event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Success,
    /// It was refused, or failed.
    Failure,
    /// It would have been refused, and was allowed because denials are only reported.
    Reported,
}

/// One record. Tokens, passwords and query strings are never put into one.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    time: SystemTime,
    fields: Map<String, Value>,
}

impl AuditRecord {
    /// A record of an event of this name, which happened then.
    pub fn new(time: SystemTime, event: &'static str, outcome: AuditOutcome) -> Self {
        let mut fields = Map::new();
        fields.insert("event".to_owned(), event.into());
        fields.insert("outcome".to_owned(), outcome.as_str().into());
        Self { time, fields }
    }

    /// Adds a text; a long one is cut off, with `…` at its end.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: &str) -> Self {
        self.fields.insert(name.to_owned(), cut(text).into());
        self
    }

    /// Adds a text where there is one.
    #[must_use]
    pub fn maybe(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Adds the client's address; `unknown` where it is.
    #[must_use]
    pub fn client(self, address: ClientAddress) -> Self {
        self.text("client_ip", &address.to_string())
    }

    /// Adds anything else.
    #[must_use]
    pub fn value(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Appends the line, its end included.
    pub(super) fn write(&self, sequence: u64, stamp: &mut Stamp, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"timestamp":""#);
        out.extend_from_slice(stamp.of(self.time));
        out.extend_from_slice(br#"","type":"audit","sequence":"#);
        out.extend_from_slice(itoa::Buffer::new().format(sequence).as_bytes());
        let fields = serde_json::to_vec(&self.fields).expect("a map of JSON values is JSON");
        out.push(b',');
        out.extend_from_slice(&fields[1..]);
        out.push(b'\n');
    }
}

impl AuditOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Reported => "reported",
        }
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let end = (0..=LONGEST_TEXT)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let record = AuditRecord::new(UNIX_EPOCH, "login", AuditOutcome::Failure)
            .text("user", "a\n\"b\"")
            .maybe("rule", None)
            .client(ClientAddress::Known("10.0.0.1".parse().unwrap()))
            .value("list", vec![1, 2]);
        let mut line = Vec::new();
        record.write(7, &mut Stamp::default(), &mut line);
        let expected = r#"{"timestamp":"1970-01-01T00:00:00.000Z","type":"audit","sequence":7,"event":"login","#
            .to_owned()
            + r#""outcome":"failure","user":"a\n\"b\"","client_ip":"10.0.0.1","list":[1,2]}"#
            + "\n";
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = cut(&"é".repeat(2000));
        assert_eq!(
            (cut.len(), cut.ends_with("é…")),
            (LONGEST_TEXT + "…".len(), true)
        );
    }
}
