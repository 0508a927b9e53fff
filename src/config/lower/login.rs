//! `auth.login`: the sign-in page.

use super::label;
use crate::config::code::Code;
use crate::config::files::reason;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::yaml::Entry;
use crate::pages::{Look, PageKind};

/// The pages; `None` where nobody signs in with a browser.
pub(super) fn login(entry: Option<Entry>, reader: &mut Reader<'_>) -> Option<Look> {
    let section = entry.and_then(|entry| reader.section(entry));
    let Some(mut section) = section else { return Some(Look::builtin("Sign in")) };
    let page = section.take("page").and_then(|entry| reader.boolean(&entry)).unwrap_or(true);
    let title = section.take("title").and_then(|entry| label(&entry, reader));
    let mut look = Look::builtin(title.as_deref().unwrap_or("Sign in"));
    if let Some(entry) = section.take("templates") {
        templates(&entry, &mut look, reader);
    }
    section.refuse(reader, &["attempts", "window", "lockout"]);
    section.finish(reader);
    page.then_some(look)
}

/// Own pages from a folder, each in place of the built-in one.
fn templates(entry: &Entry, look: &mut Look, reader: &mut Reader<'_>) {
    let Some(folder) = reader.path(entry) else { return };
    let mut found = 0;
    for kind in PageKind::ALL {
        let path = folder.join(kind.file());
        let message = match reader.read_file(&path) {
            Ok(text) => {
                found += 1;
                let Err(error) = look.replace(kind, &text) else { continue };
                (Code::InvalidTemplate, format!("`{}` is no template: {error}", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => (Code::UnreadableFile, format!("cannot read `{}`: {}", path.display(), reason(&error))),
        };
        found += 1;
        reader.report(Finding::error(message.0, entry.node.span, message.1));
    }
    if found == 0 {
        let names = PageKind::ALL.map(|kind| format!("`{}`", kind.file())).join(", ");
        let message = format!("there is no page in `{}`", folder.display());
        let finding = Finding::error(Code::UnreadableFile, entry.node.span, message);
        reader.report(finding.help(format!("name a folder that holds at least one of {names}")));
    }
}
