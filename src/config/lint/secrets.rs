//! Secrets that are easily guessed, or known to more than they should be.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use sha2::{Digest, Sha256};

use crate::config::code::Code;
use crate::config::excerpt::Source;
use crate::config::finding::Finding;
use crate::config::problem::Severity;
use crate::config::span::{File, Span};

/// Secrets of tutorials, and words that stand in examples for a secret to be filled in; in lower case.
const EXAMPLES: [&str; 15] = [
    // the FastAPI tutorial
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    // jwt.io, before and now
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "changeme",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "replace_me",
    "your-secret",
    "your_secret",
    "insecure",
    "placeholder",
    "password",
    "example",
];

/// The users file and `.env`, where every user of the machine can read them. In a checkout of git they are as git writes
/// them, which keeps no such modes.
pub(in crate::config) fn world_readable(sources: &[Source]) -> Vec<Finding> {
    let finding = |source: &Source| {
        let belong = match source.file {
            File::Users => "password hashes",
            File::Environment => "secrets",
            File::Config | File::Tests => return None,
        };
        let mode = std::fs::metadata(&source.path).ok()?.mode();
        let whole = std::path::absolute(&source.path).ok()?;
        if whole.ancestors().any(|folder| folder.join(".git").exists()) {
            return None;
        }
        let name = source.path.display();
        let message = format!(
            "every user of this machine can read `{name}` (mode {:04o}), where {belong} belong",
            mode & 0o7777
        );
        let finding = Finding::nowhere(Code::WorldReadable, Severity::Warning, message);
        (mode & 0o004 != 0).then(|| finding.help(format!("`chmod o= {name}`")))
    };
    sources.iter().filter_map(finding).collect()
}

/// All secrets of one load, by their digests, so that the same one is met twice. A list of a million users has a
/// million: half a SHA-256 tells them apart as surely, and a list that is sorted at the end takes half of a map.
#[derive(Default)]
pub(in crate::config) struct Secrets(Vec<([u8; 16], Span)>);

impl Secrets {
    pub(in crate::config) fn note(&mut self, span: Span, secret: impl AsRef<[u8]>) {
        let (mut digest, whole) = ([0; 16], Sha256::digest(secret));
        digest.copy_from_slice(&whole[..16]);
        self.0.push((digest, span));
    }

    /// How many were noted so far.
    pub(in crate::config) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets all but the first so many.
    pub(in crate::config) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// One finding for each secret that stands in several places.
    pub(in crate::config) fn shared(mut self) -> Vec<Finding> {
        self.0.sort_unstable();
        let same = self.0.chunk_by(|one, other| one.0 == other.0);
        let several = same.filter_map(|places| match places {
            [(_, first), (_, second), ..] => Some(shared(*first, *second, places.len())),
            _ => None,
        });
        several.collect()
    }
}

fn shared(first: Span, second: Span, count: usize) -> Finding {
    let (message, help) = match second.file {
        File::Users => (
            format!(
                "the same password hash or `totp` stands in {count} places: who has the password or the app of one has \
                 it for all"
            ),
            "let each user have a password with a salted hash, and an app, of their own",
        ),
        File::Config | File::Environment | File::Tests => (
            format!("the same secret stands in {count} places"),
            "make one for each, with `openssl rand -base64 48`",
        ),
    };
    Finding::warning(Code::SharedSecret, second, message)
        .note(first, "it stands here first")
        .help(help)
}

/// A secret with few different bytes.
pub(in crate::config) fn few_bytes(secret: &[u8], span: Span) -> Option<Finding> {
    let different = secret.iter().collect::<BTreeSet<_>>().len();
    (different < 10).then(|| {
        let message = format!("a secret of only {different} different bytes is easily guessed");
        Finding::warning(Code::WeakSecret, span, message)
            .help("make one with `openssl rand -base64 48`")
    })
}

/// A secret that stands in a tutorial, or was never filled in.
pub(in crate::config) fn example(secret: &[u8], span: Span) -> Option<Finding> {
    let folded = String::from_utf8_lossy(secret).to_lowercase();
    EXAMPLES
        .iter()
        .any(|example| folded.contains(example))
        .then(|| {
            let message = "this secret is an example, and known to everybody";
            Finding::warning(Code::WeakSecret, span, message)
                .help("make one with `openssl rand -base64 48`")
        })
}
