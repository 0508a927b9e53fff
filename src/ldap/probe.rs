//! Looks once whether a directory can be used.

use std::time::Duration;

use ldap3_proto::proto::LdapSearchRequest;
use tokio::time::timeout_at;

use super::connection::{Connection, SearchEnd};
use super::dn::DistinguishedName;
use super::entry::Entry;
use super::error::LdapError;
use super::filter::FilterValues;
use super::person::{read, search};
use super::pool::{connect, late};
use super::settings::{GroupSource, LdapSettings};
use crate::ambient;

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

/// Somebody who could sign in.
async fn sample(connection: &mut Connection, settings: &LdapSettings) -> Result<Entry, LdapError> {
    let users = &settings.users;
    base(connection, "users", &users.base).await?;
    let filter = users.filter.fill_for_anybody(&users.subject);
    let search = search(users.base.as_str(), filter, 1, &[&users.subject]);
    let found = ask(connection, search, "`users.filter`").await?;
    let Some(entry) = found else {
        let why = format!(
            "below `{}` nobody is found by `users.filter` who has the attribute `{}`",
            users.base, users.subject
        );
        return Err(LdapError::Unusable(why));
    };
    match entry.texts(&users.subject)?.len() {
        1 => Ok(entry),
        count => {
            let (dn, subject) = (&entry.dn, &users.subject);
            let why = format!("`{dn}` has {count} values of `{subject}`, of which it needs one");
            Err(LdapError::Unusable(why))
        }
    }
}

async fn groups(
    connection: &mut Connection,
    settings: &LdapSettings,
    person: &Entry,
) -> Result<(), LdapError> {
    match &settings.groups {
        Some(GroupSource::Search {
            base: at,
            filter,
            name,
        }) => {
            base(connection, "groups", at).await?;
            let values = FilterValues {
                username: &person.shown(&settings.users.subject).unwrap_or_default(),
                dn: &person.dn,
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
    if ask(connection, look, &what).await?.is_some() {
        return Ok(());
    }
    let why = format!("`{dn}`, the base of `{of}`, does not exist, or may not be read");
    Err(LdapError::Unusable(why))
}

async fn ask(
    connection: &mut Connection,
    search: LdapSearchRequest,
    what: &str,
) -> Result<Option<Entry>, LdapError> {
    let Some(mut answer) = connection.search(&[search]).await?.pop() else {
        return Ok(None);
    };
    match answer.end {
        SearchEnd::Failed(why) => Err(LdapError::Unusable(format!(
            "a search with {what} fails: {why}"
        ))),
        SearchEnd::Complete | SearchEnd::Limited | SearchEnd::Absent => Ok(answer.entries.pop()),
    }
}
