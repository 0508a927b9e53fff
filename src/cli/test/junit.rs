//! The report as JUnit XML, which every CI reads.

use std::fmt::Write as _;

use crate::config::{Rehearsal, TestResult};

/// One suite, named after the file of the tests.
pub(super) fn report(suite: &str, rehearsal: &Rehearsal) -> String {
    let report = &rehearsal.report;
    let counts = format!(
        "name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" time=\"0\"",
        escape(suite),
        report.results.len(),
        report.failed()
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // a string takes everything
    let _ = writeln!(xml, "<testsuites {counts}>\n  <testsuite {counts}>");
    for result in &report.results {
        xml.push_str(&case(result, rehearsal));
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(result: &TestResult, rehearsal: &Rehearsal) -> String {
    let services = &rehearsal.loaded.config.services;
    let class = result
        .rule
        .map_or("gatelatch", |(service, _)| services[service].name.as_str());
    let attributes = format!(
        "name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"0\"",
        escape(&result.name),
        escape(class),
        escape(&result.origin.file.to_string_lossy()),
        result.origin.line
    );
    match &result.failure {
        None => format!("    <testcase {attributes}/>\n"),
        Some(failure) => {
            let message = escape(failure);
            format!(
                "    <testcase {attributes}>\n      <failure message=\"{message}\">{message}</failure>\n    </testcase>\n"
            )
        }
    }
}

/// Text as it may stand in an attribute or an element (XML 1.0, section 2.2).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped() {
        assert_eq!(
            escape("a<b> & \"c\" 'd'\n\u{1}ü"),
            "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;&#10;\u{fffd}ü"
        );
    }
}
