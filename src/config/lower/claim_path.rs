//! Paths of claims: `roles_claim`, `subject` and the claim of an audience.

use super::label;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::yaml::Entry;
use crate::token::ClaimPath;

/// A path of claims, with a warning where its dots may belong to a name.
pub(super) fn claim_path(entry: &Entry, reader: &mut Reader<'_>) -> Option<ClaimPath> {
    let text = label(entry, reader)?;
    let path = match ClaimPath::parse(&text) {
        Ok(path) => path,
        Err(error) => {
            let help = format!(
                "{error}; write names with dots between them, such as `realm_access.roles`, and a name that holds dots in quotes"
            );
            reader.invalid(entry, "a claim or a path of claims", help);
            return None;
        }
    };
    if let Some(other) = path.alternative() {
        warn_of_dots(entry, &other, reader);
    }
    Some(path)
}

/// `other` is the path that may be meant as well.
fn warn_of_dots(entry: &Entry, other: &str, reader: &mut Reader<'_>) {
    let message = format!(
        "each dot of `{}` leads into another map of the token, and dots may be part of a name",
        entry.key
    );
    let help = format!(
        "put the name that holds dots in quotes, such as `{other}`; quotes around any name say that no other holds dots"
    );
    let finding = Finding::warning(Code::AmbiguousClaim, entry.node.span, message);
    reader.report(finding.help(help));
}
