//! `gatelatch user`: the user list, changed in place.

mod import;
mod list;
mod roles;
mod store;
mod totp;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use zeroize::Zeroizing;

use self::roles::{check_distinct, note_unasked_roles, role};
use self::store::Store;
use super::password;
use super::printing::{print_once, say};
use crate::ambient;
use crate::config;
use crate::config::edit::{Change, NewKey, NewUser};
use crate::users::{KeyDigest, api_key, is_user_name};

/// Change the user list in place
///
/// Comments, order and spelling of the file stay as they are; it is replaced at once, and a running gateway takes it
/// within a moment. Passwords are asked for on a terminal, read from standard input otherwise, or made with
/// --random; what is made is printed once, on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user add alice@example.com --roles recruiter --name 'Alice Doe'
  gatelatch user add carol --roles admin --random
  gatelatch user add-key ci --name deploy --roles deployer --expires 2027-01-01
  gatelatch user add-totp alice
  gatelatch user disable bob
  gatelatch user import /etc/nginx/.htpasswd --roles staff
  gatelatch user list --format json")]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(AddArgs),
    AddKey(AddKeyArgs),
    AddTotp(totp::AddTotpArgs),
    RemoveTotp(totp::RemoveTotpArgs),
    SetPassword(SetPasswordArgs),
    /// Let a disabled user in again
    Enable(UserNameArgs),
    /// Keep a user out, with tokens that are still valid too
    Disable(UserNameArgs),
    /// Take a user off the list
    Remove(UserNameArgs),
    Import(import::UserImportArgs),
    List(list::UserListArgs),
}

/// Add a user
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user add alice@example.com --roles recruiter --name 'Alice Doe'
  gatelatch user add carol --roles admin --random
  gatelatch user add prometheus --roles metrics --no-password")]
struct AddArgs {
    /// The name to log in with, and the token's subject
    #[arg(value_parser = user_name)]
    user: String,
    /// What the user may do; several with commas between them
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = role)]
    roles: Vec<String>,
    /// The name to show
    #[arg(long)]
    name: Option<String>,
    /// The mail address
    #[arg(long)]
    email: Option<String>,
    /// No password: a user for API keys only
    #[arg(long, conflicts_with = "random")]
    no_password: bool,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Add an API key to a user
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user add-key ci --name deploy
  gatelatch user add-key ci --name deploy --roles deployer --expires 2027-01-01")]
struct AddKeyArgs {
    /// Whose key it is
    user: String,
    /// What the key is called
    #[arg(long)]
    name: String,
    /// What the key may do, instead of what its user may; several with commas between them
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = role)]
    roles: Option<Vec<String>>,
    /// From when on it is refused, such as 2027-01-01
    #[arg(long, value_name = "DATE", value_parser = to_come)]
    expires: Option<String>,
}

/// Give a user another password
#[derive(Debug, clap::Args)]
struct SetPasswordArgs {
    /// Whose password it is
    user: String,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, clap::Args)]
struct PasswordArgs {
    /// Make a password and print it once
    #[arg(long)]
    random: bool,
    /// The work a guess costs, 4 to 15; each step doubles it, and each login costs it too
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=15))]
    cost: u32,
}

#[derive(Debug, clap::Args)]
struct UserNameArgs {
    /// The user's name
    user: String,
}

fn user_name(text: &str) -> Result<String, &'static str> {
    if is_user_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a user name has no spaces and no invisible characters, and at most 255 bytes")
    }
}

/// A time that is not over, as the users file has it.
fn to_come(text: &str) -> Result<String, &'static str> {
    match config::moment(text).or_else(|| text.parse().ok()) {
        None => Err("write a date such as `2027-01-01`, or a time such as `2027-01-01T12:00:00Z`"),
        Some(end) if end <= ambient::unix_seconds() => Err("the key would be refused from now on"),
        Some(_) => Ok(text.to_owned()),
    }
}

pub(super) fn run(args: UserArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let store = Store::open(config)?;
    match args.command {
        Command::Add(args) => add(&store, args)?,
        Command::AddKey(args) => add_key(&store, args)?,
        Command::AddTotp(args) => totp::add(&store, &args)?,
        Command::RemoveTotp(args) => totp::remove(&store, &args, config)?,
        Command::SetPassword(args) => set_password(&store, args)?,
        Command::Enable(args) => {
            let enable = Change::Enable(args.user.clone());
            change(&store, &enable, "enabled", &args.user)?;
        }
        Command::Disable(args) => {
            let disable = Change::Disable(args.user.clone());
            change(&store, &disable, "disabled", &args.user)?;
        }
        Command::Remove(args) => remove(&store, &args.user)?,
        Command::Import(args) => import::run(&store, &args)?,
        Command::List(args) => list::print(&store, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn change(store: &Store, change: &Change, done: &str, user: &str) -> anyhow::Result<()> {
    store.change(change)?;
    say(&format!(
        "{done} user `{user}` in {}",
        store.path().display()
    ))
}

/// What the gateway keeps of somebody goes by the name: who is given it by hand next would have it.
fn remove(store: &Store, user: &str) -> anyhow::Result<()> {
    change(store, &Change::Remove(user.into()), "removed", user)?;
    say(&format!(
        "note: what `{user}` added as second factors, and their sessions, stay in `state` until `gatelatch user remove-totp {user} \
         --all` and `gatelatch session end --user {user}`; whoever is given the name by `gatelatch user add` has none of it"
    ))
}

impl PasswordArgs {
    /// A password, and its hash.
    fn obtain(&self) -> anyhow::Result<(Zeroizing<String>, String)> {
        let password = if self.random {
            password::random()
        } else {
            password::obtain()?
        };
        let hash = password::hash(&password, self.cost)?;
        Ok((password, hash))
    }

    /// Shows a password that was made.
    fn print(&self, user: &str, password: &str) -> anyhow::Result<()> {
        if !self.random {
            return Ok(());
        }
        let remedy =
            format!("`gatelatch user set-password {user} --random` makes another password");
        print_once(password, &remedy)
    }
}

fn add(store: &Store, args: AddArgs) -> anyhow::Result<()> {
    let AddArgs {
        user,
        roles,
        name,
        email,
        no_password,
        password,
    } = args;
    check_distinct(&roles)?;
    // before somebody types a password in vain
    if store.knows(&user)? {
        bail!("there is a user `{user}` already");
    }
    let obtained = if no_password {
        None
    } else {
        Some(password.obtain()?)
    };
    let hash = obtained.as_ref().map(|(_, hash)| hash.clone());
    let new = NewUser {
        user: user.clone(),
        hash,
        roles: roles.clone(),
        name,
        email,
        created: Some(store::now()),
    };
    change(store, &Change::Add(vec![new]), "added", &user)?;
    note_unasked_roles(store, &roles)?;
    obtained.map_or(Ok(()), |(text, _)| password.print(&user, &text))
}

fn add_key(store: &Store, args: AddKeyArgs) -> anyhow::Result<()> {
    let roles = args.roles.clone().unwrap_or_default();
    check_distinct(&roles)?;
    let key = api_key(ambient::random_bytes());
    let hash = KeyDigest::of(&key)
        .context("a new key is a key")?
        .to_string();
    let (name, file) = (args.name.clone(), store.path().display());
    let added = format!(
        "added key `{name}` to user `{}` in {file}; it is shown this once",
        args.user
    );
    let remedy = format!(
        "take the key `{name}` out of `api_keys` of `{}` in {file}, and add another",
        args.user
    );
    let new = NewKey {
        name: args.name,
        hash,
        roles: args.roles,
        expires: args.expires,
    };
    let user = args.user;
    store.change(&Change::AddKey { user, key: new })?;
    say(&added)?;
    note_unasked_roles(store, &roles)?;
    print_once(&key, &remedy)
}

fn set_password(store: &Store, args: SetPasswordArgs) -> anyhow::Result<()> {
    let SetPasswordArgs { user, password } = args;
    if !store.knows(&user)? {
        bail!("there is no user `{user}`; `gatelatch user list` shows all");
    }
    let (text, hash) = password.obtain()?;
    store.change(&Change::SetPassword {
        user: user.clone(),
        hash,
    })?;
    say(&format!(
        "changed the password of user `{user}` in {}",
        store.path().display()
    ))?;
    password.print(&user, &text)
}
