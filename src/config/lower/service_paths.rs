//! The paths of a service: where it lies, how they are read, and where it describes itself.

use super::rules;
use crate::access::{Mount, PathOptions, Pattern, RequestPath};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::value::is_plain_path;
use crate::config::yaml::Entry;

/// `path`: where the service lies.
pub(super) fn mount(
    entry: Option<Entry>,
    auth_path: &str,
    span: Span,
    reader: &mut Reader<'_>,
) -> Option<Mount> {
    let (text, span) = match entry {
        Some(entry) => (reader.text(&entry)?, entry.node.span),
        None => ("/".to_owned(), span),
    };
    let mount = match Mount::parse(&text) {
        Ok(mount) => mount,
        Err(error) => {
            reader.report(Finding::error(
                Code::InvalidPattern,
                span,
                error.to_string(),
            ));
            return None;
        }
    };
    let pattern = Pattern::parse(&text).ok();
    let elsewhere = |pattern| rules::reserved_elsewhere(pattern, &text, span);
    if let Some(finding) = pattern.as_ref().and_then(elsewhere) {
        reader.report(finding);
    }
    if pattern.is_some_and(|pattern| pattern.lies_under(auth_path)) {
        let message = format!(
            "`{}` lies under `auth.path`, where the gateway itself answers",
            shown(&text)
        );
        let finding = Finding::error(Code::ReservedPath, span, message);
        reader.report(finding.help(format!(
            "choose another path, or move `auth.path` away from `{auth_path}`"
        )));
    }
    Some(mount)
}

/// `paths`: which checks of paths are switched off.
pub(super) fn paths(section: &mut Section, service: Span, reader: &mut Reader<'_>) -> PathOptions {
    let paths = section
        .take("paths")
        .and_then(|entry| reader.section(entry, &blocks::PATHS));
    paths
        .map(|section| path_options(section, service, reader))
        .unwrap_or_default()
}

/// Every check that is switched off is worth a warning.
fn path_options(mut section: Section, service: Span, reader: &mut Reader<'_>) -> PathOptions {
    let mut options = PathOptions::default();
    for (key, field) in [
        ("allow_encoded_slash", &mut options.allow_encoded_slash),
        (
            "allow_encoded_reserved",
            &mut options.allow_encoded_reserved,
        ),
        ("allow_semicolon", &mut options.allow_semicolon),
        ("merge_slashes", &mut options.merge_slashes),
    ] {
        let Some(entry) = section.take(key) else {
            continue;
        };
        if let Some(true) = reader.boolean(&entry) {
            *field = true;
            reader.report(lint::loose_path(key, entry.key_span).about([service]));
        }
    }
    section.finish(reader);
    options
}

/// `openapi`: a path of the service, as clients ask for it.
pub(super) fn document(
    entry: Option<Entry>,
    mount: Option<&Mount>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let mut section = reader.section(entry?, &blocks::OPENAPI)?;
    let entry = section.require(reader, "path", "/openapi.json");
    section.finish(reader);
    let entry = entry?;
    let text = reader.text(&entry)?;
    if !is_plain_path(&text) {
        let help = "write a path such as `/openapi.json`: letters, digits, `-`, `.`, `_`, `~`";
        reader.invalid(&entry, "a plain absolute path", help.to_owned());
        return None;
    }
    let path = RequestPath::parse(&text, PathOptions::default()).ok()?;
    if let Some(mount) = mount.filter(|mount| !path.lies_under(mount)) {
        let mount = mount.source().trim_end_matches('/');
        let help = format!("write the path as clients ask for it: `{mount}{text}`");
        reader.invalid(&entry, "a path of this service", help);
        return None;
    }
    Some(text)
}
