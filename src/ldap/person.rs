//! Somebody's entry.

use std::time::Instant;

use ldap3_proto::proto::{LdapDerefAliases, LdapFilter, LdapSearchRequest, LdapSearchScope};

use super::connection::{SearchAnswer, SearchEnd};
use super::entry::{Entry, LOCKS};
use super::error::LdapError;
use super::pool::Pool;
use super::settings::{GroupSource, LdapSettings, UserSearch};
use crate::ambient;
use crate::token::is_valid_subject;

/// Somebody's entry, as far as it says who they are.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) subject: Box<str>,
    pub(super) name: Option<Box<str>>,
    pub(super) email: Option<Box<str>>,
    pub(super) entry: Entry,
}

/// What a search for people finds.
#[derive(Debug)]
pub(super) enum Found {
    One(Box<Person>),
    /// Nobody; or why the one that there is, or the several, cannot sign in.
    Nobody(Option<String>),
}

/// Looks for the one entry that a filter finds.
pub(super) async fn find(
    pool: &Pool,
    settings: &LdapSettings,
    filter: LdapFilter,
    deadline: Instant,
) -> Result<Found, LdapError> {
    let users = &settings.users;
    let mut attributes: Vec<&str> = vec![&users.subject, &users.name, &users.email];
    if let Some(GroupSource::Attribute { attribute, .. }) = &settings.groups {
        attributes.push(attribute);
    }
    attributes.extend(LOCKS);
    let search = search(users.base.as_str(), filter, 2, &attributes);
    let mut answers = pool.search(settings, &[search], deadline).await?;
    let Some(answer) = answers.pop() else {
        return Ok(Found::Nobody(None));
    };
    judge(answer, users, ambient::unix_seconds())
}

fn judge(answer: SearchAnswer, users: &UserSearch, now: u64) -> Result<Found, LdapError> {
    let SearchAnswer { mut entries, end } = answer;
    match end {
        SearchEnd::Failed(why) => return Err(LdapError::unavailable(format!("no search: {why}"))),
        SearchEnd::Absent => {
            let base = &users.base;
            let why = format!("`{base}`, the base of `users`, does not exist, or may not be read");
            return Err(LdapError::Unavailable(why));
        }
        SearchEnd::Limited | SearchEnd::Complete => {}
    }
    let (entry, several) = (entries.pop(), !entries.is_empty());
    let Some(entry) = entry else {
        return Ok(Found::Nobody(None));
    };
    let dn = entry.dn.clone();
    if several || end == SearchEnd::Limited {
        let why = format!("more than one entry has this name, `{dn}` among them");
        return Ok(Found::Nobody(Some(why)));
    }
    if dn.trim().is_empty() {
        return Ok(Found::Nobody(Some("the entry has no name".to_owned())));
    }
    if entry.is_locked(now) {
        return Ok(Found::Nobody(Some(format!("`{dn}` is disabled"))));
    }
    match person(entry, users) {
        Ok(person) => Ok(Found::One(Box::new(person))),
        Err(LdapError::Unusable(why)) => Ok(Found::Nobody(Some(why))),
        Err(error) => Err(error),
    }
}

/// Who an entry is.
///
/// # Errors
/// [`LdapError::Unusable`] where its subject is not one name.
pub(super) fn person(entry: Entry, users: &UserSearch) -> Result<Person, LdapError> {
    let attribute = &users.subject;
    let values = entry.texts(attribute)?;
    let subject = match *values {
        [subject] if is_valid_subject(subject) => subject.into(),
        [_] => {
            let why = format!("`{attribute}` of `{}` cannot be a subject", entry.dn);
            return Err(LdapError::Unusable(why));
        }
        _ => {
            let count = values.len();
            let why = format!("`{}` has {count} values of `{attribute}`", entry.dn);
            return Err(LdapError::Unusable(why));
        }
    };
    Ok(Person {
        subject,
        name: entry.shown(&users.name),
        email: entry.shown(&users.email),
        entry,
    })
}

/// A search of a whole tree.
pub(super) fn search(
    base: &str,
    filter: LdapFilter,
    most: i32,
    attributes: &[&str],
) -> LdapSearchRequest {
    LdapSearchRequest {
        base: base.to_owned(),
        scope: LdapSearchScope::Subtree,
        aliases: LdapDerefAliases::Never,
        sizelimit: most,
        timelimit: 0,
        typesonly: false,
        filter,
        attrs: attributes.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A look at one entry.
pub(super) fn read(dn: &str, attributes: &[&str]) -> LdapSearchRequest {
    LdapSearchRequest {
        scope: LdapSearchScope::Base,
        ..search(
            dn,
            LdapFilter::Present("objectClass".to_owned()),
            1,
            attributes,
        )
    }
}
