//! Looks once whether a directory can be used.

use std::time::Duration;

use ldap3_proto::proto::LdapSearchRequest;
use tokio::time::timeout_at;

use super::connection::{Connection, SearchEnd};
use super::dn::DistinguishedName;
use super::entry::Entry;
use super::error::LdapError;
use super::filter::FilterValues;
use super::person::{Person, person, read, search};
use super::pool::{connect, late};
use super::settings::{GroupSource, LdapSettings};
use crate::ambient;

/// Entries that are looked at for one that could sign in.
const SAMPLES: i32 = 20;

/// Connects within `limit` as the gateway does, binds the service account, looks for the bases, and searches for anybody
/// whom the filter of the users finds, and for the groups of that one.
///
/// # Errors
/// What is not as the configuration says, in words.
pub async fn probe(settings: &LdapSettings, limit: Duration) -> Result<(), String> {
    let deadline = ambient::now() + limit;
    let whole = async {
        let mut connection = connect(settings, deadline).await?;
        let person = sample(&mut connection, settings).await?;
        groups(&mut connection, settings, &person).await
    };
    let probed = timeout_at(deadline.into(), whole).await;
    let probed = probed.unwrap_or_else(|_| Err(late(settings)));
    probed.map_err(|error| error.to_string())
}

/// Somebody who could sign in. An entry that could not, among others that can, says nothing about the directory.
async fn sample(connection: &mut Connection, settings: &LdapSettings) -> Result<Person, LdapError> {
    let users = &settings.users;
    base(connection, "users", &users.base).await?;
    let filter = users.filter.fill_for_anybody(&users.subject);
    let search = search(users.base.as_str(), filter, SAMPLES, &[&users.subject]);
    let entries = ask(connection, search, "`users.filter`").await?;
    let mut why = None;
    for entry in entries {
        match person(entry, users) {
            Ok(person) => return Ok(person),
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or_else(|| {
        let (base, subject) = (&users.base, &users.subject);
        LdapError::Unusable(format!(
            "below `{base}` nobody is found by `users.filter` who has the attribute `{subject}`"
        ))
    }))
}

async fn groups(
    connection: &mut Connection,
    settings: &LdapSettings,
    person: &Person,
) -> Result<(), LdapError> {
    match &settings.groups {
        Some(GroupSource::Search {
            base: at,
            filter,
            name,
        }) => {
            base(connection, "groups", at).await?;
            let values = FilterValues {
                username: &person.subject,
                dn: &person.entry.dn,
            };
            let search = search(at.as_str(), filter.fill(values), 1, &[name]);
            ask(connection, search, "`groups.filter`").await.map(drop)
        }
        Some(GroupSource::Attribute { base: Some(at), .. }) => base(connection, "groups", at).await,
        Some(GroupSource::Attribute { base: None, .. }) | None => Ok(()),
    }
}

async fn base(
    connection: &mut Connection,
    of: &str,
    dn: &DistinguishedName,
) -> Result<(), LdapError> {
    let what = format!("`{of}.base`");
    let look = read(dn.as_str(), &["objectClass"]);
    if !ask(connection, look, &what).await?.is_empty() {
        return Ok(());
    }
    let why = format!("`{dn}`, the base of `{of}`, does not exist, or may not be read");
    Err(LdapError::Unusable(why))
}

async fn ask(
    connection: &mut Connection,
    search: LdapSearchRequest,
    what: &str,
) -> Result<Vec<Entry>, LdapError> {
    let Some(answer) = connection.search(&[search]).await?.pop() else {
        return Ok(Vec::new());
    };
    match answer.end {
        SearchEnd::Failed(why) => Err(LdapError::Unusable(format!(
            "a search with {what} fails: {why}"
        ))),
        SearchEnd::Complete | SearchEnd::Limited | SearchEnd::Absent => Ok(answer.entries),
    }
}
