//! Search filters as operators write them (RFC 4515), with placeholders that are filled in as values.
//!
//! A filter is parsed once, at load. What a client sends is put into the parsed tree as one value and never into the text,
//! so that there is nothing to escape, and nothing that could change the filter.

use std::fmt;

use ldap3_proto::LdapFilter;
use ldap3_proto::proto::{LdapMatchingRuleAssertion, LdapSubstringFilter};

/// A filter with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterTemplate(pub(super) FilterNode);

/// What a value in a filter is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{username}`: the name that somebody signs in with; in a filter for groups, the subject of the user.
    Username,
    /// `{dn}`: the distinguished name of the user, or of a group that the user is in.
    Dn,
}

/// How far the values of placeholders decide which entries a filter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selectivity {
    /// Entries are found that do not have the value: it stands within `!`, or beside an alternative without it.
    Nothing,
    /// Entries are found that have the value in a part of theirs, or something like it.
    Part,
    /// Only entries are found that have the value.
    Whole,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Where in the text, in characters.
    pub at: usize,
    /// How many characters are concerned; at least 1.
    pub length: usize,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// The values of the placeholders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FilterValues<'a> {
    pub(super) username: &'a str,
    pub(super) dn: &'a str,
}

/// One part of a filter; names of attributes are as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterNode {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(String),
    Compare(Comparison, String, ValueTemplate),
    /// `None` at either end: nothing stands there.
    Substring {
        attribute: String,
        initial: Option<ValueTemplate>,
        any: Vec<ValueTemplate>,
        last: Option<ValueTemplate>,
    },
    Extensible {
        attribute: Option<String>,
        rule: Option<String>,
        with_dn: bool,
        value: ValueTemplate,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    GreaterOrEqual,
    LessOrEqual,
    Approximate,
}

/// A value: texts and placeholders in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ValueTemplate(pub(super) Vec<ValuePiece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValuePiece {
    Text(String),
    Placeholder(Placeholder),
}

impl FilterTemplate {
    /// Whether a value is filled with this.
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        self.0.uses(placeholder)
    }

    /// How far the values of these decide what is found.
    pub fn selectivity(&self, placeholders: &[Placeholder]) -> Selectivity {
        self.0.selectivity(placeholders)
    }

    /// The filter with its values.
    pub(super) fn fill(&self, values: FilterValues<'_>) -> LdapFilter {
        self.0.fill(&|node| node.compare(values))
    }

    /// The filter for anybody at all who has a subject.
    pub(super) fn fill_for_anybody(&self, attribute: &str) -> LdapFilter {
        self.0.fill(&|node| {
            if node.uses(Placeholder::Username) {
                LdapFilter::Present(attribute.to_owned())
            } else {
                node.compare(FilterValues::default())
            }
        })
    }

    /// The filter for an entry whose subject is known already: where `{username}` is compared, the attribute of the
    /// subject is, and everything else must hold as well.
    pub(super) fn fill_for_subject(&self, attribute: &str, subject: &str) -> LdapFilter {
        self.0.fill(&|node| {
            if node.uses(Placeholder::Username) {
                LdapFilter::Equality(attribute.to_owned(), subject.to_owned())
            } else {
                node.compare(FilterValues::default())
            }
        })
    }
}

impl FilterNode {
    fn uses(&self, placeholder: Placeholder) -> bool {
        let in_value = |value: &ValueTemplate| value.uses(placeholder);
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.uses(placeholder)),
            Self::Not(part) => part.uses(placeholder),
            Self::Present(_) => false,
            Self::Compare(_, _, value) | Self::Extensible { value, .. } => in_value(value),
            Self::Substring {
                initial, any, last, ..
            } => initial.iter().chain(any).chain(last).any(in_value),
        }
    }

    fn selectivity(&self, placeholders: &[Placeholder]) -> Selectivity {
        let of_parts = |parts: &[Self]| -> Vec<Selectivity> {
            let parts = parts.iter().map(|part| part.selectivity(placeholders));
            parts.collect()
        };
        let part = match self {
            // what one part finds all parts must; what any part finds is found
            Self::And(parts) => {
                return of_parts(parts)
                    .into_iter()
                    .max()
                    .unwrap_or(Selectivity::Nothing);
            }
            Self::Or(parts) => {
                return of_parts(parts)
                    .into_iter()
                    .min()
                    .unwrap_or(Selectivity::Whole);
            }
            Self::Compare(Comparison::Equal, ..) | Self::Extensible { .. } => Selectivity::Whole,
            Self::Compare(
                Comparison::GreaterOrEqual | Comparison::LessOrEqual | Comparison::Approximate,
                ..,
            )
            | Self::Substring { .. } => Selectivity::Part,
            Self::Not(_) | Self::Present(_) => return Selectivity::Nothing,
        };
        if placeholders.iter().any(|one| self.uses(*one)) {
            part
        } else {
            Selectivity::Nothing
        }
    }

    /// `leaf` makes every part that has no parts of its own.
    fn fill(&self, leaf: &impl Fn(&Self) -> LdapFilter) -> LdapFilter {
        let all = |parts: &[Self]| parts.iter().map(|part| part.fill(leaf)).collect();
        match self {
            Self::And(parts) => LdapFilter::And(all(parts)),
            Self::Or(parts) => LdapFilter::Or(all(parts)),
            Self::Not(part) => LdapFilter::Not(Box::new(part.fill(leaf))),
            Self::Present(_)
            | Self::Compare(..)
            | Self::Substring { .. }
            | Self::Extensible { .. } => leaf(self),
        }
    }

    fn compare(&self, values: FilterValues<'_>) -> LdapFilter {
        match self {
            Self::Present(attribute) => LdapFilter::Present(attribute.clone()),
            Self::Compare(comparison, attribute, value) => {
                let (attribute, value) = (attribute.clone(), value.fill(values));
                match comparison {
                    Comparison::Equal => LdapFilter::Equality(attribute, value),
                    Comparison::GreaterOrEqual => LdapFilter::GreaterOrEqual(attribute, value),
                    Comparison::LessOrEqual => LdapFilter::LessOrEqual(attribute, value),
                    Comparison::Approximate => LdapFilter::Approx(attribute, value),
                }
            }
            Self::Substring {
                attribute,
                initial,
                any,
                last,
            } => {
                let filled = |value: &ValueTemplate| value.fill(values);
                let substring = LdapSubstringFilter {
                    initial: initial.as_ref().map(filled),
                    any: any.iter().map(filled).collect(),
                    final_: last.as_ref().map(filled),
                };
                LdapFilter::Substring(attribute.clone(), substring)
            }
            Self::Extensible {
                attribute,
                rule,
                with_dn,
                value,
            } => LdapFilter::Extensible(LdapMatchingRuleAssertion {
                matching_rule: rule.clone(),
                type_: attribute.clone(),
                match_value: value.fill(values),
                dn_attributes: *with_dn,
            }),
            Self::And(_) | Self::Or(_) | Self::Not(_) => self.fill(&|leaf| leaf.compare(values)),
        }
    }
}

impl ValueTemplate {
    fn uses(&self, placeholder: Placeholder) -> bool {
        self.0.contains(&ValuePiece::Placeholder(placeholder))
    }

    fn fill(&self, values: FilterValues<'_>) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            ValuePiece::Text(text) => text,
            ValuePiece::Placeholder(Placeholder::Username) => values.username,
            ValuePiece::Placeholder(Placeholder::Dn) => values.dn,
        });
        pieces.collect()
    }
}

impl Placeholder {
    /// As it is written between braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Dn => "dn",
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests;
