//! The user list alone, for commands that change it: what is wrong with the rest of the configuration does not matter.

use std::path::PathBuf;
use std::sync::Arc;

use super::excerpt::Source;
use super::files::{Files, beside};
use super::finding::Findings;
use super::load::{LoadRequest, dotenv};
use super::lower::{self, Defaults, UsersFile, UsersRead};
use super::partial::{ask, problems};
use super::problem::Problems;
use super::reader::Reader;
use super::span::File;
use crate::token::ClaimPath;
use crate::users::User;

/// Where the users are, and what the configuration says about them.
#[derive(Clone, Debug)]
pub struct UsersPlace {
    /// The users file, which need not exist.
    pub path: PathBuf,
    roles_claim: ClaimPath,
}

/// Asks the configuration where the users are.
///
/// # Errors
/// The problems of a configuration that cannot be read, or does not say it.
pub fn find_users(request: &LoadRequest) -> Result<UsersPlace, Problems> {
    ask(request, |root, reader| {
        let defaults = Defaults {
            fallback_secret: &request.fallback_secret,
            cores: request.cores,
        };
        let draft = lower::config(root, &defaults, reader);
        let path = match draft.users_file {
            UsersFile::Named(path, _) => path,
            UsersFile::Default => beside(&request.path, "users.yaml"),
            UsersFile::Broken => return None,
        };
        Some(UsersPlace {
            path,
            roles_claim: draft.roles_claim,
        })
    })
}

/// Reads the users out of the text of their file, in its order.
///
/// # Errors
/// Every problem of the text.
pub fn read_users(
    request: &LoadRequest,
    place: &UsersPlace,
    text: &str,
) -> Result<Vec<Arc<User>>, Problems> {
    let mut sources = Vec::new();
    let (mut files, mut findings) = (Files::default(), Findings::default());
    let variables = dotenv(request, &mut files, &mut findings, &mut sources);
    let mut reader = Reader::new(variables, findings, files, &request.path);
    reader.enter_users(&place.path);
    let UsersRead { list, secrets } = lower::users(text, &place.roles_claim, &mut reader);
    sources.push(Source {
        file: File::Users,
        path: place.path.clone(),
        text: text.to_owned(),
        secrets,
    });
    let problems = problems(reader, &sources);
    if problems.errors() > 0 {
        return Err(problems);
    }
    let directory = list.unwrap_or_default().directory;
    Ok(directory.users().cloned().collect())
}
