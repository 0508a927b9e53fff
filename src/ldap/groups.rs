//! Which groups somebody is in, groups of groups included.

use std::collections::HashSet;
use std::time::Instant;

use super::connection::{SearchAnswer, SearchEnd};
use super::dn::DistinguishedName;
use super::entry::Entry;
use super::error::LdapError;
use super::filter::{FilterTemplate, FilterValues, Placeholder};
use super::group_roles::DirectoryGroup;
use super::person::{Person, read, search};
use super::pool::Pool;
use super::settings::{GroupSource, LdapSettings};

/// How many groups may lie in each other.
const DEEPEST: usize = 10;

/// The most groups that are looked at.
const MOST: usize = 1000;

/// So many questions are asked at once.
const AT_ONCE: usize = 16;

/// So many pieces of an attribute are asked for.
const MOST_PIECES: usize = 64;

/// The most bytes of a group's name.
const LONGEST_NAME: usize = 255;

/// A way to the groups of one person. Each group is looked at once, so that groups that are in each other end.
pub(super) struct GroupWalk<'a> {
    pub(super) pool: &'a Pool,
    pub(super) settings: &'a LdapSettings,
    pub(super) deadline: Instant,
    visited: HashSet<DistinguishedName>,
    found: Vec<DirectoryGroup>,
}

impl<'a> GroupWalk<'a> {
    pub(super) fn new(pool: &'a Pool, settings: &'a LdapSettings, deadline: Instant) -> Self {
        Self {
            pool,
            settings,
            deadline,
            visited: HashSet::new(),
            found: Vec::new(),
        }
    }

    /// All of them.
    pub(super) async fn of(mut self, person: &Person) -> Result<Vec<DirectoryGroup>, LdapError> {
        match &self.settings.groups {
            None => {}
            Some(GroupSource::Search { base, filter, name }) => {
                self.by_search(person, base, filter, name).await?;
            }
            Some(GroupSource::Attribute {
                attribute,
                base,
                name,
            }) => {
                self.by_attribute(person, (attribute, name), base.as_ref())
                    .await?
            }
        }
        Ok(self.found)
    }

    /// The groups that have the user as a member, then those that have these.
    async fn by_search(
        &mut self,
        person: &Person,
        base: &DistinguishedName,
        filter: &FilterTemplate,
        name: &str,
    ) -> Result<(), LdapError> {
        let most = i32::try_from(MOST).unwrap_or(i32::MAX);
        let mut members = vec![person.entry.dn.clone()];
        for _ in 0..DEEPEST {
            let searches: Vec<_> = members
                .iter()
                .map(|dn| {
                    let values = FilterValues {
                        username: &person.subject,
                        dn,
                    };
                    search(base.as_str(), filter.fill(values), most, &[name])
                })
                .collect();
            members.clear();
            for some in searches.chunks(AT_ONCE) {
                let answers = self.pool.search(self.settings, some, self.deadline).await?;
                for answer in answers {
                    self.add_searched(answer, base, name, &mut members)?;
                }
            }
            // groups are found by members alone, not by the name of somebody
            if members.is_empty() || !filter.uses(Placeholder::Dn) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn add_searched(
        &mut self,
        answer: SearchAnswer,
        base: &DistinguishedName,
        name: &str,
        next: &mut Vec<String>,
    ) -> Result<(), LdapError> {
        match answer.end {
            SearchEnd::Complete | SearchEnd::Limited => {}
            SearchEnd::Absent => {
                let why =
                    format!("`{base}`, the base of `groups`, does not exist, or may not be read");
                return Err(LdapError::Unavailable(why));
            }
            SearchEnd::Failed(why) => {
                return Err(LdapError::unavailable(format!(
                    "no search for groups: {why}"
                )));
            }
        }
        for entry in answer.entries {
            let dn = named(&entry.dn)?;
            if !self.visit(&dn) {
                continue;
            }
            next.push(entry.dn.clone());
            self.count(Some(dn), &names_of(&entry, name)?)?;
        }
        Ok(())
    }

    /// The groups that the user's entry names, then those that their entries name.
    async fn by_attribute(
        &mut self,
        person: &Person,
        (attribute, name): (&str, &str),
        base: Option<&DistinguishedName>,
    ) -> Result<(), LdapError> {
        let mut next = Vec::new();
        let values = self.all_values(&person.entry, attribute).await?;
        self.sort(values, &mut next)?;
        for _ in 0..DEEPEST {
            if next.is_empty() {
                return Ok(());
            }
            let level = std::mem::take(&mut next);
            for some in level.chunks(AT_ONCE) {
                let reads = some.iter().map(|dn| read(dn.as_str(), &[name, attribute]));
                let reads: Vec<_> = reads.collect();
                let answers = self
                    .pool
                    .search(self.settings, &reads, self.deadline)
                    .await?;
                for (dn, answer) in some.iter().zip(answers) {
                    let entry = seen(dn, answer)?;
                    let mut names = match &entry {
                        Some(entry) => names_of(entry, name)?,
                        None => Vec::new(),
                    };
                    if names.is_empty() {
                        names.extend(dn.value_of(name).map(str::to_owned));
                    }
                    if base.is_none_or(|base| dn.is_within(base)) {
                        self.count(Some(dn.clone()), &names)?;
                    }
                    if let Some(entry) = entry {
                        let values = self.all_values(&entry, attribute).await?;
                        self.sort(values, &mut next)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Values that are distinguished names lead on; others are names of groups.
    fn sort(
        &mut self,
        values: Vec<String>,
        next: &mut Vec<DistinguishedName>,
    ) -> Result<(), LdapError> {
        for value in values {
            match DistinguishedName::parse(&value) {
                Some(dn) if self.visit(&dn) => next.push(dn),
                Some(_) => {}
                None => self.count(None, &[value])?,
            }
        }
        Ok(())
    }

    /// All values of an attribute, also where the directory sends them in pieces.
    async fn all_values(&self, entry: &Entry, attribute: &str) -> Result<Vec<String>, LdapError> {
        let mut values = Vec::new();
        let mut take = |entry: &Entry| {
            let range = entry.range(attribute);
            for value in range.values {
                values.push(entry.text(attribute, value)?.to_owned());
            }
            Ok(range.next)
        };
        let mut next = take(entry)?;
        for _ in 0..MOST_PIECES {
            let Some(first) = next else { return Ok(values) };
            let piece = read(&entry.dn, &[&format!("{attribute};range={first}-*")]);
            let mut answers = self
                .pool
                .search(self.settings, &[piece], self.deadline)
                .await?;
            let more = answers.pop().and_then(|mut answer| answer.entries.pop());
            next = more.map(|more| take(&more)).transpose()?.flatten();
        }
        Ok(values)
    }

    /// Whether a group is new, and is to be looked at.
    fn visit(&mut self, dn: &DistinguishedName) -> bool {
        self.visited.len() < MOST && self.visited.insert(dn.clone())
    }

    fn count(&mut self, dn: Option<DistinguishedName>, names: &[String]) -> Result<(), LdapError> {
        if let Some(wrong) = names.iter().find(|name| !may_be_name(name)) {
            let wrong = super::error::log_safe(wrong);
            return Err(LdapError::Unusable(format!("a group is called `{wrong}`")));
        }
        if self.found.len() < MOST {
            let names = names.iter().map(|name| name.trim().into()).collect();
            self.found.push(DirectoryGroup { dn, names });
        }
        Ok(())
    }
}

fn may_be_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

fn names_of(entry: &Entry, attribute: &str) -> Result<Vec<String>, LdapError> {
    let names = entry.texts(attribute)?;
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn named(dn: &str) -> Result<DistinguishedName, LdapError> {
    DistinguishedName::parse(dn).ok_or_else(|| {
        LdapError::Unusable(format!("a group lies at `{}`", super::error::log_safe(dn)))
    })
}

/// The entry of a group, where it may be read.
fn seen(dn: &DistinguishedName, mut answer: SearchAnswer) -> Result<Option<Entry>, LdapError> {
    match answer.end {
        SearchEnd::Complete | SearchEnd::Limited | SearchEnd::Absent => Ok(answer.entries.pop()),
        SearchEnd::Failed(why) => Err(LdapError::unavailable(format!(
            "the group `{dn}` cannot be read: {why}"
        ))),
    }
}
