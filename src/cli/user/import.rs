//! `gatelatch user import`: the users of an htpasswd file.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read as _;

use anyhow::{Context as _, bail};

use super::roles::{check_distinct, note_unasked_roles, role};
use super::store::{self, Store};
use crate::cli::printing::{counted, say};
use crate::config::edit::{Change, NewUser};
use crate::users::{HashError, PasswordHash, is_user_name};

/// Add the users of an htpasswd file
///
/// Takes over lines `NAME:HASH` with a bcrypt hash ($2y$, as `htpasswd -B` makes it) or an argon2id hash, also as Dovecot,
/// OpenLDAP, Spring and Django write them: passwords stay as they are. A line with another hash is named and refused, as a
/// user is who is on the list already; then nothing is written, unless --skip leaves such lines out. Of shadow(5) only
/// bcrypt hashes are taken over: Debian, Ubuntu and Fedora write yescrypt, which is refused. Rules from an OpenAPI
/// document are made by `gatelatch import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user import /etc/nginx/.htpasswd
  gatelatch user import htpasswd --roles staff --skip
  getent shadow | cut -d: -f1,2 | gatelatch user import - --skip")]
pub(super) struct UserImportArgs {
    /// The htpasswd file, `-` for standard input
    file: String,
    /// What all of them may do; several with commas between them
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = role)]
    roles: Vec<String>,
    /// Leave out what cannot be taken over
    #[arg(long)]
    skip: bool,
}

/// Why a line is not taken over.
#[derive(Debug, PartialEq, Eq)]
enum Refusal<'a> {
    NotText,
    NoUser,
    Name(&'a str),
    Twice(&'a str),
    Known(&'a str),
    Hash(&'a str, HashError),
}

/// Adds all users of the file, or says which lines stand against it.
///
/// # Errors
/// Where the file cannot be read, or a line cannot be taken over and `--skip` is not given.
pub(super) fn run(store: &Store, args: &UserImportArgs) -> anyhow::Result<()> {
    check_distinct(&args.roles)?;
    let shown = match args.file.as_str() {
        "-" => "standard input",
        file => file,
    };
    let bytes = read_all(&args.file).with_context(|| format!("cannot read `{shown}`"))?;
    refuse_other_formats(&bytes, shown)?;
    let known: BTreeSet<String> = store
        .users()?
        .into_iter()
        .map(|user| String::from(&*user.identity.subject))
        .collect();
    let (mut taken, mut refused) = (Vec::new(), 0_usize);
    let mut names = BTreeSet::new();
    for (number, line) in entries(&bytes) {
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
        note_unasked_roles(store, &args.roles)?;
    }
    let left = match refused {
        0 => String::new(),
        left => format!(", left {} out", counted(left, "line")),
    };
    say(&format!(
        "added {count} to {}{left}",
        store.path().display()
    ))
}

fn read_all(file: &str) -> std::io::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Files that other commands take.
fn refuse_other_formats(bytes: &[u8], shown: &str) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let mut lines = text
        .lines()
        .map(|line| line.trim_start_matches('\u{feff}').trim());
    let first = lines
        .clone()
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let first = first.unwrap_or_default();
    let opens = |word: &str| first.trim_matches(['"', '\'', '{', ' ']).starts_with(word);
    if first.starts_with('{') || opens("openapi") || opens("swagger") {
        bail!(
            "`{shown}` is no htpasswd file; rules from an OpenAPI document are made by `gatelatch import --openapi {shown}`"
        );
    }
    if lines.any(|line| line == "users:") {
        bail!("`{shown}` is a users file already: name it in `auth.users_file`, or copy its users");
    }
    Ok(())
}

/// The lines that say something, counted from 1; a byte order mark and line ends of Windows are no part of them.
fn entries(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim_ascii()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

fn read<'a>(
    line: &'a [u8],
    known: &BTreeSet<String>,
    names: &mut BTreeSet<&'a str>,
) -> Result<(&'a str, &'a str), Refusal<'a>> {
    let line = std::str::from_utf8(line).map_err(|_| Refusal::NotText)?;
    let (user, rest) = line
        .split_once(':')
        .filter(|(user, _)| !user.is_empty())
        .ok_or(Refusal::NoUser)?;
    if !is_user_name(user) {
        return Err(Refusal::Name(user));
    }
    if known.contains(user) {
        return Err(Refusal::Known(user));
    }
    // nginx and Dovecot have further fields behind a colon; a hash of Werkzeug has colons itself
    let hash = rest.split(':').next().unwrap_or_default();
    PasswordHash::parse(hash)
        .or_else(|error| {
            if error == HashError::Unknown {
                PasswordHash::parse(rest)
            } else {
                Err(error)
            }
        })
        .map_err(|error| Refusal::Hash(user, error))?;
    if names.insert(user) {
        Ok((user, PasswordHash::bare(hash)))
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
        created: Some(store::now()),
    }
}

/// The hash itself is not shown.
impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("not UTF-8"),
            Self::NoUser => f.write_str("not a line `NAME:HASH`"),
            Self::Name(user) => write!(
                f,
                "`{}` is not a user name: visible characters without spaces, at most 255 bytes",
                user.chars().take(60).collect::<String>().escape_debug()
            ),
            Self::Twice(user) => write!(f, "user `{user}` stands here twice"),
            Self::Known(user) => {
                write!(f, "user `{user}` is on the list already and stays as it is")
            }
            Self::Hash(user, error) => {
                let renew = format!("gatelatch user add {user}");
                write!(f, "user `{user}`: {error}; {}", error.remedy(&renew))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$5ESsb1hc9SjG1FA2rMIeauXBMRCwrY0DUEisG2Rs9mnGI2a.VAayq";

    #[test]
    fn each_line_is_taken_or_named() {
        let long = "x".repeat(256);
        let text = format!(
            "\u{feff}alice:{HASH}\r\n# a comment\n\nRita Roe:{HASH}\nrita:{{CRYPT}}{HASH}:1000:1000::/home\n\
             alice:{HASH}\nbob:{HASH}\nhunter2\n:{HASH}\nwerk:scrypt:32768:8:1$a$b\n{long}:{HASH}\nx:\n"
        );
        let mut bytes = text.into_bytes();
        bytes.extend(b"\xff:a\n");
        let (known, mut names) = (BTreeSet::from(["bob".to_owned()]), BTreeSet::new());
        let said: Vec<_> = entries(&bytes)
            .map(|(number, line)| match read(line, &known, &mut names) {
                Ok((user, hash)) => {
                    assert_eq!(hash, HASH, "without its wrapper");
                    format!("{number} takes {user}")
                }
                Err(refusal) => {
                    let text = refusal.to_string();
                    assert!(
                        !text.contains("hunter2") && !text.contains("5ESsb"),
                        "{text}"
                    );
                    format!("{number} {}", text.chars().take(44).collect::<String>())
                }
            })
            .collect();
        assert_eq!(
            said,
            [
                "1 takes alice",
                "4 `Rita Roe` is not a user name: visible chara",
                "5 takes rita",
                "6 user `alice` stands here twice",
                "7 user `bob` is on the list already and stays ",
                "8 not a line `NAME:HASH`",
                "9 not a line `NAME:HASH`",
                "10 user `werk`: a hash of a kind that is not ac",
                "11 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "12 user `x`: not a bcrypt or argon2id hash; a p",
                "13 not UTF-8",
            ]
        );
    }
}
