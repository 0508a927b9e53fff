//! `auth.trusted_issuers`: whose tokens are accepted beside the gateway's own.

use super::keys::{Given, Half, Material, algorithm, checked, warn_of_guessable};
use super::{distinct, label};
use crate::access::Subjects;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::settings::{Issuer, KeySource, Token};
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};
use crate::net::{HttpUrl, HttpUrlError};
use crate::token::{Algorithm, KeySet, TrustSettings, VerifyingKey};

/// All of them; `None` where one is refused. Without the gateway's own settings the rest is checked all the same.
pub(super) fn issuers(
    entry: Entry,
    own: Option<&Token>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Issuer>> {
    let mut names: Vec<(String, Span)> = Vec::new();
    let items = reader.list(entry)?;
    let issuers: Vec<_> = items
        .into_iter()
        .map(|item| issuer(item, own, &mut names, reader))
        .collect();
    issuers.into_iter().collect()
}

fn issuer(
    item: Entry,
    own: Option<&Token>,
    names: &mut Vec<(String, Span)>,
    reader: &mut Reader<'_>,
) -> Option<Issuer> {
    let mut section = reader.section(item, &blocks::ISSUER)?;
    let span = section.span();
    let name = section.require(reader, "issuer", "https://idp.example.com/");
    let name = name.and_then(|entry| issuer_name(&entry, own, names, reader));
    let audience = section
        .require(reader, "audience", "[api]")
        .and_then(|entry| audience(entry, reader));
    let algorithms = section
        .require(reader, "algorithms", "[RS256]")
        .and_then(|entry| algorithms(entry, reader));
    let roles_claim = section
        .take("roles_claim")
        .map(|entry| label(&entry, reader));
    let users = section.take("users").map(|entry| reader.boolean(&entry));
    let jwks = section.take("jwks");
    // published keys have names of their own: beside `jwks` the key is unknown
    let kid = if jwks.is_some() {
        section.withhold("kid");
        None
    } else {
        section.take("kid").map(|entry| label(&entry, reader))
    };
    let material = Material::take(&mut section, Half::Public);
    section.finish(reader);
    let algorithms = algorithms?;
    let kid = kid.map_or(Some(None), |kid| kid.map(Some))?;
    let keys = match jwks {
        Some(entry) => published(&entry, &algorithms, &material, reader),
        None => fixed(&algorithms, kid.as_deref(), material, span, reader).map(KeySource::Fixed),
    };
    let settings = TrustSettings {
        issuer: name?,
        audience: audience?,
        algorithms,
        roles_claim: roles_claim.unwrap_or_else(|| Some("roles".to_owned()))?,
        subjects: if users.unwrap_or(Some(false))? {
            Subjects::Users
        } else {
            Subjects::Foreign
        },
        leeway: own?.leeway,
        max_lifetime: own?.max_lifetime,
    };
    Some(Issuer {
        settings,
        keys: keys?,
    })
}

/// Every issuer once, and none that is the gateway itself.
fn issuer_name(
    entry: &Entry,
    own: Option<&Token>,
    names: &mut Vec<(String, Span)>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let name = label(entry, reader)?;
    let span = entry.node.span;
    if own.is_some_and(|own| own.issuer == name) {
        let finding = Finding::error(
            Code::InvalidValue,
            span,
            format!("`{name}` is the gateway's own `issuer`"),
        );
        reader.report(finding.help("its old keys belong to `auth.token.previous`"));
        return None;
    }
    if let Some((_, first)) = names.iter().find(|(other, _)| *other == name) {
        let finding = Finding::error(
            Code::InvalidValue,
            span,
            format!("the issuer `{name}` is given twice"),
        );
        reader.report(
            finding
                .note(*first, "first given here")
                .help("take one of them away"),
        );
        return None;
    }
    names.push((name.clone(), span));
    Some(name)
}

/// One name, or a list of them.
fn audience(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    if !matches!(entry.node.value, Value::List(_)) {
        return label(&entry, reader).map(|name| vec![name]);
    }
    let why = "without an audience, tokens for every other service of the issuer would be accepted";
    let items = reader.filled_list(entry, why)?;
    distinct(&items, reader, label)
}

/// Shared secrets and key pairs do not mix: a token must not choose between them.
fn algorithms(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Algorithm>> {
    let span = entry.node.span;
    let items = reader.filled_list(
        entry,
        "write the algorithms that the issuer signs with, such as `[RS256]`",
    )?;
    let mut algorithms: Vec<Algorithm> = Vec::new();
    // the two names of Ed25519 are one algorithm, and one key
    for algorithm in distinct(&items, reader, algorithm)? {
        if !algorithms
            .iter()
            .any(|other| other.is_same_signature(algorithm))
        {
            algorithms.push(algorithm);
        }
    }
    let symmetric = algorithms
        .iter()
        .filter(|algorithm| algorithm.is_symmetric())
        .count();
    if symmetric != 0 && symmetric != algorithms.len() {
        let message = "algorithms with shared secrets and with key pairs for one issuer";
        let help = "write only those that the issuer signs with, such as `[RS256]`";
        reader.report(Finding::error(Code::InvalidValue, span, message).help(help));
        return None;
    }
    Some(algorithms)
}

/// `jwks`: a URL, or a file, which is watched like all others.
fn published(
    entry: &Entry,
    algorithms: &[Algorithm],
    material: &Material,
    reader: &mut Reader<'_>,
) -> Option<KeySource> {
    let span = entry.node.span;
    let mut refuse = |span: Span, message: String, help: &str| {
        reader.report(Finding::error(Code::TwoSpellings, span, message).help(help));
    };
    if let Some(other) = material.first() {
        refuse(
            other.key_span,
            format!("`{}` is given as well as `jwks`", other.key),
            "take one of them away",
        );
        return None;
    }
    if algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
        let message = "`jwks` holds public keys, and the algorithms here need a shared secret";
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(
            finding.help("write `secret_file`, or the algorithms that the issuer signs with"),
        );
        return None;
    }
    let text = reader.filled_text(entry)?;
    if text.contains("://") {
        return url(&text, entry, reader).map(KeySource::Url);
    }
    let (_, bytes) = reader.file(entry)?;
    fixed_keys(&bytes, algorithms, span, reader).map(KeySource::Fixed)
}

/// The keys of a file.
fn fixed_keys(
    bytes: &[u8],
    algorithms: &[Algorithm],
    span: Span,
    reader: &mut Reader<'_>,
) -> Option<KeySet> {
    match KeySet::from_jwks(bytes, algorithms) {
        Ok(keys) if keys.keys().is_empty() => {
            let finding = Finding::error(
                Code::InvalidKey,
                span,
                "the file holds no key for these algorithms",
            );
            let help = match keys.rejected().first() {
                Some(key) => key.to_string(),
                None => "write the algorithms of the keys in it".to_owned(),
            };
            reader.report(finding.help(help));
            None
        }
        Ok(keys) => {
            for key in keys.rejected() {
                let finding = Finding::warning(Code::BrokenKey, span, key.to_string());
                reader.report(finding.help("the other keys of the file are used"));
            }
            Some(keys)
        }
        Err(error) => {
            reader.report(Finding::error(
                Code::InvalidKey,
                span,
                format!("the file is {error}"),
            ));
            None
        }
    }
}

fn url(text: &str, entry: &Entry, reader: &mut Reader<'_>) -> Option<HttpUrl> {
    let span = entry.node.span;
    let url = match HttpUrl::parse(text) {
        Ok(url) => url,
        Err(error) => {
            let finding = Finding::error(
                Code::InvalidValue,
                span,
                "`jwks` expects a URL or the path of a file",
            );
            let help = match error {
                HttpUrlError::Malformed => {
                    "write a URL such as `https://idp.example.com/keys`, or the path of a file"
                }
                HttpUrlError::UserInfo => {
                    "published keys need no user name; write the URL without it"
                }
            };
            reader.report(finding.conceal(span).help(help));
            return None;
        }
    };
    if url.is_exposed() {
        let message = "keys that are fetched without TLS can be exchanged on the way";
        reader.report(
            Finding::warning(Code::ExposedKeys, span, message).help("write an `https://` URL"),
        );
    }
    Some(url)
}

/// One key, bound to each of the algorithms. Without `kid` nobody knows what the issuer calls it.
fn fixed(
    algorithms: &[Algorithm],
    kid: Option<&str>,
    material: Material,
    span: Span,
    reader: &mut Reader<'_>,
) -> Option<KeySet> {
    let first = *algorithms.first()?;
    let (place, text, secret) = match material.read(first, reader)? {
        Given::Secret(span, text) => {
            warn_of_guessable(span, text.as_bytes(), reader);
            (span, text, true)
        }
        Given::Key(span, text) => (span, text, false),
        Given::Nothing => {
            let finding =
                Finding::error(Code::MissingKey, span, "the keys of the issuer are missing");
            reader.report(
                finding.help("write `jwks: https://…`, `public_key_file: …` or `secret_file: …`"),
            );
            return None;
        }
    };
    let key = |algorithm: &Algorithm| match secret {
        true => VerifyingKey::from_secret(*algorithm, text.as_bytes(), kid),
        false => VerifyingKey::from_pem(*algorithm, &text, kid),
    };
    let keys = algorithms
        .iter()
        .map(|algorithm| checked(key(algorithm), place, reader));
    let keys = keys
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Option<Vec<_>>>()?;
    Some(if kid.is_some() {
        KeySet::new(keys)
    } else {
        KeySet::of_unknown_names(keys)
    })
}
