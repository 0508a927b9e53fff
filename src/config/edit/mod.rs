//! Changes to the users file, and to the keys of the configuration, that leave everything else in them as it is: comments,
//! order, spelling.
//!
//! A change is made twice: as text, at the places that the parser names, and in the tree of what was read. Only a text
//! that reads as that tree is given out, so that a style which the text half does not understand is refused, never
//! damaged.

mod keys;
mod model;
mod patch;
mod render;

use std::fmt;

use zeroize::Zeroizing;

pub use self::keys::{KeyChange, WrittenKey, WrittenKeys, edit_keys, read_keys};

use self::model::Fresh;
use self::patch::Patch;
use super::finding::Findings;
use super::span::File;
use super::yaml::{self, Node, Value};

/// A change to the user list.
#[derive(Clone, Debug)]
pub enum Change {
    /// Users who are not on the list.
    Add(Vec<NewUser>),
    /// A further API key.
    AddKey {
        /// Whose.
        user: String,
        /// The key.
        key: NewKey,
    },
    /// Another password hash.
    SetPassword {
        /// Whose.
        user: String,
        /// The hash.
        hash: String,
    },
    /// Everything that was issued to a user before a time is refused.
    RefuseTokensBefore {
        /// Whose.
        user: String,
        /// `tokens_valid_after`, as written.
        time: String,
    },
    /// The secret of an authenticator app.
    AddTotp {
        /// Whose.
        user: String,
        /// The secret, in base32.
        secret: Zeroizing<String>,
    },
    /// No secret of an authenticator app.
    RemoveTotp(String),
    /// The user can neither log in nor use a token.
    Disable(String),
    /// The user can again.
    Enable(String),
    /// The user is taken off the list.
    Remove(String),
}

/// A user to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The key of the entry.
    pub user: String,
    /// `password`; `None`: no password login.
    pub hash: Option<String>,
    /// `roles`.
    pub roles: Vec<String>,
    /// `name`.
    pub name: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// `created`, as written.
    pub created: Option<String>,
}

/// An API key to be added.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// `name`.
    pub name: String,
    /// `hash`.
    pub hash: String,
    /// `roles`; `None`: the user's.
    pub roles: Option<Vec<String>>,
    /// `expires`, as written.
    pub expires: Option<String>,
}

/// Why the file was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// There is no such user.
    NoSuchUser(String),
    /// There is such a user already.
    UserExists(String),
    /// There is such a key already.
    KeyExists(String),
    /// The user has a secret of an authenticator app already.
    TotpExists(String),
    /// It is as the change would make it.
    NothingToDo(&'static str),
    /// The value stands in another file, or in a variable.
    Elsewhere(&'static str),
    /// The file is written in a way that cannot be edited without rewriting more of it.
    Style,
}

/// The text with the change.
///
/// # Errors
/// [`EditError`]; the text is to be left as it is.
pub fn edit(text: &str, change: &Change) -> Result<String, EditError> {
    make(text, &plan(&parse(text)?, change)?)
}

fn make(text: &str, patch: &Patch) -> Result<String, EditError> {
    let root = parse(text)?;
    let edited = patch.write(text, &root).ok_or(EditError::Style)?;
    let mut expected = root;
    patch.apply(&mut expected).ok_or(EditError::Style)?;
    if model::same(&parse(&edited)?, &expected) {
        Ok(edited)
    } else {
        Err(EditError::Style)
    }
}

/// Whatever the reader would complain about cannot be edited safely.
fn parse(text: &str) -> Result<Node, EditError> {
    let mut findings = Findings::default();
    let tree = yaml::read(text, File::Users, &mut findings).ok_or(EditError::Style)?;
    if findings.into_sorted().is_empty() {
        Ok(tree.root)
    } else {
        Err(EditError::Style)
    }
}

fn plan(root: &Node, change: &Change) -> Result<Patch, EditError> {
    let find = |user: &str| {
        model::find(root, &["users", user]).ok_or_else(|| EditError::NoSuchUser(user.to_owned()))
    };
    match change {
        Change::Add(all) => {
            if let Some(known) = all.iter().find(|new| find(&new.user).is_ok()) {
                return Err(EditError::UserExists(known.user.clone()));
            }
            let entries = all
                .iter()
                .map(|new| (new.user.as_str().into(), new.fields()))
                .collect();
            Ok(Patch::Insert {
                path: vec!["users".into()],
                entries,
            })
        }
        Change::AddKey { user, key } => plan_key(find(user)?, user, key),
        Change::SetPassword { user, hash } => {
            let present = find(user)?;
            let variable = model::member(present, "password").is_some_and(model::names_variable);
            if variable || model::member(present, "password_file").is_some() {
                return Err(EditError::Elsewhere("password"));
            }
            Ok(set(present, user, "password", Fresh::Text(hash.clone())))
        }
        Change::RefuseTokensBefore { user, time } => plan_time(find(user)?, user, time),
        Change::AddTotp { user, secret } => plan_totp(find(user)?, user, secret),
        Change::RemoveTotp(user) => plan_no_totp(find(user)?, user),
        Change::Disable(user) => plan_disabled(
            find(user)?,
            user,
            Fresh::True,
            "the user is disabled already",
        ),
        Change::Enable(user) => {
            let present = find(user)?;
            if model::member(present, "disabled").is_none() {
                return Err(EditError::NothingToDo("the user is not disabled"));
            }
            plan_disabled(present, user, Fresh::False, "the user is not disabled")
        }
        Change::Remove(user) => {
            find(user)?;
            Ok(Patch::Remove {
                path: vec!["users".into()],
                key: user.as_str().into(),
            })
        }
    }
}

fn plan_time(present: &Node, user: &str, time: &str) -> Result<Patch, EditError> {
    let key = "tokens_valid_after";
    if model::member(present, key).is_some_and(model::names_variable) {
        return Err(EditError::Elsewhere(key));
    }
    Ok(set(present, user, key, Fresh::Text(time.to_owned())))
}

fn plan_totp(present: &Node, user: &str, secret: &str) -> Result<Patch, EditError> {
    if model::member(present, "totp").is_some_and(|node| !model::is_nothing(node)) {
        return Err(EditError::TotpExists(user.to_owned()));
    }
    Ok(set(present, user, "totp", Fresh::Text(secret.to_owned())))
}

fn plan_no_totp(present: &Node, user: &str) -> Result<Patch, EditError> {
    if model::member(present, "totp").is_none() {
        return Err(EditError::NothingToDo(
            "the user list has no `totp` of the user",
        ));
    }
    Ok(Patch::Remove {
        path: vec!["users".into(), user.into()],
        key: "totp".into(),
    })
}

fn plan_disabled(
    present: &Node,
    user: &str,
    value: Fresh,
    done: &'static str,
) -> Result<Patch, EditError> {
    match model::member(present, "disabled") {
        Some(node) if model::names_variable(node) => Err(EditError::Elsewhere("disabled")),
        Some(node) if model::same(node, &value.to_node()) => Err(EditError::NothingToDo(done)),
        Some(_) | None => Ok(set(present, user, "disabled", value)),
    }
}

fn plan_key(present: &Node, user: &str, key: &NewKey) -> Result<Patch, EditError> {
    let fields = key.fields();
    let Some(keys) = model::member(present, "api_keys").filter(|keys| !model::is_nothing(keys))
    else {
        return Ok(set(present, user, "api_keys", Fresh::List(vec![fields])));
    };
    let Value::List(items) = &keys.value else {
        return Err(EditError::Style);
    };
    let name = Fresh::Text(key.name.clone()).to_node();
    if items
        .iter()
        .filter_map(|item| model::member(item, "name"))
        .any(|other| model::same(other, &name))
    {
        return Err(EditError::KeyExists(key.name.clone()));
    }
    Ok(Patch::Append {
        path: ["users", user, "api_keys"].map(Into::into).into(),
        value: fields,
    })
}

fn set(present: &Node, user: &str, key: &'static str, value: Fresh) -> Patch {
    let path = vec!["users".into(), user.into()];
    match model::member(present, key) {
        Some(_) => Patch::Replace {
            path,
            key: key.into(),
            value,
        },
        None => Patch::Insert {
            path,
            entries: vec![(key.into(), value)],
        },
    }
}

impl NewUser {
    fn fields(&self) -> Fresh {
        let text = |text: &Option<String>| text.clone().map(Fresh::Text);
        let fields = [
            ("password", text(&self.hash)),
            ("roles", Some(Fresh::texts(&self.roles))),
            ("name", text(&self.name)),
            ("email", text(&self.email)),
            ("created", text(&self.created)),
        ];
        Fresh::map(fields)
    }
}

impl NewKey {
    fn fields(&self) -> Fresh {
        let fields = [
            ("name", Some(Fresh::Text(self.name.clone()))),
            ("hash", Some(Fresh::Text(self.hash.clone()))),
            (
                "roles",
                self.roles.as_ref().map(|roles| Fresh::texts(roles)),
            ),
            ("expires", self.expires.clone().map(Fresh::Text)),
        ];
        Fresh::map(fields)
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchUser(user) => write!(f, "there is no user `{user}`; `gatelatch user list` shows all"),
            Self::UserExists(user) => write!(f, "there is a user `{user}` already"),
            Self::KeyExists(name) => write!(f, "the user has a key `{name}` already; give this one another name"),
            Self::TotpExists(user) => write!(
                f,
                "the user has an authenticator app already; `gatelatch user remove-totp {user}` takes it away"
            ),
            Self::NothingToDo(why) => f.write_str(why),
            Self::Elsewhere(key) => {
                write!(f, "the user's `{key}` stands in another file or in a variable; change it there")
            }
            Self::Style => f.write_str(
                "the file is written in a way that cannot be edited without risk; change it by hand, `gatelatch check` looks over it",
            ),
        }
    }
}

impl std::error::Error for EditError {}

#[cfg(test)]
mod tests;
