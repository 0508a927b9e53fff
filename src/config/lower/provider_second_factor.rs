//! `second_factor` of a provider: by which of its words a sign-in counts as one with a second factor.

use super::distinct;
use super::label;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::yaml::Entry;
use crate::oidc::ProviderSecondFactor;

/// Left out, the default: nothing that the provider says counts. `None` where it was refused.
pub(super) fn second_factor(
    section: &mut Section,
    reader: &mut Reader<'_>,
) -> Option<ProviderSecondFactor> {
    let Some(entry) = section.take("second_factor") else {
        return Some(ProviderSecondFactor::default());
    };
    let span = entry.node.span;
    let mut section = reader.section(entry, &blocks::PROVIDER_SECOND_FACTOR)?;
    let amr = section.take("amr").map(|entry| words(entry, reader));
    let acr = section.take("acr").map(|entry| words(entry, reader));
    // an unknown key is reported by itself: what it was meant to say is not missing too
    let unknown = !section.left().is_empty();
    section.finish(reader);
    let second_factor = ProviderSecondFactor {
        amr: amr.unwrap_or_else(|| Some(Vec::new()))?,
        acr: acr.unwrap_or_else(|| Some(Vec::new()))?,
    };
    if second_factor == ProviderSecondFactor::default() {
        if unknown {
            return None;
        }
        let finding = Finding::error(Code::EmptyValue, span, "`second_factor` is empty");
        reader.report(finding.help(
            "name what the provider says of more than one factor, such as `amr: [mfa]`, or take it away",
        ));
        return None;
    }
    Some(second_factor)
}

/// At least one text, each once. In a request they stand with spaces between them.
fn words(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Box<str>>> {
    let items = reader.filled_list(entry, "write at least one, such as `mfa`")?;
    distinct(&items, reader, |item, reader| {
        let text = label(item, reader)?;
        if text.contains(char::is_whitespace) {
            let help = "write each in an element of its own".to_owned();
            reader.invalid(item, "a value without blanks", help);
            return None;
        }
        Some(text.into())
    })
}
