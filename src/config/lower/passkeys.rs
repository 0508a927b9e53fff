//! `auth.passkeys`: keys of people, and the domain that they are bound to.

use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::session::StateSettings;
use crate::webauthn::{PasskeySettings, RpId, RpIdError};

/// The block, and where it stands; `None` where it is not there, or refused.
pub(super) fn passkeys(
    entry: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<(PasskeySettings, Span)> {
    let entry = entry?;
    let span = entry.key_span;
    let mut section = reader.section(entry, &blocks::PASSKEYS)?;
    let rp_id = section.take("rp_id").map(|entry| rp_id(&entry, reader));
    section.finish(reader);
    let rp_id = match rp_id {
        Some(read) => Some(read?),
        None => None,
    };
    Some((PasskeySettings { rp_id }, span))
}

fn rp_id(entry: &Entry, reader: &mut Reader<'_>) -> Option<RpId> {
    let text = reader.filled_text(entry)?;
    let help = match RpId::parse(&text) {
        Ok(id) => return Some(id),
        Err(RpIdError::NotADomain) if !text.is_ascii() => {
            "write it in ASCII (`xn--…`), as browsers show it to the site"
        }
        Err(RpIdError::NotADomain) if text.starts_with(['*', '.']) => {
            "write it without `*` and a leading dot, such as `example.com`: it covers all hosts below"
        }
        Err(RpIdError::NotADomain) => {
            "write it without a scheme, a port and a path, such as `example.com`"
        }
        Err(RpIdError::Address) => {
            "browsers have no keys for addresses; give the site a name, such as `login.example.com`"
        }
        Err(RpIdError::SingleLabel) => {
            "write a domain of your own, such as `example.com`: every site below this one could ask for the keys"
        }
    };
    reader.invalid(entry, "a domain name", help.to_owned());
    None
}

/// The state. Keys that nobody would have any more after a restart are refused.
pub(super) fn durable(
    passkeys: Option<Span>,
    state: Option<StateSettings>,
    reader: &mut Reader<'_>,
) -> StateSettings {
    let state = state.unwrap_or_default();
    if let Some(span) = passkeys.filter(|_| matches!(state, StateSettings::Memory)) {
        let message = "`passkeys` needs a `state` that outlives the process: keys are kept there";
        let finding = Finding::error(Code::InvalidValue, span, message.to_owned());
        reader.report(finding.help("write `state: file:/var/lib/gatelatch/state`, or a Redis"));
    }
    state
}
