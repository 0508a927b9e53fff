//! From groups of a directory to roles.

use super::dn::DistinguishedName;
use crate::text::fold::fold;

/// A group that somebody is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGroup {
    /// Where it lies; `None`: the directory says its name only.
    pub dn: Option<DistinguishedName>,
    /// What it is called; several values are several names.
    pub names: Vec<Box<str>>,
}

/// Which roles the members of groups have: `auth.ldap.roles`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRoles {
    map: Option<Vec<(GroupSelector, Vec<Box<str>>)>>,
}

/// Which groups a line of the map is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GroupSelector {
    /// `*`: everybody, whatever the groups.
    Everybody,
    Name(String),
    Dn(DistinguishedName),
}

impl GroupRoles {
    /// The names of groups are the roles.
    pub fn names() -> Self {
        Self { map: None }
    }

    /// By names, distinguished names, or `*` for everybody. Groups that are not in the map are worth nothing.
    pub fn mapped(lines: impl IntoIterator<Item = (String, Vec<Box<str>>)>) -> Self {
        let selector = |key: &str| match DistinguishedName::parse(key) {
            _ if key == "*" => GroupSelector::Everybody,
            Some(dn) => GroupSelector::Dn(dn),
            None => GroupSelector::Name(fold(key)),
        };
        let lines = lines
            .into_iter()
            .map(|(key, roles)| (selector(&key), roles));
        Self {
            map: Some(lines.collect()),
        }
    }

    /// The roles that some line of the map gives; `None` where the directory decides.
    pub fn given(&self) -> Option<impl Iterator<Item = &str>> {
        let lines = self.map.as_ref()?.iter();
        Some(lines.flat_map(|(_, roles)| roles).map(|role| &**role))
    }

    /// The roles of somebody who is in these groups, each once, in the order of the map or of the groups.
    pub fn roles(&self, groups: &[DirectoryGroup]) -> Vec<Box<str>> {
        let mut roles: Vec<Box<str>> = Vec::new();
        let mut add = |role: &str| {
            if !roles.iter().any(|known| **known == *role) {
                roles.push(role.into());
            }
        };
        match &self.map {
            None => groups
                .iter()
                .flat_map(|group| &group.names)
                .for_each(|name| add(name)),
            Some(lines) => {
                let lines = lines
                    .iter()
                    .filter(|(selector, _)| selector.selects(groups));
                lines
                    .flat_map(|(_, roles)| roles)
                    .for_each(|role| add(role));
            }
        }
        roles
    }
}

impl GroupSelector {
    fn selects(&self, groups: &[DirectoryGroup]) -> bool {
        match self {
            Self::Everybody => true,
            Self::Name(name) => groups
                .iter()
                .any(|group| group.names.iter().any(|own| fold(own) == *name)),
            Self::Dn(dn) => groups.iter().any(|group| group.dn.as_ref() == Some(dn)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(dn: &str, name: &str) -> DirectoryGroup {
        DirectoryGroup {
            dn: DistinguishedName::parse(dn),
            names: vec![name.into()],
        }
    }

    #[test]
    fn groups_are_worth_roles() {
        let shown = |roles: Vec<Box<str>>| roles.join(",");
        let groups = [
            group("cn=Admins,ou=it,dc=x", "Admins"),
            group("cn=staff,dc=x", "staff"),
        ];
        assert_eq!(shown(GroupRoles::names().roles(&groups)), "Admins,staff");
        let roles = |lines: &[(&str, &[&str])]| {
            let lines = lines.iter().map(|(key, roles)| {
                (
                    (*key).to_owned(),
                    roles.iter().map(|role| Box::from(*role)).collect(),
                )
            });
            shown(GroupRoles::mapped(lines).roles(&groups))
        };
        assert_eq!(
            roles(&[("admins", &["admin"]), ("*", &["all", "admin"])]),
            "admin,all"
        );
        assert_eq!(roles(&[("CN=admins, OU=IT, DC=x", &["admin"])]), "admin");
        assert!(roles(&[("cn=admins,ou=hr,dc=x", &["admin"]), ("other", &["b"])]).is_empty());
    }
}
