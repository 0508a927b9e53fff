//! `state`: where sessions and failed logins are kept, and what is done while that is away at the start.

use std::path::Path;

use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::reader::Reader;
use crate::config::yaml::{Entry, Value};
use crate::session::StateSettings;

/// `state`, as a text or as a map with `url`, or `state_file` with the same text in a file of its own. `None` where
/// nothing is said, or it was refused.
pub(super) fn state(
    inline: Option<Entry>,
    file: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<StateSettings> {
    if file.is_some() {
        return store(inline, file, reader);
    }
    let entry = inline?;
    if !matches!(entry.node.value, Value::Map(_)) {
        return store(Some(entry), None, reader);
    }
    let mut section = reader.section(entry, &blocks::STATE)?;
    let (url, file) = (section.take("url"), section.take("url_file"));
    let store = if url.is_none() && file.is_none() {
        section.require(reader, "url", "redis://127.0.0.1:6379");
        None
    } else {
        store(url, file, reader)
    };
    let at_start = section.choice("at_start", blocks::AT_START, reader);
    section.finish(reader);
    Some(store?.at_start(at_start.unwrap_or_default()))
}

fn store(
    inline: Option<Entry>,
    file: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<StateSettings> {
    let (span, text) = reader.half_secret(inline, file)?;
    let folder = reader.path_of(span).parent();
    let folder = folder.unwrap_or(Path::new("")).to_owned();
    let help = match StateSettings::parse(text.trim(), &folder) {
        Ok(settings) => return Some(settings),
        Err(help) => help,
    };
    let message = "`state` expects `memory`, a file or a Redis";
    let finding = Finding::error(Code::InvalidValue, span, message);
    // a URL may hold a password, well formed or not; a single word does not
    reader.report(if text.contains(':') {
        finding.conceal(span).help(help)
    } else {
        finding.help(did_you_mean(&text, ["memory"]).unwrap_or(help))
    });
    None
}
