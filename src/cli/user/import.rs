//! `gatelatch user import`: the users of an htpasswd file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::store::Store;
use crate::cli::printing::{counted, say};
use crate::config::edit::{Change, NewUser};
use crate::users::{HashError, PasswordHash};

/// Add the users of an htpasswd file
///
/// Takes over lines `NAME:HASH` with a bcrypt hash ($2y$, as `htpasswd -B` makes it) or an argon2id hash: passwords stay as
/// they are. A line with another hash is named and refused, as a user is who is on the list already; then nothing is
/// written, unless --skip leaves such lines out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user import /etc/nginx/.htpasswd
  gatelatch user import htpasswd --roles staff --skip")]
pub(super) struct UserImportArgs {
    /// The htpasswd file
    file: PathBuf,
    /// What all of them may do
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    roles: Vec<String>,
    /// Leave out what cannot be taken over
    #[arg(long)]
    skip: bool,
}

/// Why a line is not taken over.
enum Refusal<'a> {
    NoUser,
    Twice(&'a str),
    Known(&'a str),
    Hash(&'a str, HashError),
}

/// Adds all users of the file, or says which lines stand against it.
///
/// # Errors
/// Where the file cannot be read, or a line cannot be taken over and `--skip` is not given.
pub(super) fn run(store: &Store, args: &UserImportArgs) -> anyhow::Result<()> {
    let shown = args.file.display();
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("cannot read `{shown}`"))?;
    let known: BTreeSet<String> = store
        .users()?
        .into_iter()
        .map(|user| String::from(&*user.identity.subject))
        .collect();
    let (mut taken, mut refused) = (Vec::new(), 0_usize);
    let mut names = BTreeSet::new();
    for (number, line) in entries(&text) {
        match read(line, &known, &mut names) {
            Ok((user, hash)) => taken.push((user, hash)),
            Err(refusal) => {
                refused += 1;
                say(&format!("{shown}:{number}: {refusal}"))?;
            }
        }
    }
    if refused > 0 && !args.skip {
        bail!(
            "nothing was written; leave these lines out with `--skip`, or give their users new passwords"
        );
    }
    let new: Vec<NewUser> = taken
        .iter()
        .map(|(user, hash)| user_of(user, hash, &args.roles))
        .collect();
    let count = counted(new.len(), "user");
    if !new.is_empty() {
        store.change(&Change::Add(new))?;
    }
    say(&format!("added {count} to {}", store.path().display()))
}

/// The lines that say something, counted from 1.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn read<'a>(
    line: &'a str,
    known: &BTreeSet<String>,
    names: &mut BTreeSet<&'a str>,
) -> Result<(&'a str, &'a str), Refusal<'a>> {
    let (user, hash) = line
        .split_once(':')
        .filter(|(user, _)| !user.is_empty())
        .ok_or(Refusal::NoUser)?;
    // nginx ignores what stands behind a further colon
    let hash = hash.split(':').next().unwrap_or_default();
    if known.contains(user) {
        return Err(Refusal::Known(user));
    }
    PasswordHash::parse(hash).map_err(|error| Refusal::Hash(user, error))?;
    if names.insert(user) {
        Ok((user, hash))
    } else {
        Err(Refusal::Twice(user))
    }
}

fn user_of(user: &str, hash: &str, roles: &[String]) -> NewUser {
    let hash = Some(hash.to_owned());
    NewUser {
        user: user.to_owned(),
        hash,
        roles: roles.to_vec(),
        name: None,
        email: None,
    }
}

/// The hash itself is not shown.
impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser => f.write_str("not a line `NAME:HASH`"),
            Self::Twice(user) => write!(f, "user `{user}` stands here twice"),
            Self::Known(user) => {
                write!(f, "user `{user}` is on the list already and stays as it is")
            }
            Self::Hash(user, error) => write!(f, "user `{user}`: {error}"),
        }
    }
}
