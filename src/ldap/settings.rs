//! What a configuration says about a directory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::dn::DistinguishedName;
use super::filter::FilterTemplate;
use super::group_roles::GroupRoles;
use super::url::LdapUrl;
use crate::net::TlsSettings;

/// A directory, and how people are found in it: `auth.ldap`. Two are equal where the same connections serve both.
#[derive(Clone, Debug, PartialEq)]
pub struct LdapSettings {
    /// Where it is.
    pub url: LdapUrl,
    /// How the connection is protected.
    pub security: LdapSecurity,
    /// Who searches; `None`: anonymous.
    pub service_account: Option<ServiceAccount>,
    /// Where people are.
    pub users: UserSearch,
    /// Which groups they are in; `None`: in none.
    pub groups: Option<GroupSource>,
    /// What the groups are worth.
    pub roles: GroupRoles,
    /// How often somebody who is signed in is looked up again; default 15 min.
    pub refresh: Duration,
    /// For everything that a login or a look-up asks of the directory, the connection included; default 5 s.
    pub timeout: Duration,
}

/// How a connection to a directory is protected.
#[derive(Clone, Debug, PartialEq)]
pub enum LdapSecurity {
    /// TLS from the first byte: `ldaps://`.
    Ldaps(Arc<TlsSettings>),
    /// TLS after an extended request in the clear (RFC 4511, section 4.14); there is no way back.
    StartTls(Arc<TlsSettings>),
    /// None: on this very machine only.
    Clear,
}

/// The account of the gateway itself in a directory.
#[derive(Clone)]
pub struct ServiceAccount {
    /// Its name; never empty.
    pub dn: Box<str>,
    /// Its password; never empty.
    pub password: SecretString,
}

/// Where people are, and which of their attributes say who they are.
#[derive(Clone, Debug, PartialEq)]
pub struct UserSearch {
    /// They lie at or below this.
    pub base: DistinguishedName,
    /// Must find exactly one entry for a name.
    pub filter: FilterTemplate,
    /// The attribute that holds the subject: one value.
    pub subject: Box<str>,
    /// The attribute that holds the display name.
    pub name: Box<str>,
    /// The attribute that holds the mail address.
    pub email: Box<str>,
}

/// How the groups of a user are found.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupSource {
    /// By a search for groups that have the user, and then for groups that have those.
    Search {
        /// Groups lie at or below this.
        base: DistinguishedName,
        /// Finds the groups of a name.
        filter: FilterTemplate,
        /// The attribute of a group that holds its name.
        name: Box<str>,
    },
    /// In an attribute of the user, such as `memberOf` of Active Directory, and then of the groups.
    Attribute {
        /// The attribute. Values that are no distinguished names are names of groups themselves.
        attribute: Box<str>,
        /// Only groups at or below this count; `None`: all.
        base: Option<DistinguishedName>,
        /// The attribute of a group that holds its name.
        name: Box<str>,
    },
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.dn)
    }
}

impl PartialEq for ServiceAccount {
    fn eq(&self, other: &Self) -> bool {
        self.dn == other.dn && self.password.expose_secret() == other.password.expose_secret()
    }
}
