//! `gatelatch user list`.

use std::sync::Arc;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::store::Store;
use crate::cli::printing;
use crate::users::{ApiKey, NEVER, User, Work};

/// List the users
#[derive(Debug, clap::Args)]
pub(super) struct UserListArgs {
    /// How the list is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A table, for people
    Text,
    /// A JSON list, for programs
    Json,
}

pub(super) fn print(store: &Store, args: &UserListArgs) -> anyhow::Result<()> {
    let users = store.users()?;
    let text = match args.format {
        Format::Text => table(&users),
        Format::Json => format!(
            "{:#}\n",
            users.iter().map(|user| describe(user)).collect::<Value>()
        ),
    };
    printing::print(&text)
}

fn table(users: &[Arc<User>]) -> String {
    let head = ["USER", "ROLES", "STATE", "PASSWORD", "TOTP", "KEYS"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head)
        .chain(users.iter().map(|user| row(user)))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    let line = |row: &[String; 6]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(user: &User) -> [String; 6] {
    let list = |items: Vec<&str>| {
        if items.is_empty() {
            "-".to_owned()
        } else {
            items.join(",")
        }
    };
    let roles = user.identity.roles.iter().map(|role| &**role).collect();
    let keys = user
        .extras()
        .api_keys
        .iter()
        .map(|key| &*key.name)
        .collect();
    let state = if user.extras().disabled {
        "disabled"
    } else {
        "enabled"
    };
    let totp = if user.extras().totp.is_some() {
        "yes"
    } else {
        "-"
    };
    let password = password(user).unwrap_or_else(|| "-".to_owned());
    [
        user.identity.subject.to_string(),
        list(roles),
        state.to_owned(),
        password,
        totp.to_owned(),
        list(keys),
    ]
}

fn password(user: &User) -> Option<String> {
    let work = user.password.as_ref()?.work();
    Some(match work {
        Work::Bcrypt { .. } => format!("bcrypt {work}"),
        Work::Argon2id { .. } => format!("argon2id {work}"),
    })
}

fn describe(user: &User) -> Value {
    let identity = &user.identity;
    json!({
        "user": identity.subject,
        "roles": &*identity.roles,
        "name": identity.name,
        "email": identity.email,
        "disabled": user.extras().disabled,
        "password": password(user),
        "totp": user.extras().totp.is_some(),
        "api_keys": user.extras().api_keys.iter().map(describe_key).collect::<Value>(),
    })
}

fn describe_key(key: &ApiKey) -> Value {
    let expires = Some(key.expires_at).filter(|end| *end < NEVER);
    json!({ "name": key.name, "roles": &*key.identity.roles, "expires_at": expires })
}
