//! The keys of an issuer in `auth.trusted_issuers`: published, in a file, or written down.

use std::sync::Arc;

use super::keys::{Given, Half, Material, checked, warn_of_guessable};
use super::label;
use super::upstream::authorities;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::KeySource;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::jwks::{KeyDocument, KeyLocation};
use crate::net::{HttpUrl, HttpUrlError, TlsSettings};
use crate::token::{Algorithm, KeySet, VerifyingKey};

/// What is written about the keys of an issuer.
pub(super) enum WrittenKeys {
    /// `jwks`, and what may not stand beside it.
    Set {
        jwks: Entry,
        ca: Option<Entry>,
        material: Material,
    },
    /// Nothing: the metadata of this issuer lead to them.
    Metadata {
        issuer: (String, Span),
        ca: Option<Entry>,
    },
    /// A public key or a secret, and its name unless that is refused.
    Fixed {
        kid: Option<Option<String>>,
        material: Material,
    },
}

impl WrittenKeys {
    /// Takes the keys of the section. `issuer` and `algorithms` are `None` where they are refused already.
    pub(super) fn take(
        section: &mut Section,
        issuer: Option<&(String, Span)>,
        algorithms: Option<&[Algorithm]>,
        reader: &mut Reader<'_>,
    ) -> Self {
        let jwks = section.take("jwks");
        let material = Material::take(section, Half::Public);
        let is_published = algorithms.is_none_or(|all| !all.iter().any(|one| one.is_symmetric()));
        let is_discovered = material.first().is_none() && is_published;
        let issuer = issuer.filter(|(name, _)| is_discovered && name.contains("://"));
        // published keys have names of their own, and others are not fetched
        let withheld = if jwks.is_some() || issuer.is_some() {
            "kid"
        } else {
            "ca"
        };
        section.withhold(withheld);
        match (jwks, issuer) {
            (Some(jwks), _) => Self::Set {
                jwks,
                ca: section.take("ca"),
                material,
            },
            (None, Some(issuer)) => Self::Metadata {
                issuer: issuer.clone(),
                ca: section.take("ca"),
            },
            (None, None) => Self::Fixed {
                kid: match section.take("kid") {
                    Some(entry) => label(&entry, reader).map(Some),
                    None => Some(None),
                },
                material,
            },
        }
    }

    /// The keys, or where they are.
    pub(super) fn read(
        self,
        algorithms: &[Algorithm],
        section: Span,
        reader: &mut Reader<'_>,
    ) -> Option<KeySource> {
        match self {
            Self::Set { jwks, ca, material } => set(&jwks, ca, algorithms, &material, reader),
            Self::Metadata { issuer, ca } => {
                let url = metadata_url(&issuer.0, issuer.1, reader);
                published(KeyDocument::Metadata, url, ca, reader)
            }
            Self::Fixed { kid, material } => {
                let keys = fixed(algorithms, kid?.as_deref(), material, section, reader);
                keys.map(KeySource::Fixed)
            }
        }
    }
}

fn published(
    document: fn(HttpUrl) -> KeyDocument,
    url: Option<HttpUrl>,
    ca: Option<Entry>,
    reader: &mut Reader<'_>,
) -> Option<KeySource> {
    let is_secure = url.as_ref().is_none_or(HttpUrl::is_secure);
    let tls: Option<Arc<TlsSettings>> = match ca {
        Some(entry) if is_secure => Some(authorities(&entry, reader)?),
        Some(entry) => {
            refuse_authorities(&entry, reader);
            return None;
        }
        None => None,
    };
    let document = document(url?);
    Some(KeySource::Published(KeyLocation { document, tls }))
}

fn refuse_authorities(ca: &Entry, reader: &mut Reader<'_>) {
    let message = "`ca` is given, but no key is fetched over TLS";
    let finding = Finding::error(Code::InvalidValue, ca.key_span, message);
    reader.report(finding.help("write an `https://` URL, or take `ca` away"));
}

/// The issuer as the place of its metadata: exactly as tokens name it.
fn metadata_url(issuer: &str, span: Span, reader: &mut Reader<'_>) -> Option<HttpUrl> {
    let (message, help) = match HttpUrl::parse(issuer) {
        Ok(url) if url.is_exposed() => (
            "the keys of an issuer are not found without TLS: whoever is on the way could put others in their place",
            "write an `https://` issuer where it has one, or name its keys with `jwks`",
        ),
        Ok(_) if issuer.contains('?') => (
            "the keys of an issuer whose URL has a query are not found by it",
            "name its keys with `jwks`",
        ),
        Ok(url) => return Some(url),
        Err(HttpUrlError::Malformed | HttpUrlError::UserInfo) => (
            "the keys of the issuer are missing, and its name is no URL that leads to them",
            "write `jwks: https://…`, `public_key_file: …` or `secret_file: …`",
        ),
    };
    reader.report(Finding::error(Code::InvalidValue, span, message).help(help));
    None
}

/// `jwks`: a URL, or a file, which is watched like all others.
fn set(
    entry: &Entry,
    ca: Option<Entry>,
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
        let url = url(&text, entry, reader);
        return published(KeyDocument::KeySet, url, ca, reader);
    }
    if let Some(ca) = ca {
        refuse_authorities(&ca, reader);
        return None;
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
            let help = match keys.flaws().first() {
                Some(key) => key.to_string(),
                None => "write the algorithms of the keys in it".to_owned(),
            };
            reader.report(finding.help(help));
            None
        }
        Ok(keys) => {
            for key in keys.flaws() {
                let finding = Finding::warning(Code::BrokenKey, span, key.to_string());
                reader.report(finding.help(if key.is_used {
                    "other programs may not take it; correct the file"
                } else {
                    "the other keys of the file are used"
                }));
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
    let keys: Vec<_> = match material.read(first, reader)? {
        Given::Secret(secret) => {
            warn_of_guessable(secret.span, &secret.bytes, reader);
            let kid = kid.or(secret.kid.as_deref());
            let key = |algorithm| VerifyingKey::from_secret(algorithm, &secret.bytes, kid);
            let usable = secret.algorithms(algorithms, reader)?.into_iter();
            usable
                .map(|algorithm| checked(key(algorithm), secret.span, reader))
                .collect()
        }
        Given::Key(span, text) => {
            let key = |algorithm: &Algorithm| VerifyingKey::from_pem(*algorithm, &text, kid);
            let all = algorithms.iter();
            all.map(|algorithm| checked(key(algorithm), span, reader))
                .collect()
        }
        Given::Nothing => {
            let finding =
                Finding::error(Code::MissingKey, span, "the keys of the issuer are missing");
            reader.report(
                finding.help("write `jwks: https://…`, `public_key_file: …` or `secret_file: …`"),
            );
            return None;
        }
    };
    let keys = keys.into_iter().collect::<Option<Vec<_>>>()?;
    // what a JSON Web Key is called, its issuer may call otherwise
    Some(if kid.is_some() {
        KeySet::new(keys)
    } else {
        KeySet::of_unknown_names(keys)
    })
}
