//! `clients` and `resource_metadata` of `auth`.

use super::{distinct, label};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::users::RegisteredClient;
use crate::wire::{ResourceMetadata, is_issuer_url};

/// The least number of characters of a secret: it must be random, since no lockout protects it.
const SHORTEST: usize = 32;

/// The programs that may ask about any token; `None` where one of them is refused.
pub(super) fn clients(
    entry: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<Vec<RegisteredClient>> {
    let Some(entry) = entry else {
        return Some(Vec::new());
    };
    let mut ids: Vec<(String, Span)> = Vec::new();
    let items = reader.list(entry)?.into_iter();
    let clients: Vec<_> = items.map(|item| client(item, &mut ids, reader)).collect();
    clients.into_iter().collect()
}

fn client(
    item: Entry,
    ids: &mut Vec<(String, Span)>,
    reader: &mut Reader<'_>,
) -> Option<RegisteredClient> {
    let mut section = reader.section(item, &blocks::CLIENT)?;
    let id = section.require(reader, "id", "api");
    let id = id.and_then(|entry| own_id(&entry, ids, reader));
    let secret = Shown::take(&mut section, reader);
    section.finish(reader);
    secret?.client(&id?, reader)
}

fn own_id(entry: &Entry, ids: &mut Vec<(String, Span)>, reader: &mut Reader<'_>) -> Option<String> {
    let (id, span) = (label(entry, reader)?, entry.node.span);
    // it stands in front of the colon of HTTP Basic (RFC 7617, section 2)
    if id.contains(':') {
        let help = "take the colon away: it ends a client id in HTTP Basic".to_owned();
        reader.invalid(entry, "a client id", help);
        return None;
    }
    if let Some((_, first)) = ids.iter().find(|(other, _)| *other == id) {
        let message = format!("a second client of the id `{id}`");
        let finding = Finding::error(Code::InvalidValue, span, message);
        let finding = finding.note(*first, "first given here");
        reader.report(finding.help("give each client an id of its own"));
        return None;
    }
    ids.push((id.clone(), span));
    Some(id)
}

/// The secret of a client, as it is written.
enum Shown {
    Secret(Span, String),
    Hash(Entry),
}

impl Shown {
    fn take(section: &mut Section, reader: &mut Reader<'_>) -> Option<Self> {
        let [secret, file, hash] =
            ["secret", "secret_file", "secret_hash"].map(|key| section.take(key));
        match (secret.as_ref().or(file.as_ref()), hash) {
            (Some(secret), Some(hash)) => {
                let message = format!("`secret_hash` is given as well as `{}`", secret.key);
                let finding = Finding::error(Code::TwoSpellings, hash.key_span, message);
                let finding = finding.note(secret.key_span, "first given here");
                reader.report(finding.help("take one of them away"));
                None
            }
            (None, Some(hash)) => Some(Self::Hash(hash)),
            (Some(_), None) => {
                let (span, text) = reader.secret(secret, file)?;
                Some(Self::Secret(span, text))
            }
            (None, None) => {
                let message = "the client has no secret";
                let finding = Finding::error(Code::MissingKey, section.span(), message);
                reader.report(finding.help("write `secret_hash: \"sha256:…\"`"));
                None
            }
        }
    }

    fn client(self, id: &str, reader: &mut Reader<'_>) -> Option<RegisteredClient> {
        match self {
            Self::Secret(span, text) if text.len() < SHORTEST => {
                let message = format!("the secret has {} bytes, fewer than 32", text.len());
                let finding = Finding::error(Code::WeakSecret, span, message).conceal(span);
                reader.report(finding.help("make one with `openssl rand -base64 48`"));
                None
            }
            Self::Secret(_, text) => Some(RegisteredClient::with_secret(id, &text)),
            Self::Hash(entry) => {
                let text = reader.filled_text(&entry)?;
                let client = RegisteredClient::with_hash(id, &text);
                if client.is_none() {
                    let message = if is_of_password(&text) {
                        "`secret_hash` expects a hash of SHA-256: those of bcrypt and Argon2 are for passwords, and this secret is random"
                    } else {
                        "`secret_hash` expects `sha256:` and 64 hexadecimal digits"
                    };
                    let span = entry.node.span;
                    let finding = Finding::error(Code::InvalidHash, span, message).conceal(span);
                    let help = "make a secret with `openssl rand -base64 48`, and its hash with `printf %s \"$SECRET\" | sha256sum`";
                    reader.report(finding.help(help));
                }
                client
            }
        }
    }
}

/// Whether it is a hash as `users.yaml` has them. Each question of a client would take as long as a login.
fn is_of_password(text: &str) -> bool {
    text.starts_with("$2") || text.starts_with("$argon2")
}

/// The `resource_metadata` block, and where it stands.
pub(super) fn resource_metadata(
    entry: Entry,
    reader: &mut Reader<'_>,
) -> Option<(ResourceMetadata, Span)> {
    let span = entry.key_span;
    let mut section = reader.section(entry, &blocks::RESOURCE_METADATA)?;
    let servers = section
        .take("authorization_servers")
        .map(|entry| servers(entry, reader));
    let scopes = section.take("scopes").map(|entry| scopes(entry, reader));
    section.finish(reader);
    let metadata = ResourceMetadata {
        authorization_servers: servers.unwrap_or(Some(Vec::new()))?,
        scopes: scopes.unwrap_or(Some(Vec::new()))?,
    };
    Some((metadata, span))
}

fn servers(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let items = reader.list(entry)?;
    distinct(&items, reader, |item, reader| {
        let issuer = label(item, reader)?;
        if !is_issuer_url(&issuer) {
            let help = "write it as its metadata do, such as `https://idp.example.com`".to_owned();
            reader.invalid(item, "the URL of an issuer", help);
            return None;
        }
        Some(issuer)
    })
}

fn scopes(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let items = reader.list(entry)?;
    distinct(&items, reader, |item, reader| {
        let scope = label(item, reader)?;
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        if !scope.bytes().all(is_plain) {
            let help = "write each scope for itself, without blanks and quotes".to_owned();
            reader.invalid(item, "a scope", help);
            return None;
        }
        Some(scope)
    })
}

/// Warns where clients are sent to the gateway to have somebody sign in: it has no endpoint for that.
pub(super) fn warn_without_server(span: Span, reader: &mut Reader<'_>) {
    let message = "no authorization server is named, and the gateway itself has no authorization endpoint: MCP clients cannot have anybody sign in";
    let finding = Finding::warning(Code::NoAuthorizationServer, span, message);
    let help = "write `authorization_servers: [https://idp.example.com]`, and trust its tokens with `trusted_issuers`";
    reader.report(finding.help(help));
}
