//! From the groups of a provider to roles.

use std::collections::BTreeMap;

/// What the groups of a provider mean here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RoleMapping {
    /// They are the roles.
    #[default]
    Groups,
    /// A group gives these roles, and any other group none; what stands under `*` everybody has.
    Table(BTreeMap<Box<str>, Vec<Box<str>>>),
}

impl RoleMapping {
    /// The name under which the roles of everybody stand.
    pub const EVERYBODY: &'static str = "*";

    /// Whether two people with other groups may have other roles.
    pub(super) fn asks_for_groups(&self) -> bool {
        match self {
            Self::Groups => true,
            Self::Table(table) => table.keys().any(|group| **group != *Self::EVERYBODY),
        }
    }

    /// The roles of somebody with these groups, each once.
    pub fn roles(&self, groups: Vec<Box<str>>) -> Vec<Box<str>> {
        let Self::Table(table) = self else {
            return groups;
        };
        let mut roles: Vec<Box<str>> = Vec::new();
        // a group of that name is none
        let groups = groups.iter().map(|group| &**group);
        let groups = groups.filter(|group| *group != Self::EVERYBODY);
        for group in groups.chain([Self::EVERYBODY]) {
            for role in table.get(group).into_iter().flatten() {
                if !roles.contains(role) {
                    roles.push(role.clone());
                }
            }
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn groups_are_the_roles_or_give_them() {
        let groups = || list(&["idp-admins", "other", "*"]);
        assert_eq!(RoleMapping::Groups.roles(groups()), groups());
        let table = [
            ("idp-admins", list(&["admin", "staff"])),
            ("*", list(&["staff"])),
            ("x", list(&["y"])),
        ];
        let table = RoleMapping::Table(table.map(|(group, roles)| (group.into(), roles)).into());
        assert_eq!(table.roles(groups()), list(&["admin", "staff"]));
        assert_eq!(table.roles(list(&["*"])), list(&["staff"]));
        assert_eq!(table.roles(Vec::new()), list(&["staff"]));
        assert_eq!(
            RoleMapping::Table(BTreeMap::new()).roles(groups()),
            list(&[])
        );
    }
}
