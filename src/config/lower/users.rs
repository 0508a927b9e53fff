//! `users.yaml`: who exists. Users are lowered one by one while the file is read: a hundred thousand of them never
//! stand in memory as a tree.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use super::api_keys;
use super::user::user;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::{Finding, Findings};
use crate::config::reader::{Mark, Reader};
use crate::config::secrecy::SecretPlaces;
use crate::config::span::{File, Span};
use crate::config::yaml::{self, Entry, Harvest};
use crate::token::ClaimPath;
use crate::users::{Directory, Enrolment, PasswordHash, Work};

/// What a users file holds.
#[derive(Default)]
pub(in crate::config) struct UserList {
    pub(in crate::config) directory: Directory,
    /// The place of each user's name, by the user's number.
    pub(in crate::config) places: Vec<Span>,
}

/// A users file as it was read: its users, and where its secrets lie. Both are `None` where it is not YAML.
pub(in crate::config) struct UsersRead {
    pub(in crate::config) list: Option<UserList>,
    pub(in crate::config) secrets: Option<Vec<Span>>,
}

/// Reads and lowers the text of a users file.
pub(in crate::config) fn users(
    text: &str,
    roles_claim: &ClaimPath,
    reader: &mut Reader<'_>,
) -> UsersRead {
    let mark = reader.mark();
    let mut findings = Findings::default();
    let mut lowering = Lowering::new(roles_claim, reader);
    let tree = yaml::read_along(text, File::Users, &mut lowering, &mut findings);
    let Lowering {
        mut secrets,
        enrolment,
        places,
        all,
        reader,
        ..
    } = lowering;
    let Some(tree) = tree else {
        give_up(reader, &mark, findings);
        return UsersRead {
            list: None,
            secrets: None,
        };
    };
    reader.precede(&mark, findings);
    secrets.tree(&tree);
    check_root(tree.root, reader);
    all.costs.report(reader);
    let list = UserList {
        directory: enrolment.finish(),
        places,
    };
    UsersRead {
        list: Some(list),
        secrets: Some(secrets.into_spans()),
    }
}

/// Of a file that breaks off, only why is said.
fn give_up(reader: &mut Reader<'_>, mark: &Mark, findings: Findings) {
    reader.roll_back(mark);
    reader.precede(mark, findings);
}

/// What stands around the users, who are gone from the tree.
fn check_root(root: yaml::Node, reader: &mut Reader<'_>) {
    let span = root.span;
    let root = Entry {
        key: reader.file_name(span),
        key_span: span,
        node: root,
    };
    let Some(mut top) = reader.section(root, &blocks::USERS) else {
        return;
    };
    let list = top.require(
        reader,
        "users",
        "{ alice: { password: $2b$12$…, roles: [admin] } }",
    );
    top.finish(reader);
    if let Some(entry) = list {
        reader.map(entry);
    }
}

/// Users, while they are lowered.
struct Lowering<'a, 'r> {
    roles_claim: &'a ClaimPath,
    reader: &'a mut Reader<'r>,
    secrets: SecretPlaces,
    enrolment: Enrolment,
    places: Vec<Span>,
    /// Names of users that were refused.
    refused: HashMap<Box<str>, Span>,
    all: Seen,
}

impl<'a, 'r> Lowering<'a, 'r> {
    fn new(roles_claim: &'a ClaimPath, reader: &'a mut Reader<'r>) -> Self {
        Self {
            roles_claim,
            reader,
            secrets: SecretPlaces::default(),
            enrolment: Enrolment::default(),
            places: Vec::new(),
            refused: HashMap::new(),
            all: Seen::default(),
        }
    }
}

impl Harvest for Lowering<'_, '_> {
    const KEY: &'static str = "users";

    fn first(&self, key: &str) -> Option<Span> {
        match self.enrolment.number(key) {
            Some(number) => self.places.get(number).copied(),
            None => self.refused.get(key).copied(),
        }
    }

    fn take(&mut self, entry: Entry) {
        self.secrets.user(&entry);
        let (name, span) = (entry.key.clone(), entry.key_span);
        let Seen { costs, keys } = &mut self.all;
        let mut note_hash = |span, hash: &PasswordHash| costs.note(span, hash);
        match user(entry, self.roles_claim, keys, &mut note_hash, self.reader) {
            Some(user) => {
                self.enrolment.add(user);
                self.places.push(span);
            }
            None => {
                self.refused.insert(name, span);
            }
        }
    }
}

/// What is to be known of all users together.
#[derive(Default)]
struct Seen {
    costs: Costs,
    keys: api_keys::Seen,
}

/// What the hashes of a list cost, each cost with its first place. They are reported together: a list that was made
/// with one tool has the same everywhere.
#[derive(Default)]
struct Costs(BTreeMap<Work, (Span, usize)>);

impl Costs {
    fn note(&mut self, span: Span, hash: &PasswordHash) {
        self.0.entry(hash.work()).or_insert((span, 0)).1 += 1;
    }

    fn report(self, reader: &mut Reader<'_>) {
        self.report_weak(reader);
        self.report_mixed(reader);
    }

    fn report_weak(&self, reader: &mut Reader<'_>) {
        let weak = self.0.iter().filter(|(work, _)| work.is_weak());
        let Some((span, work)) = weak.clone().map(|(work, (span, _))| (*span, *work)).min() else {
            return;
        };
        let others = weak.map(|(_, (_, count))| count).sum::<usize>() - 1;
        let message = match others {
            0 => format!("a password hash of {work} is quick to try"),
            others => {
                format!("a password hash of {work} is quick to try, and so are {others} more")
            }
        };
        let finding = Finding::warning(Code::WeakHash, span, message);
        reader.report(finding.help("hash the password again with `gatelatch hash --cost 12`"));
    }

    /// Refused logins hide the differences, at the price of the costliest.
    fn report_mixed(&self, reader: &mut Reader<'_>) {
        let usual = self
            .0
            .iter()
            .max_by_key(|(work, (_, count))| (*count, **work));
        let Some((usual, _)) = usual else {
            return;
        };
        let others = self.0.iter().filter(|(work, _)| *work != usual);
        let Some((span, other)) = others.map(|(work, (span, _))| (*span, *work)).min() else {
            return;
        };
        let highest = self.0.keys().filter_map(|work| match work {
            Work::Bcrypt { cost } => Some(*cost),
            Work::Argon2id { .. } => None,
        });
        let message = format!(
            "a hash of {other} among others of {usual}: every refused login does the work of the costliest"
        );
        let finding = Finding::warning(Code::MixedCosts, span, message);
        let help = format!(
            "hash the passwords again with one cost: `gatelatch hash --cost {}`",
            highest.max().unwrap_or(12).max(12)
        );
        reader.report(finding.help(help));
    }
}
