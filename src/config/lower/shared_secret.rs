//! A shared secret of tokens: a text, bytes, or a JSON Web Key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json};
use zeroize::Zeroizing;

use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Value};
use crate::token::Algorithm;

/// The octets of a secret (RFC 7518, section 3.2), and what a JSON Web Key says of it.
pub(super) struct SharedSecret {
    pub(super) span: Span,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// `kid`.
    pub(super) kid: Option<String>,
    /// `alg`.
    algorithm: Option<String>,
}

impl SharedSecret {
    /// Reads `secret`, a text or `{ base64url: … }`, or `secret_file`: a text, a JSON Web Key of the kind `oct`, or bytes
    /// that are no text.
    pub(super) fn read(
        inline: Option<Entry>,
        file: Option<Entry>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        match (inline, file) {
            (Some(entry), None) if matches!(entry.node.value, Value::Map(_)) => {
                Self::encoded(entry, reader)
            }
            (None, Some(entry)) => Self::of_file(&entry, reader),
            (inline, file) => reader
                .secret(inline, file)
                .map(|(span, text)| Self::plain(span, text.into_bytes())),
        }
    }

    /// Those of the algorithms that the secret is for.
    pub(super) fn algorithms(
        &self,
        accepted: &[Algorithm],
        reader: &mut Reader<'_>,
    ) -> Option<Vec<Algorithm>> {
        let Some(name) = &self.algorithm else {
            return Some(accepted.to_vec());
        };
        let fitting = accepted.iter().find(|algorithm| algorithm.name() == name);
        if fitting.is_none() {
            let message = "the JSON Web Key is for another algorithm: its `alg` is not the one that is configured";
            let help = "write the algorithm that the key names, or take its `alg` away";
            reader.report(Finding::error(Code::InvalidKey, self.span, message).help(help));
        }
        fitting.map(|algorithm| vec![*algorithm])
    }

    fn plain(span: Span, bytes: Vec<u8>) -> Self {
        Self {
            span,
            bytes: Zeroizing::new(bytes),
            kid: None,
            algorithm: None,
        }
    }

    fn encoded(entry: Entry, reader: &mut Reader<'_>) -> Option<Self> {
        let key = entry.key.clone();
        let mut section = reader.section(entry, &blocks::SECRET_OCTETS)?;
        let written = section.require(reader, "base64url", "${GATELATCH_SECRET}");
        section.finish(reader);
        // messages speak of the secret
        let written = written.map(|entry| Entry { key, ..entry })?;
        let (span, text) = reader.secret(Some(written), None)?;
        match decode(&text) {
            Some(bytes) => Some(Self::plain(span, bytes)),
            None => {
                let message = "`base64url` holds something else than base64url";
                let finding = Finding::error(Code::InvalidValue, span, message).conceal(span);
                reader.report(
                    finding.help("write letters, digits, `-` and `_`, as `k` of a JSON Web Key is"),
                );
                None
            }
        }
    }

    fn of_file(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self> {
        let (_, bytes) = reader.file(entry)?;
        let secret = Self::of_bytes(&bytes, entry.node.span, reader)?;
        reader.note_secret(secret.span, &secret.bytes);
        Some(secret)
    }

    fn of_bytes(bytes: &[u8], span: Span, reader: &mut Reader<'_>) -> Option<Self> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Some(Self::plain(span, bytes.to_vec()));
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(key) = json_web_key(text) {
            return Self::of_jwk(&key, span, reader);
        }
        // editors and `echo` end a file with a newline; it is no part of the text
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Some(Self::plain(span, text.as_bytes().to_vec()))
    }

    fn of_jwk(key: &Map<String, Json>, span: Span, reader: &mut Reader<'_>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Json::as_str);
        let mut refuse = |message: &str, help: &str| {
            reader.report(Finding::error(Code::InvalidKey, span, message).help(help));
            None
        };
        if text("kty") != Some("oct") {
            return refuse(
                "the file holds a JSON Web Key of another kind than `oct`",
                "a secret is of the kind `oct`; key pairs are written in PEM",
            );
        }
        if key.get("use").is_some_and(|purpose| purpose != "sig") {
            return refuse(
                "the file holds a JSON Web Key that is not for signatures: `use` is not `sig`",
                "name the key that tokens are signed with",
            );
        }
        let Some(bytes) = text("k").and_then(decode) else {
            return refuse(
                "the file holds a JSON Web Key without a secret: `k` is missing or no base64url",
                "RFC 7518, section 6.4.1: `k` is the secret in base64url",
            );
        };
        Some(Self {
            kid: text("kid").filter(|kid| !kid.is_empty()).map(Into::into),
            algorithm: key
                .get("alg")
                .map(|name| name.as_str().unwrap_or("").into()),
            ..Self::plain(span, bytes)
        })
    }
}

/// A text that is meant as a JSON Web Key.
fn json_web_key(text: &str) -> Option<Map<String, Json>> {
    let members: Map<String, Json> = serde_json::from_str(text).ok()?;
    members.contains_key("kty").then_some(members)
}

/// With padding or without: some libraries write it.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}
