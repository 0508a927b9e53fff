//! `state`: where sessions and failed logins are kept.

use std::path::Path;

use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::reader::Reader;
use crate::config::yaml::Entry;
use crate::session::StateSettings;

/// `state`, or `state_file` with the same text in a file of its own. `None` where nothing is said, or it was refused.
pub(super) fn state(
    inline: Option<Entry>,
    file: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<StateSettings> {
    let (span, text) = reader.half_secret(inline, file)?;
    let folder = reader
        .path_of(span)
        .parent()
        .unwrap_or(Path::new(""))
        .to_owned();
    let help = match StateSettings::parse(text.trim(), &folder) {
        Ok(settings) => return Some(settings),
        Err(help) => help,
    };
    let finding = Finding::error(
        Code::InvalidValue,
        span,
        "`state` expects `memory`, a file or a Redis",
    );
    // a URL may hold a password, well formed or not; a single word does not
    reader.report(if text.contains(':') {
        finding.conceal(span).help(help)
    } else {
        finding.help(did_you_mean(&text, ["memory"]).unwrap_or(help))
    });
    None
}
