//! `gatelatch init`: a first configuration to start from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::new_file::{create_folder, write_new};
use super::printing::print_once;
use crate::ambient;
use crate::config::{gateway_schema, users_schema};

const GATEWAY: &str = include_str!("init/gateway.yaml");
const USERS: &str = include_str!("init/users.yaml");
/// What keeps the secret out of a repository; one that exists is left as it is.
const IGNORE: &str = ".gitignore";
const IGNORED: &str = ".env\n";
/// Everything else that is written.
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
/// Writes a commented gateway.yaml, a users.yaml with one administrator, a .env with a fresh secret and a .gitignore that
/// keeps it out of a repository, and gateway.schema.json and users.schema.json, with which editors complete both. The
/// administrator's password is printed once and kept nowhere. Files that exist are never overwritten.
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
    let written = write_all(&args.directory)?;
    let config = args.directory.join("gateway.yaml");
    let remedy = format!(
        "all files are written, and `gatelatch user set-password admin --config {}` gives the user `admin` another password",
        config.display()
    );
    print_once(&next_steps(&args.directory, &written), &remedy)?;
    Ok(ExitCode::SUCCESS)
}

/// The mode of a file that others may read.
const ALL: u32 = 0o644;
/// The mode of a file with secrets.
const OWNER: u32 = 0o600;

/// What was written, beside [`NAMES`].
struct Written {
    /// The password of the user `admin`.
    password: String,
    /// Whether a `.gitignore` was written; `false` where there is one.
    ignore: bool,
}

fn write_all(directory: &Path) -> anyhow::Result<Written> {
    refuse_existing(directory)?;
    let password = URL_SAFE_NO_PAD.encode(ambient::random_bytes::<15>());
    let hash = ambient::hash_password(&password, COST).context("cannot hash the password")?;
    let secret = STANDARD.encode(ambient::random_bytes::<48>());
    create_folder(directory)?;
    let environment =
        format!("# Signs the tokens. Keep it out of version control.\nGATELATCH_SECRET={secret}\n");
    let (users, gateway_schema, users_schema) = (
        USERS.replace("{{hash}}", &hash),
        gateway_schema(),
        users_schema(),
    );
    let mut written = Vec::new();
    for (name, text, mode) in [
        ("gateway.yaml", GATEWAY, ALL),
        ("users.yaml", &users, OWNER),
        (".env", &environment, OWNER),
        ("gateway.schema.json", &gateway_schema, ALL),
        ("users.schema.json", &users_schema, ALL),
        (IGNORE, IGNORED, ALL),
    ] {
        let path = directory.join(name);
        match write_new(&path, text, mode) {
            Ok(()) => written.push(path),
            Err(error) if name == IGNORE && error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                // the next try finds nothing in its way; what failed already is said
                written.iter().for_each(|path| drop(fs::remove_file(path)));
                let what = format!("cannot write `{}`; nothing stays written", path.display());
                return Err(anyhow::Error::from(error).context(what));
            }
        }
    }
    let ignore = written.len() > NAMES.len();
    Ok(Written { password, ignore })
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

fn next_steps(directory: &Path, written: &Written) -> String {
    let file = |name: &str| directory.join(name).display().to_string();
    let (config, password) = (file("gateway.yaml"), &written.password);
    let names = NAMES.iter().map(|name| file(name));
    let names = names.chain(written.ignore.then(|| file(IGNORE)));
    let names = names.collect::<Vec<_>>().join(", ");
    let kept = if written.ignore {
        String::new()
    } else {
        let ignore = file(IGNORE);
        format!("{ignore} exists and is left as it is: see that it names `.env`\n")
    };
    format!(
        "wrote {names}
{kept}
user:      admin
password:  {password}    (shown this once)

next:
  1. name your service under `upstream` in {config} and write its rules
  2. gatelatch check --config {config}
  3. gatelatch run --config {config}
  4. sign in at http://127.0.0.1:8080/auth/login, and look at http://127.0.0.1:9900/"
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
        let Written { password, ignore } = write_all(&target).unwrap();
        assert!(ignore);
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

    #[test]
    fn what_is_printed_names_every_file_and_puts_no_password_into_a_command() {
        for (existing, ignored) in [(None, IGNORED), (Some("target\n"), "target\n")] {
            let directory = tempfile::tempdir().unwrap();
            if let Some(text) = existing {
                fs::write(directory.path().join(".gitignore"), text).unwrap();
            }
            let written = write_all(directory.path()).unwrap();
            let printed = next_steps(directory.path(), &written);
            for file in fs::read_dir(directory.path()).unwrap() {
                let path = file.unwrap().path().display().to_string();
                assert!(printed.contains(&path), "{path}: {printed}");
            }
            assert_eq!(printed.matches(&written.password).count(), 1, "{printed}");
            let ignore = fs::read_to_string(directory.path().join(".gitignore")).unwrap();
            assert_eq!(ignore, ignored);
            assert_eq!(printed.contains("is left as it is"), existing.is_some());
        }
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
        let error = write_all(directory.path()).err().unwrap().to_string();
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
