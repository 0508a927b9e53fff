//! One answer out of a configuration, for commands to which it does not matter what is wrong with the rest.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::excerpt::{Source, seal};
use super::load::{LoadRequest, begin};
use super::lower;
use super::problem::Problems;
use super::reader::Reader;
use super::yaml::Node;

/// Where the admin listener is; `None` where it is off. Nothing else of the configuration is looked at, no variable
/// replaced and no other file read, but for the `.env`.
///
/// # Errors
/// The problems of a configuration that cannot be read, or does not say it.
pub fn find_admin(request: &LoadRequest) -> Result<Option<SocketAddr>, Problems> {
    ask(request, lower::admin_listener)
}

/// How an operator reaches the admin listener.
#[derive(Debug)]
pub struct AdminAccess {
    /// Where it is; `None` where it is off.
    pub listen: Option<SocketAddr>,
    /// `admin.token`, where it is set.
    pub token: Option<SecretString>,
}

/// Where the admin listener is, and what it wants to be shown.
///
/// # Errors
/// As [`find_admin`].
pub fn find_admin_access(request: &LoadRequest) -> Result<AdminAccess, Problems> {
    let (listen, token) = ask(request, lower::admin_access)?;
    Ok(AdminAccess { listen, token })
}

/// What `read` makes of the tree of the configuration. Findings do not matter where it gives something.
///
/// # Errors
/// The problems that are found on the way to nothing.
pub(super) fn ask<T>(
    request: &LoadRequest,
    read: impl FnOnce(Node, &mut Reader<'_>) -> Option<T>,
) -> Result<T, Problems> {
    let mut sources = Vec::new();
    let (root, mut reader) = begin(request, &mut sources);
    let answer = root.and_then(|root| read(root, &mut reader));
    answer.ok_or_else(|| problems(reader, &sources))
}

/// What was found, with the lines that it is about.
pub(super) fn problems(reader: Reader<'_>, sources: &[Source]) -> Problems {
    let (findings, files) = reader.finish();
    Problems::new(seal(findings.into_sorted(), sources), files.finish().0)
}
