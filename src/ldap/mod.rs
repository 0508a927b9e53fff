//! People of an LDAP directory: found by a service account, proved by a bind with their password, with roles by their groups.
//!
//! `filter` and `dn` are what is compared, `connection` speaks the protocol over the gateway's own dialer, `pool` keeps the
//! connections of the service account, `person` and `groups` read entries, and [`LdapDirectory`] is what others ask. A
//! proxied request never waits for a directory.

mod connection;
mod directories;
mod directory;
mod dn;
mod entry;
mod error;
mod filter;
mod filter_parser;
mod group_roles;
mod groups;
mod pace;
mod person;
mod pool;
mod probe;
mod settings;
mod url;

pub use directories::LdapDirectories;
pub use directory::{LdapCandidate, LdapDirectory, LdapIdentity};
pub use dn::DistinguishedName;
pub use error::LdapFailure;
pub use filter::{FilterError, FilterTemplate, Placeholder, Selectivity};
pub use filter_parser::is_attribute;
pub use group_roles::{DirectoryGroup, GroupRoles};
pub use probe::probe;
pub use settings::{GroupSource, LdapSecurity, LdapSettings, ServiceAccount, UserSearch};
pub use url::{LdapUrl, LdapUrlError};
