//! `gatelatch init`: a first configuration to start from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::ambient;
use crate::config::{gateway_schema, users_schema};

const GATEWAY: &str = include_str!("init/gateway.yaml");
const USERS: &str = include_str!("init/users.yaml");
/// Everything that is written.
const NAMES: [&str; 5] = [
    "gateway.yaml",
    "users.yaml",
    ".env",
    "gateway.schema.json",
    "users.schema.json",
];
/// What one login costs: about a third of a second.
const COST: u32 = 12;

/// Write a first configuration with a user, ready to run
///
/// Writes a commented gateway.yaml, a users.yaml with one administrator and a .env with a fresh secret, and the JSON
/// Schemas with which editors complete both. The administrator's password is printed once and kept nowhere. Files that
/// exist are never overwritten.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gatelatch init
  gatelatch init /etc/gatelatch")]
pub struct InitArgs {
    /// The folder to write to
    #[arg(default_value = ".")]
    pub directory: PathBuf,
}

/// Writes [`NAMES`], and prints the password of the first user, once.
///
/// # Errors
/// Where one of the files exists, or cannot be written.
pub fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let password = write_all(&args.directory)?;
    next_steps(&args.directory, &password, &mut anstream::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether others than the owner may read a file.
#[derive(Clone, Copy)]
enum Readers {
    All,
    Owner,
}

/// Gives back the password of the user `admin`.
fn write_all(directory: &Path) -> anyhow::Result<String> {
    refuse_existing(directory)?;
    let password = URL_SAFE_NO_PAD.encode(ambient::random_bytes::<15>());
    let hash = ambient::hash_password(&password, COST).context("cannot hash the password")?;
    let secret = STANDARD.encode(ambient::random_bytes::<48>());
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create `{}`", directory.display()))?;
    let environment =
        format!("# Signs the tokens. Keep it out of version control.\nGATELATCH_SECRET={secret}\n");
    for (name, text, readers) in [
        ("gateway.yaml", GATEWAY, Readers::All),
        (
            "users.yaml",
            &USERS.replace("{{hash}}", &hash),
            Readers::Owner,
        ),
        (".env", &environment, Readers::Owner),
        ("gateway.schema.json", &gateway_schema(), Readers::All),
        ("users.schema.json", &users_schema(), Readers::All),
    ] {
        let path = directory.join(name);
        write_new(&path, text, readers)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(password)
}

fn refuse_existing(directory: &Path) -> anyhow::Result<()> {
    let paths = NAMES.map(|name| directory.join(name));
    let existing = paths.iter().filter(|path| path.symlink_metadata().is_ok());
    let existing: Vec<_> = existing
        .map(|path| format!("`{}`", path.display()))
        .collect();
    match existing.as_slice() {
        [] => Ok(()),
        [one] => bail!("{one} exists and is not overwritten; nothing was written"),
        many => bail!(
            "{} exist and are not overwritten; nothing was written",
            many.join(", ")
        ),
    }
}

/// Fails where the file came to exist in the meantime.
fn write_new(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, readers);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, readers: Readers) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(match readers {
        Readers::All => 0o644,
        Readers::Owner => 0o600,
    });
}

#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: Readers) {}

fn next_steps(directory: &Path, password: &str, out: &mut impl Write) -> io::Result<()> {
    let file = |name: &str| directory.join(name).display().to_string();
    let config = file("gateway.yaml");
    writeln!(
        out,
        "wrote {config}, {} and {}, and the schemas that editors read",
        file("users.yaml"),
        file(".env")
    )?;
    writeln!(out)?;
    writeln!(out, "user:      admin")?;
    writeln!(out, "password:  {password}    (shown this once)")?;
    writeln!(out)?;
    writeln!(out, "next:")?;
    writeln!(
        out,
        "  1. name your service under `upstream` in {config} and write its rules"
    )?;
    writeln!(out, "  2. gatelatch check --config {config}")?;
    writeln!(out, "  3. gatelatch run --config {config}")?;
    writeln!(
        out,
        "  4. curl http://127.0.0.1:8080/auth/login -d username=admin -d password={password}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load_request;
    use crate::config::load;

    #[test]
    fn what_is_written_loads_and_the_password_fits() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("new");
        let password = write_all(&target).unwrap();
        let loaded = load(&load_request(&target.join("gateway.yaml"))).unwrap();
        assert_eq!(loaded.warnings, Vec::new());
        assert_eq!(loaded.config.directory.users().count(), 1);
        let users = fs::read_to_string(target.join("users.yaml")).unwrap();
        let hash = users
            .lines()
            .find_map(|line| line.trim().strip_prefix("password: "))
            .unwrap();
        assert!(bcrypt::verify(password, hash).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_readable_by_the_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        write_all(directory.path()).unwrap();
        for (name, expected) in [(".env", 0o600), ("users.yaml", 0o600)] {
            let mode = directory
                .path()
                .join(name)
                .metadata()
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, expected, "{name}");
        }
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let users = directory.path().join("users.yaml");
        fs::write(&users, "mine").unwrap();
        let error = write_all(directory.path()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "`{}` exists and is not overwritten; nothing was written",
                users.display()
            )
        );
        assert_eq!(fs::read_to_string(users).unwrap(), "mine");
        assert!(!directory.path().join("gateway.yaml").exists());
    }
}
