//! `gatelatch key`: new keys for tokens.

mod confirm;
mod place;
mod rotate;

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgGroup, Subcommand};
use zeroize::Zeroizing;

use self::rotate::RotateArgs;
use crate::ambient;
use crate::cli::new_file::write_new;
use crate::cli::printing::print;
use crate::token::{self, Algorithm, Key};

/// Make keys that sign tokens, and exchange them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch key generate --algorithm Ed25519 --out token.pem
  gatelatch key generate --secret >> secret.txt
  gatelatch key rotate --dry-run")]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(GenerateArgs),
    Rotate(RotateArgs),
}

/// Make a private key, or a secret
///
/// A private key is written in PEM form (PKCS#8), for `auth.token.private_key_file`. The file is readable by its owner
/// only; one that exists is never overwritten.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true).args(["algorithm", "secret"])))]
struct GenerateArgs {
    /// What the key is for: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, Ed25519 or EdDSA
    #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
    algorithm: Option<Algorithm>,

    /// A secret of 384 random bits for HS256 and HS384, in base64
    #[arg(long)]
    secret: bool,

    /// Where to write it, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    match Algorithm::named(text) {
        Some(algorithm) if algorithm.is_symmetric() => {
            Err("a secret is made with `--secret`".to_owned())
        }
        Some(algorithm) => Ok(algorithm),
        None => {
            let names: Vec<&str> = Algorithm::ALL
                .into_iter()
                .filter(|algorithm| !algorithm.is_symmetric())
                .map(Algorithm::name)
                .collect();
            Err(format!("write one of {}", names.join(", ")))
        }
    }
}

pub(super) fn run(args: &KeyArgs, config: &Path) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Generate(args) => generate(args),
        Command::Rotate(args) => rotate::run(args, config),
    }
}

fn generate(args: &GenerateArgs) -> anyhow::Result<ExitCode> {
    let text = match args.algorithm {
        Some(algorithm) => token::generate(algorithm).context("the system cannot make a key")?,
        None => Zeroizing::new(STANDARD.encode(ambient::random_bytes::<48>()) + "\n"),
    };
    match &args.out {
        None => print(&text)?,
        Some(path) => {
            write(path, &text)?;
            report(path, args.algorithm, &text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let shown = path.display();
    match write_new(path, text, 0o600) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("`{shown}` exists and is not overwritten; nothing was written")
        }
        written => written.with_context(|| format!("cannot write `{shown}`")),
    }
}

fn report(path: &Path, algorithm: Option<Algorithm>, text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stderr().lock();
    writeln!(out, "wrote {}", path.display())?;
    if let Some(algorithm) = algorithm {
        let kid = Key::from_pem(algorithm, text, None)?;
        writeln!(out, "kid: {}", kid.id())?;
    }
    Ok(())
}
