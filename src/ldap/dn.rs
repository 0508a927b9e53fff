//! Distinguished names (RFC 4514), compared as directories compare them.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::text::{fold::fold, hex};

/// A distinguished name, such as `cn=staff,ou=groups,dc=example,dc=com`. Two are equal that differ in case, in blanks, in
/// the way characters are escaped or in the order of a name's parts.
#[derive(Clone)]
pub struct DistinguishedName {
    text: Box<str>,
    /// The entry itself first, then what it lies under.
    names: Vec<RelativeName>,
}

/// What tells an entry from its neighbours: attributes in lower case with values as they are compared, sorted; and the
/// first as it is written.
#[derive(Clone, Debug)]
struct RelativeName {
    compared: Vec<(String, String)>,
    first_value: String,
}

/// The names of RFC 4514, section 3, by their numbers.
const NUMBERED: [(&str, &str); 9] = [
    ("2.5.4.3", "cn"),
    ("2.5.4.7", "l"),
    ("2.5.4.8", "st"),
    ("2.5.4.10", "o"),
    ("2.5.4.11", "ou"),
    ("2.5.4.6", "c"),
    ("2.5.4.9", "street"),
    ("0.9.2342.19200300.100.1.25", "dc"),
    ("0.9.2342.19200300.100.1.1", "uid"),
];

impl DistinguishedName {
    /// Reads a name that has at least one part; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let names: Option<Vec<_>> = split(text, &[',', ';'])
            .into_iter()
            .map(RelativeName::parse)
            .collect();
        Some(Self {
            text: text.into(),
            names: names?,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is `base`, or lies below it.
    pub fn is_within(&self, base: &Self) -> bool {
        let above = self.names.len().checked_sub(base.names.len());
        above.is_some_and(|at| self.names[at..] == base.names)
    }

    /// The value in its first part, where that is of this attribute.
    pub(super) fn value_of(&self, attribute: &str) -> Option<&str> {
        let first = self.names.first()?;
        let (name, _) = first.compared.first()?;
        let is_it = first.compared.len() == 1 && name.eq_ignore_ascii_case(attribute);
        is_it.then_some(&*first.first_value)
    }
}

impl RelativeName {
    fn parse(text: &str) -> Option<Self> {
        let parts = split(text, &['+']).into_iter().map(|part| {
            let (attribute, value) = part.split_once('=')?;
            let attribute = attribute.trim().to_ascii_lowercase();
            let is_name = super::filter_parser::is_attribute(&attribute);
            let known = NUMBERED.iter().find(|(number, _)| *number == attribute);
            let attribute = known.map_or(attribute, |(_, name)| (*name).to_owned());
            is_name.then_some((attribute, unescape(value)?))
        });
        let parts: Option<Vec<(String, String)>> = parts.collect();
        let parts = parts?;
        let first_value = parts.first()?.1.clone();
        let mut compared: Vec<_> = parts
            .into_iter()
            .map(|(attribute, value)| (attribute, fold(&value)))
            .collect();
        compared.sort();
        Some(Self {
            compared,
            first_value,
        })
    }
}

/// The parts between separators that are neither escaped nor in quotes (of RFC 2253).
fn split<'t>(text: &'t str, separators: &[char]) -> Vec<&'t str> {
    let (mut parts, mut begun) = (Vec::new(), 0);
    let (mut escaped, mut quoted) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if !quoted && separators.contains(&character) => {
                parts.push(&text[begun..at]);
                begun = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begun..]);
    parts
}

/// A value without its escapes, and without the blanks around it that are not escaped.
fn unescape(text: &str) -> Option<String> {
    let text = text.trim_start_matches(' ');
    let inner = text.trim_end_matches(' ');
    let quoted = inner
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    if quoted.is_none() && text.starts_with('#') {
        // BER in hexadecimal digits: compared as it is written
        return Some(inner.to_ascii_lowercase());
    }
    let is_escaped = inner.ends_with('\\') && inner.len() < text.len();
    let source = quoted.unwrap_or(if is_escaped {
        &text[..=inner.len()]
    } else {
        inner
    });
    let (mut bytes, mut rest) = (Vec::new(), source.chars());
    while let Some(character) = rest.next() {
        let mut encoded = [0; 4];
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
            continue;
        }
        let digits: String = rest.as_str().chars().take(2).collect();
        if let Some([byte]) = hex::decode::<1>(&digits) {
            bytes.push(byte);
            rest = rest.as_str()[2..].chars();
        } else {
            let literal = rest.next()?;
            bytes.extend_from_slice(literal.encode_utf8(&mut encoded).as_bytes());
        }
    }
    String::from_utf8(bytes).ok()
}

impl PartialEq for RelativeName {
    fn eq(&self, other: &Self) -> bool {
        self.compared == other.compared
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for DistinguishedName {}

impl Hash for DistinguishedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for name in &self.names {
            name.compared.hash(state);
        }
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::DistinguishedName;

    fn dn(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn names_compare_as_in_a_directory() {
        let one = dn("cn=Domain Admins,ou=Groups,dc=example,dc=com");
        for same in [
            "CN=domain admins, OU=groups, DC=Example, DC=COM",
            "cn = Domain  Admins , ou=Groups,dc=example,dc=com",
            "cn=Domain\\20Admins,ou=Groups,dc=example,dc=com",
            "2.5.4.3=Domain Admins,ou=Groups,dc=example,dc=com",
            "cn=\"Domain Admins\",ou=Groups,dc=example,dc=com",
        ] {
            assert_eq!(one, dn(same), "{same}");
        }
        for other in [
            "cn=Domain Admins,dc=example,dc=com",
            "cn=DomainAdmins,ou=Groups,dc=example,dc=com",
            "cn=Domain Admins\\,ou=Groups,dc=example,dc=com",
            "uid=Domain Admins,ou=Groups,dc=example,dc=com",
        ] {
            assert_ne!(one, dn(other), "{other}");
        }
        assert_eq!(dn("cn=a+sn=b,dc=x"), dn("SN=B+CN=A,dc=x"));
        assert_eq!(dn("cn=Lu\\C4\\8Di\\C4\\87"), dn("cn=Lučić"));
        assert_ne!(dn("cn=a,cn=b"), dn("cn=a\\,cn\\=b"));
    }

    #[test]
    fn values_and_places_are_read() {
        assert_eq!(dn("CN=Doe\\, John,dc=x").value_of("cn"), Some("Doe, John"));
        assert_eq!(dn("cn=a\\ ,dc=x").value_of("cn"), Some("a "));
        assert_eq!(dn("uid=a,dc=x").value_of("cn"), None);
        assert_eq!(dn("cn=a+uid=b,dc=x").value_of("cn"), None);
        let base = dn("ou=groups,dc=x");
        assert!(dn("cn=a,OU=Groups,DC=x").is_within(&base) && base.is_within(&base));
        assert!(
            !dn("cn=a,dc=x").is_within(&base) && !dn("cn=a,ou=groups,dc=x,dc=y").is_within(&base)
        );
        for wrong in [
            "", "staff", "cn", "=a", "cn=a,", ",cn=a", "cn=a\\", "cn=\\ff", "c n=a",
        ] {
            assert!(DistinguishedName::parse(wrong).is_none(), "{wrong}");
        }
    }
}
