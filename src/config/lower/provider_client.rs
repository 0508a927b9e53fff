//! What the gateway is to a provider: `client_id`, and how it authenticates.

use super::keys::checked;
use super::label;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::yaml::Entry;
use crate::oidc::{ClientAuthentication, ClientSettings};
use crate::token::Key;

/// `client_id`, `client_secret`, `private_key`, their files and `kid`.
pub(super) fn client(section: &mut Section, reader: &mut Reader<'_>) -> Option<ClientSettings> {
    let id = section.require(reader, "client_id", "gatelatch");
    let id = id.and_then(|entry| label(&entry, reader));
    let secret = Spellings::take(section, "client_secret", "client_secret_file");
    let key = Spellings::take(section, "private_key", "private_key_file");
    let kid = section.take("kid");
    let authentication = match (secret.first(), key.first()) {
        (Some(secret), Some(key)) => {
            let message = format!("`{}` is given as well as `{}`", key.key, secret.key);
            let finding = Finding::error(Code::InvalidValue, key.key_span, message);
            let finding = finding.note(secret.key_span, "first given here");
            reader.report(
                finding.help("take one of them away: the gateway authenticates in one way"),
            );
            None
        }
        (Some(_), None) => {
            let secret = reader.secret(secret.inline, secret.file);
            secret.map(|(_, text)| ClientAuthentication::Secret(text.into()))
        }
        (None, Some(_)) => return private_key(id, key, kid, reader),
        (None, None) => Some(ClientAuthentication::Public),
    };
    if let Some(kid) = kid {
        let message = "`kid` is given, and no `private_key_file` that it names";
        let finding = Finding::error(Code::InvalidValue, kid.key_span, message);
        reader.report(finding.help("take it away, or name the key"));
        return None;
    }
    Some(ClientSettings {
        id: id?,
        authentication: authentication?,
    })
}

/// The two spellings of a secret.
struct Spellings {
    inline: Option<Entry>,
    file: Option<Entry>,
}

impl Spellings {
    fn take(section: &mut Section, inline: &'static str, file: &'static str) -> Self {
        Self {
            inline: section.take(inline),
            file: section.take(file),
        }
    }

    fn first(&self) -> Option<&Entry> {
        self.inline.as_ref().or(self.file.as_ref())
    }
}

fn private_key(
    id: Option<String>,
    key: Spellings,
    kid: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<ClientSettings> {
    let kid = match kid {
        Some(entry) => label(&entry, reader).map(Some),
        None => Some(None),
    };
    let (span, text) = reader.secret(key.inline, key.file)?;
    let kid = kid?;
    let key = checked(Key::from_any_pem(&text, kid.as_deref()), span, reader)?;
    Some(ClientSettings {
        id: id?,
        authentication: ClientAuthentication::PrivateKeyJwt(Box::new(key)),
    })
}
