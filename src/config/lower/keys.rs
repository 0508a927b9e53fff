//! The keys of `auth.token`: the one that signs, and those that still verify.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::shared_secret::SharedSecret;
use super::{Defaults, label};
use crate::config::blocks::{self, MAX_PREVIOUS_KEYS};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::problem::Severity;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::KeyLife;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::token::{Algorithm, Key, KeyError, SECRET_BYTES, VerifyingKey};

/// What the keys of `auth.token` come to.
pub(super) struct Keys {
    pub(super) current: Key,
    pub(super) previous: Vec<VerifyingKey>,
    pub(super) life: KeyLife,
}

/// `algorithm`, `kid`, `secret`, `private_key` and `previous`.
pub(super) fn keys(
    section: &mut Section,
    defaults: &Defaults<'_>,
    reader: &mut Reader<'_>,
) -> Option<Keys> {
    let algorithm = match section.take("algorithm") {
        Some(entry) => algorithm(&entry, reader),
        None => Some(Algorithm::Hs256),
    };
    let kid = section.take("kid").map(|entry| label(&entry, reader));
    let material = Material::take(section, Half::Private);
    let previous = section
        .take("previous")
        .map(|entry| previous(entry, reader));
    let (algorithm, kid) = (algorithm?, kid.map_or(Some(None), |kid| kid.map(Some))?);
    let (current, life) = current(
        algorithm,
        kid.as_deref(),
        material,
        section.span(),
        defaults,
        reader,
    )?;
    let previous = previous.map_or(Some(Vec::new()), |previous| previous)?;
    refuse_equal_names(&current, &previous, reader)?;
    Some(Keys {
        current,
        previous: previous.into_iter().map(|(key, _)| key).collect(),
        life,
    })
}

pub(super) fn algorithm(entry: &Entry, reader: &mut Reader<'_>) -> Option<Algorithm> {
    reader.choice(
        entry,
        &Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm)),
    )
}

/// The two spellings of a secret, and the two of a key.
pub(super) struct Material {
    secret: Option<Entry>,
    secret_file: Option<Entry>,
    half: Half,
    key: Option<Entry>,
    key_file: Option<Entry>,
}

/// Which half of a key pair is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Private,
    Public,
}

/// What [`Material`] holds.
pub(super) enum Given {
    Secret(SharedSecret),
    Key(Span, String),
    Nothing,
}

impl Material {
    pub(super) fn take(section: &mut Section, half: Half) -> Self {
        let (key, key_file) = match half {
            Half::Private => ("private_key", "private_key_file"),
            Half::Public => ("public_key", "public_key_file"),
        };
        Self {
            half,
            secret: section.take("secret"),
            secret_file: section.take("secret_file"),
            key: section.take(key),
            key_file: section.take(key_file),
        }
    }

    /// What is given first, if anything is.
    pub(super) fn first(&self) -> Option<&Entry> {
        self.secret
            .as_ref()
            .or(self.secret_file.as_ref())
            .or(self.key.as_ref())
            .or(self.key_file.as_ref())
    }

    /// What is given, where it is of the kind that the algorithm needs.
    pub(super) fn read(self, algorithm: Algorithm, reader: &mut Reader<'_>) -> Option<Given> {
        let secret = self.secret.as_ref().or(self.secret_file.as_ref());
        let key = self.key.as_ref().or(self.key_file.as_ref());
        let misplaced = if algorithm.is_symmetric() {
            key
        } else {
            secret
        };
        if let Some(entry) = misplaced {
            let kind = algorithm.key_kind();
            let message = format!("`{}` is not for {algorithm}, which needs {kind}", entry.key);
            let help = if algorithm.is_symmetric() {
                "write the key's `algorithm`, such as `Ed25519`, as well"
            } else {
                "take it away; a secret is for `HS256`, `HS384` and `HS512`"
            };
            reader.report(Finding::error(Code::InvalidValue, entry.key_span, message).help(help));
            return None;
        }
        if secret.is_some() {
            return SharedSecret::read(self.secret, self.secret_file, reader).map(Given::Secret);
        }
        if key.is_some() {
            let given = match self.half {
                Half::Private => reader.secret(self.key, self.key_file),
                Half::Public => reader.public(self.key.as_ref(), self.key_file.as_ref()),
            };
            return given.map(|(span, text)| Given::Key(span, text));
        }
        Some(Given::Nothing)
    }
}

/// The key that signs: the configured one, else one that ends with this process.
fn current(
    algorithm: Algorithm,
    kid: Option<&str>,
    material: Material,
    section: Span,
    defaults: &Defaults<'_>,
    reader: &mut Reader<'_>,
) -> Option<(Key, KeyLife)> {
    let (span, key) = match material.read(algorithm, reader)? {
        Given::Secret(secret) => {
            warn_of_guessable(secret.span, &secret.bytes, reader);
            warn_of_short(algorithm, secret.span, &secret.bytes, reader);
            secret.algorithms(&[algorithm], reader)?;
            let kid = kid.or(secret.kid.as_deref());
            let key = Key::from_secret(algorithm, &secret.bytes, kid);
            (secret.span, key)
        }
        Given::Key(span, text) => (span, Key::from_pem(algorithm, &text, kid)),
        Given::Nothing if algorithm.is_symmetric() => {
            let message = "no `auth.token.secret`: tokens end with this process, and replicas do not accept each other's";
            let finding = Finding::nowhere(Code::NoSecret, Severity::Warning, message);
            reader.report(
                finding.help("write `secret: ${GATELATCH_SECRET}`, from `openssl rand -base64 48`"),
            );
            let key = Key::from_secret(algorithm, defaults.fallback_secret.expose_secret(), kid);
            return checked(key, section, reader).map(|key| (key, KeyLife::Process));
        }
        Given::Nothing => {
            let message = format!(
                "`private_key_file` is missing: {algorithm} needs {}",
                algorithm.key_kind()
            );
            let finding = Finding::error(Code::MissingKey, section, message);
            let help = format!(
                "make one with `gatelatch key generate --algorithm {algorithm} --out token.pem`"
            );
            reader.report(finding.help(help));
            return None;
        }
    };
    checked(key, span, reader).map(|key| (key, KeyLife::Lasting))
}

/// Reports what is wrong with a key.
pub(super) fn checked<K>(
    key: Result<K, KeyError>,
    span: Span,
    reader: &mut Reader<'_>,
) -> Option<K> {
    let error = match key {
        Ok(key) => return Some(key),
        Err(error) => error,
    };
    let code = match error {
        KeyError::TooShort(..) | KeyError::RsaSize(_) => Code::WeakSecret,
        KeyError::NotPem
        | KeyError::NotPublicPem
        | KeyError::Encrypted
        | KeyError::NotPrivate
        | KeyError::NotPublic
        | KeyError::Certificate
        | KeyError::CertificateForPrivate
        | KeyError::OtherKind(_)
        | KeyError::RsaNumbers
        | KeyError::NotOnCurve(_)
        | KeyError::Compressed
        | KeyError::Member(_)
        | KeyError::ShortCoordinate(_)
        | KeyError::Published(_)
        | KeyError::Unproven(_)
        | KeyError::NotForSecret(_) => Code::InvalidKey,
    };
    reader.report(Finding::error(code, span, error.to_string()));
    None
}

/// Old keys with their places.
fn previous(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<(VerifyingKey, Span)>> {
    let span = entry.node.span;
    let items = reader.list(entry)?;
    if items.len() > MAX_PREVIOUS_KEYS {
        let message = format!(
            "{} old keys; at most {MAX_PREVIOUS_KEYS} are kept",
            items.len()
        );
        let help = "take those away whose tokens have all expired";
        reader.report(Finding::error(Code::OutOfRange, span, message).help(help));
        return None;
    }
    let keys: Vec<_> = items
        .into_iter()
        .map(|item| previous_key(item, reader))
        .collect();
    keys.into_iter().collect()
}

fn previous_key(item: Entry, reader: &mut Reader<'_>) -> Option<(VerifyingKey, Span)> {
    let mut section = reader.section(item, &blocks::PREVIOUS_KEY)?;
    let span = section.span();
    let algorithm = section
        .require(reader, "algorithm", "HS256")
        .and_then(|entry| algorithm(&entry, reader));
    let kid = section.take("kid").map(|entry| label(&entry, reader));
    let material = Material::take(&mut section, Half::Public);
    section.finish(reader);
    let (algorithm, kid) = (algorithm?, kid.map_or(Some(None), |kid| kid.map(Some))?);
    verifying_key(algorithm, kid.as_deref(), material, span, reader).map(|key| (key, span))
}

/// A key that only verifies.
pub(super) fn verifying_key(
    algorithm: Algorithm,
    kid: Option<&str>,
    material: Material,
    section: Span,
    reader: &mut Reader<'_>,
) -> Option<VerifyingKey> {
    let (span, key) = match material.read(algorithm, reader)? {
        Given::Secret(secret) => {
            warn_of_guessable(secret.span, &secret.bytes, reader);
            secret.algorithms(&[algorithm], reader)?;
            let kid = kid.or(secret.kid.as_deref());
            let key = VerifyingKey::from_secret(algorithm, &secret.bytes, kid);
            (secret.span, key)
        }
        Given::Key(span, text) => (span, VerifyingKey::from_pem(algorithm, &text, kid)),
        Given::Nothing => {
            let name = if algorithm.is_symmetric() {
                "secret_file"
            } else {
                "public_key_file"
            };
            let message = format!(
                "`{name}` is missing: {algorithm} needs {}",
                algorithm.key_kind()
            );
            reader.report(
                Finding::error(Code::MissingKey, section, message)
                    .help("write the key that verifies"),
            );
            return None;
        }
    };
    checked(key, span, reader)
}

/// Two keys of one name, and it would not be certain which is meant.
fn refuse_equal_names(
    current: &Key,
    previous: &[(VerifyingKey, Span)],
    reader: &mut Reader<'_>,
) -> Option<()> {
    let mut names = BTreeSet::from([current.id()]);
    let mut unique = Some(());
    for (key, span) in previous {
        if !names.insert(key.id()) {
            let message = format!("a second key of the name `{}`", key.id());
            let help = "take the key away that is there twice, or give each a `kid` of its own";
            reader.report(Finding::error(Code::InvalidValue, *span, message).help(help));
            unique = None;
        }
    }
    unique
}

/// What is wrong with a secret that is long enough; one that is not is refused.
pub(super) fn warn_of_guessable(span: Span, secret: &[u8], reader: &mut Reader<'_>) {
    if secret.len() < SECRET_BYTES {
        return;
    }
    if let Some(finding) = lint::few_bytes(secret, span).or_else(|| lint::example(secret, span)) {
        reader.report(finding);
    }
}

fn warn_of_short(algorithm: Algorithm, span: Span, secret: &[u8], reader: &mut Reader<'_>) {
    let (bytes, wanted) = (secret.len(), algorithm.hash_bytes().unwrap_or(0));
    if (SECRET_BYTES..wanted).contains(&bytes) {
        let message =
            format!("a secret of {bytes} bytes; RFC 7518 asks for {wanted} with {algorithm}");
        let finding = Finding::warning(Code::WeakSecret, span, message);
        reader.report(finding.help(format!("make one with `openssl rand -base64 {wanted}`")));
    }
}
