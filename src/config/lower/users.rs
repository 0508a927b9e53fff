//! `users.yaml`: who exists. Users are lowered one by one while the file is read: a hundred thousand of them never
//! stand in memory as a tree.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::api_keys;
use super::user::{UserNotes, user};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::{Finding, Findings};
use crate::config::reader::{Mark, Reader};
use crate::config::secrecy::SecretPlaces;
use crate::config::shown::shown;
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
    all.notes.report(reader);
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
        let Seen { notes, keys } = &mut self.all;
        match user(entry, self.roles_claim, keys, notes, self.reader) {
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
    notes: Notes,
    keys: api_keys::Seen,
}

/// What is said once of all users.
#[derive(Default)]
struct Notes {
    role_sets: HashSet<Arc<[Box<str>]>>,
    costs: Costs,
    unread: Unread,
}

/// Attributes that are taken and not read, as one note for all of them.
#[derive(Default)]
struct Unread {
    first: Option<(Span, &'static str)>,
    count: usize,
}

impl UserNotes for Notes {
    fn hash(&mut self, user: &str, span: Span, hash: &PasswordHash) {
        self.costs.note((user, span), hash);
    }

    fn role_set(&mut self, roles: Vec<Box<str>>) -> Arc<[Box<str>]> {
        if let Some(known) = self.role_sets.get(&*roles) {
            return Arc::clone(known);
        }
        let roles: Arc<[Box<str>]> = roles.into();
        self.role_sets.insert(Arc::clone(&roles));
        roles
    }

    fn unread(&mut self, attribute: &'static str, span: Span) {
        self.unread.first.get_or_insert((span, attribute));
        self.unread.count += 1;
    }
}

impl Notes {
    fn report(self, reader: &mut Reader<'_>) {
        self.unread.report(reader);
        self.costs.report(reader);
    }
}

impl Unread {
    fn report(&self, reader: &mut Reader<'_>) {
        let Some((first, name)) = self.first else {
            return;
        };
        let others = match self.count - 1 {
            0 => "is".to_owned(),
            1 => "and one more attribute of users are".to_owned(),
            others => format!("and {others} more attributes of users are"),
        };
        let message = format!("`{name}` {others} not read");
        let help = "Authelia's file is taken as it is; what rules or services need of it belongs under `claims`";
        reader.report(Finding::warning(Code::UnreadAttribute, first, message).help(help));
    }
}

/// What the hashes of a list cost, each cost with the first user who has it. They are reported together: a list that was
/// made with one tool has the same everywhere.
#[derive(Default)]
struct Costs(BTreeMap<Work, Cost>);

struct Cost {
    first: (Span, Box<str>),
    users: usize,
}

impl Costs {
    fn note(&mut self, (user, span): (&str, Span), hash: &PasswordHash) {
        let cost = self.0.entry(hash.work()).or_insert_with(|| Cost {
            first: (span, user.into()),
            users: 0,
        });
        cost.users += 1;
    }

    fn report(self, reader: &mut Reader<'_>) {
        self.report_weak(reader);
        self.report_mixed(reader);
    }

    fn report_weak(&self, reader: &mut Reader<'_>) {
        let weak = self.0.iter().filter(|(work, _)| work.is_weak());
        let first = weak.clone().min_by_key(|(_, cost)| cost.first.0);
        let Some((work, Cost { first, .. })) = first else {
            return;
        };
        let (span, user) = (first.0, shown(&first.1));
        let message = match weak.map(|(_, cost)| cost.users).sum::<usize>() - 1 {
            0 => format!("the password hash of `{user}`, {work}, is quick to try"),
            1 => {
                format!("the password hash of `{user}`, {work}, is quick to try, and so is 1 more")
            }
            others => format!(
                "the password hash of `{user}`, {work}, is quick to try, and so are {others} more"
            ),
        };
        let help =
            format!("only a new password gets another hash: `gatelatch user set-password {user}`");
        reader.report(Finding::warning(Code::WeakHash, span, message).help(help));
    }

    /// Refused logins hide the differences, at the price of the costliest.
    fn report_mixed(&self, reader: &mut Reader<'_>) {
        let usual = self
            .0
            .iter()
            .max_by_key(|(work, cost)| (cost.users, **work));
        let Some((usual, _)) = usual else {
            return;
        };
        let others = self.0.iter().filter(|(work, _)| *work != usual);
        let Some((other, Cost { first, .. })) = others.min_by_key(|(_, cost)| cost.first.0) else {
            return;
        };
        let highest = self.0.keys().filter_map(|work| match work {
            Work::Bcrypt { cost } => Some(*cost),
            Work::Argon2id { .. } => None,
        });
        let (span, user) = (first.0, shown(&first.1));
        let named = |work: &Work| match work {
            Work::Bcrypt { .. } => format!("bcrypt of {work}"),
            Work::Argon2id { .. } => format!("argon2id with {work}"),
        };
        let (other, usual) = (named(other), named(usual));
        let message = format!(
            "the hash of `{user}` is {other}, most others are {usual}: every refused login takes as long as the costliest of them"
        );
        let help = format!(
            "give new passwords one cost: `gatelatch user set-password {user} --cost {}`",
            highest.max().unwrap_or(12).max(12)
        );
        reader.report(Finding::warning(Code::MixedCosts, span, message).help(help));
    }
}
