//! `auth.ldap`: a directory whose people may sign in.

use std::sync::Arc;
use std::time::Duration;

use super::upstream::{SystemRoots, authorities};
use super::{label, roles};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::span::{Span, narrow};
use crate::config::yaml::{Entry, Value};
use crate::ldap::{
    DistinguishedName, FilterTemplate, GroupRoles, GroupSource, LdapSecurity, LdapSettings,
    LdapUrl, LdapUrlError, Placeholder, Selectivity, ServiceAccount, UserSearch, is_attribute,
};
use crate::net::TlsSettings;

/// The directory; `Some(None)` where there is none.
pub(super) fn ldap(
    entry: Option<Entry>,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Option<Option<LdapSettings>> {
    let Some(entry) = entry.filter(|entry| !reader.is_nothing(entry)) else {
        return Some(None);
    };
    let mut section = reader.section(entry, &blocks::LDAP)?;
    let url = section
        .require(reader, "url", "ldaps://ldap.example.com")
        .and_then(|entry| url(&entry, reader).map(|url| (url, entry.node.span)));
    let security = security(url.as_ref(), &mut section, roots, reader);
    let service_account = service_account(&mut section, reader);
    let users = section
        .require(reader, "users", "{ base: \"ou=people,dc=example,dc=com\" }")
        .and_then(|entry| users(entry, reader));
    let groups = match section.take("groups") {
        Some(entry) => groups(entry, reader).map(Some),
        None => Some(None),
    };
    let roles = match section.take("roles") {
        Some(entry) => {
            if matches!(groups, Some(None)) {
                lint_groups(&entry, reader);
            }
            role_map(entry, reader)
        }
        None => Some(GroupRoles::names()),
    };
    let (mut refresh, mut timeout) = (Duration::from_secs(15 * 60), Duration::from_secs(5));
    section.duration("refresh", &mut refresh, blocks::REFRESHES, reader);
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(60));
    section.duration("timeout", &mut timeout, least..=most, reader);
    section.finish(reader);
    Some(Some(LdapSettings {
        url: url?.0,
        security: security?,
        service_account: service_account?,
        users: users?,
        groups: groups?,
        roles: roles?,
        refresh,
        timeout,
    }))
}

fn url(entry: &Entry, reader: &mut Reader<'_>) -> Option<LdapUrl> {
    let text = reader.filled_text(entry)?;
    let error = match LdapUrl::parse(&text) {
        Ok(url) => return Some(url),
        Err(error) => error,
    };
    let span = entry.node.span;
    let help = match error {
        LdapUrlError::Malformed => "write a URL such as `ldaps://ldap.example.com`",
        LdapUrlError::UserInfo => "write the URL without it, and `bind_dn` and `bind_password`",
        LdapUrlError::Search => "write the server alone, and where people are in `users.base`",
    };
    let finding = Finding::error(
        Code::InvalidValue,
        span,
        "`url` expects the URL of a directory",
    );
    reader.report(finding.conceal(span).help(help));
    None
}

/// TLS in one of its ways, or none on this very machine. `None` where something is refused, or the URL is already.
fn security(
    url: Option<&(LdapUrl, Span)>,
    section: &mut Section,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Option<LdapSecurity> {
    let (start, ca) = (section.take("starttls"), section.take("ca"));
    let starts = match &start {
        Some(entry) => reader.boolean(entry)?,
        None => false,
    };
    let (url, span) = url?;
    let mut refuse = |span: Span, message: &str, help: &str| {
        reader.report(Finding::error(Code::InvalidValue, span, message).help(help));
    };
    match start {
        Some(start) if starts && url.is_ldaps() => {
            let message = "`starttls` is set, and `ldaps://` begins with TLS already";
            refuse(
                start.key_span,
                message,
                "take `starttls` away, or write `ldap://`",
            );
            return None;
        }
        Some(_) | None => {}
    }
    if !url.is_ldaps() && !starts {
        if !url.is_loopback() {
            let message = "passwords would go to the directory in the clear";
            refuse(
                *span,
                message,
                "write `ldaps://`, or `starttls: true` beside `ldap://`",
            );
            return None;
        }
        if let Some(ca) = ca {
            let message = "`ca` is given, but no TLS is spoken";
            refuse(
                ca.key_span,
                message,
                "write `ldaps://` or `starttls: true`, or take `ca` away",
            );
            return None;
        }
        return Some(LdapSecurity::Clear);
    }
    let tls: Arc<TlsSettings> = match ca {
        Some(entry) => authorities(&entry, reader)?,
        None => Arc::new(roots.tls()),
    };
    Some(if starts {
        LdapSecurity::StartTls(tls)
    } else {
        LdapSecurity::Ldaps(tls)
    })
}

/// `bind_dn` and its password: both, or none.
fn service_account(
    section: &mut Section,
    reader: &mut Reader<'_>,
) -> Option<Option<ServiceAccount>> {
    let dn = section.take("bind_dn");
    let (inline, file) = (
        section.take("bind_password"),
        section.take("bind_password_file"),
    );
    let given = inline
        .as_ref()
        .or(file.as_ref())
        .map(|entry| entry.key_span);
    let (dn, password) = match (dn, given) {
        (None, None) => return Some(None),
        (Some(dn), Some(_)) => (dn, reader.secret(inline, file)),
        (Some(dn), None) => {
            let message = "`bind_dn` is given without a password";
            let help = "write `bind_password: ${VARIABLE}` or `bind_password_file`; to search anonymously, take `bind_dn` away";
            reader.report(Finding::error(Code::MissingKey, dn.key_span, message).help(help));
            return None;
        }
        (None, Some(span)) => {
            let message = "a password is given without `bind_dn`";
            let help = "write the name of the account in `bind_dn`";
            reader.report(Finding::error(Code::MissingKey, span, message).help(help));
            return None;
        }
    };
    // Active Directory takes `user@domain` and `DOMAIN\user` as well
    let name = label(&dn, reader);
    let (span, password) = password?;
    if password.is_empty() || password.contains('\0') {
        let message = "the password of `bind_dn` is empty, or holds a NUL";
        let help = "an empty password is an anonymous bind, which succeeds at many directories";
        reader.report(Finding::error(Code::EmptyValue, span, message).help(help));
        return None;
    }
    Some(Some(ServiceAccount {
        dn: name?.into(),
        password: password.into(),
    }))
}

fn users(entry: Entry, reader: &mut Reader<'_>) -> Option<UserSearch> {
    let mut section = reader.section(entry, &blocks::LDAP_USERS)?;
    let base = section
        .require(reader, "base", "\"ou=people,dc=example,dc=com\"")
        .and_then(|entry| name(&entry, reader));
    let filter = match section.take("filter") {
        Some(entry) => filter(&entry, &USERS_FILTER, reader),
        None => default_filter("(uid={username})"),
    };
    let subject = attribute(&mut section, "subject", "uid", reader);
    let name = attribute(&mut section, "name", "cn", reader);
    let email = attribute(&mut section, "email", "mail", reader);
    section.finish(reader);
    Some(UserSearch {
        base: base?,
        filter: filter?,
        subject: subject?,
        name: name?,
        email: email?,
    })
}

fn groups(entry: Entry, reader: &mut Reader<'_>) -> Option<GroupSource> {
    let mut section = reader.section(entry, &blocks::LDAP_GROUPS)?;
    let span = section.span();
    let base = section.take("base").map(|entry| name(&entry, reader));
    let written = section.take("filter");
    let by_attribute = section.take("attribute");
    let name = attribute(&mut section, "name", "cn", reader);
    section.finish(reader);
    if let Some(entry) = by_attribute {
        if let Some(filter) = written {
            let message = "`filter` is given as well as `attribute`";
            let finding = Finding::error(Code::TwoSpellings, filter.key_span, message);
            let finding = finding.note(entry.key_span, "first given here");
            reader.report(finding.help("take one of them away"));
            return None;
        }
        return Some(GroupSource::Attribute {
            attribute: attribute_name(&entry, reader)?,
            base: base.map_or(Some(None), |base| base.map(Some))?,
            name: name?,
        });
    }
    let filter = match written {
        Some(entry) => filter(&entry, &GROUPS_FILTER, reader),
        None => default_filter("(member={dn})"),
    };
    let Some(base) = base else {
        let message = "`groups` needs `base` or `attribute`";
        let help = "write `base: \"ou=groups,dc=example,dc=com\"`, or `attribute: memberOf`";
        reader.report(Finding::error(Code::MissingKey, span, message).help(help));
        return None;
    };
    Some(GroupSource::Search {
        base: base?,
        filter: filter?,
        name: name?,
    })
}

/// Roles by groups that nobody looks for.
fn lint_groups(roles: &Entry, reader: &mut Reader<'_>) {
    let Value::Map(lines) = &roles.node.value else {
        return;
    };
    let Some(line) = lines.iter().find(|line| &*line.key != "*") else {
        return;
    };
    let message = "nobody is in a group: `auth.ldap` has no `groups`";
    let finding = Finding::warning(Code::NoGroups, line.key_span, message);
    reader.report(finding.help(
        "write `groups: { base: \"ou=groups,dc=example,dc=com\" }`, or `groups: { attribute: memberOf }`",
    ));
}

fn role_map(entry: Entry, reader: &mut Reader<'_>) -> Option<GroupRoles> {
    let lines: Vec<_> = reader
        .map(entry)?
        .into_iter()
        .map(|line| {
            let group = line.key.to_string();
            let why = "write the roles that the group is worth, or take it away";
            Some((group, roles(line, reader, Some(why))?))
        })
        .collect();
    let lines: Option<Vec<_>> = lines.into_iter().collect();
    Some(GroupRoles::mapped(lines?))
}

/// Which placeholders a filter must have, and which it may not.
struct FilterKind {
    one_of: &'static [Placeholder],
    never: &'static [Placeholder],
    without: &'static str,
    by_part: &'static str,
    by_nothing: &'static str,
    help: &'static str,
}

const USERS_FILTER: FilterKind = FilterKind {
    one_of: &[Placeholder::Username],
    never: &[Placeholder::Dn],
    without: "the filter finds the same whoever signs in: it has no `{username}`",
    by_part: "the filter finds people who are called otherwise than what is typed",
    by_nothing: "the filter finds people whatever name is typed: `{username}` stands within `!`, or beside an alternative",
    help: "write `(uid={username})`; for Active Directory `(sAMAccountName={username})`",
};

const GROUPS_FILTER: FilterKind = FilterKind {
    one_of: &[Placeholder::Dn, Placeholder::Username],
    never: &[],
    without: "the filter finds the same for everybody: it has neither `{dn}` nor `{username}`",
    by_part: "the filter finds groups of people who are called otherwise",
    by_nothing: "the filter finds groups that the user is not in: the placeholder stands within `!`, or beside an alternative",
    help: "write `(member={dn})`; for groups of POSIX `(memberUid={username})`",
};

fn filter(entry: &Entry, kind: &FilterKind, reader: &mut Reader<'_>) -> Option<FilterTemplate> {
    let text = reader.filled_text(entry)?;
    let span = entry.node.span;
    let filter = match FilterTemplate::parse(&text) {
        Ok(filter) => filter,
        Err(error) => {
            let place = place_in(entry, &text, error.at, error.length);
            let message = format!("no filter: {}", error.message);
            let finding = Finding::error(Code::InvalidValue, place.unwrap_or(span), message);
            reader.report(finding.help(error.help));
            return None;
        }
    };
    let (message, help) = if !kind.one_of.iter().any(|one| filter.uses(*one)) {
        (kind.without, kind.help)
    } else if kind.never.iter().any(|one| filter.uses(*one)) {
        let message = "`{dn}` is not known before the entry is found";
        (message, "it belongs into `groups.filter`")
    } else {
        lint_filter(&filter, kind, span, reader);
        return Some(filter);
    };
    reader.report(Finding::error(Code::InvalidValue, span, message).help(help));
    None
}

/// A filter whose placeholders do not choose what is found.
fn lint_filter(filter: &FilterTemplate, kind: &FilterKind, span: Span, reader: &mut Reader<'_>) {
    let message = match filter.selectivity(kind.one_of) {
        Selectivity::Whole => return,
        Selectivity::Part => kind.by_part,
        Selectivity::Nothing => kind.by_nothing,
    };
    let finding = Finding::warning(Code::LooseFilter, span, message);
    reader.report(finding.help(kind.help));
}

/// Where a piece of a text stands in the file, if the text is written as it is read.
fn place_in(entry: &Entry, text: &str, at: usize, length: usize) -> Option<Span> {
    let span = entry.node.span;
    let quotes = match &entry.node.value {
        Value::Plain(_) => 0,
        Value::Quoted(_) => 1,
        Value::List(_) | Value::Map(_) | Value::Broken => return None,
    };
    let width = span.end.column.checked_sub(span.start.column)?;
    let written = narrow(text.chars().count()) + 2 * quotes;
    // what is in quotes may end one character later
    let exact = span.start.line == span.end.line && (width == written || width == written + quotes);
    exact.then(|| span.part(narrow(at) + quotes, narrow(length)))
}

fn default_filter(text: &str) -> Option<FilterTemplate> {
    FilterTemplate::parse(text).ok()
}

fn name(entry: &Entry, reader: &mut Reader<'_>) -> Option<DistinguishedName> {
    let text = label(entry, reader)?;
    let name = DistinguishedName::parse(&text);
    if name.is_none() {
        let help = "write a name such as `ou=people,dc=example,dc=com`".to_owned();
        reader.invalid(entry, "a distinguished name", help);
    }
    name
}

fn attribute(
    section: &mut Section,
    key: &'static str,
    default: &str,
    reader: &mut Reader<'_>,
) -> Option<Box<str>> {
    match section.take(key) {
        Some(entry) => attribute_name(&entry, reader),
        None => Some(default.into()),
    }
}

fn attribute_name(entry: &Entry, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let text = label(entry, reader)?;
    if is_attribute(&text) {
        return Some(text.into());
    }
    let help = "write a name such as `uid` or `sAMAccountName`".to_owned();
    reader.invalid(entry, "the name of an attribute", help);
    None
}
