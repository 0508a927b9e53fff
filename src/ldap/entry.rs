//! What a directory says about an entry.

use ldap3_proto::LdapSearchResultEntry;

use super::error::LdapError;

/// An entry with those of its attributes that were asked for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// The values of an attribute that came in one answer.
pub(super) struct ValueRange<'e> {
    pub(super) values: &'e [Vec<u8>],
    /// The number of the first value that is still to be asked for; `None`: these are all.
    pub(super) next: Option<u32>,
}

impl Entry {
    /// The values of an attribute, whose name comes back in any case. Values in other languages (`cn;lang-de`) are other
    /// values. Active Directory sends many of them in pieces, `member;range=0-1499`, and then no plain one.
    pub(super) fn range(&self, attribute: &str) -> ValueRange<'_> {
        let none: &[Vec<u8>] = &[];
        let mut found = ValueRange {
            values: none,
            next: None,
        };
        for (name, values) in &self.attributes {
            if name.eq_ignore_ascii_case(attribute) && !values.is_empty() {
                return ValueRange { values, next: None };
            }
            if let Some(next) = range_of(name, attribute) {
                found = ValueRange { values, next };
            }
        }
        found
    }

    /// The values as text.
    ///
    /// # Errors
    /// [`LdapError::Unusable`] for bytes that are no UTF-8.
    pub(super) fn texts(&self, attribute: &str) -> Result<Vec<&str>, LdapError> {
        let values = self.range(attribute).values.iter();
        values.map(|value| self.text(attribute, value)).collect()
    }

    pub(super) fn text<'v>(&self, attribute: &str, value: &'v [u8]) -> Result<&'v str, LdapError> {
        std::str::from_utf8(value).map_err(|_| {
            let message = format!("`{attribute}` of `{}` is no UTF-8", self.dn);
            LdapError::Unusable(message)
        })
    }

    /// The first value that is text, for what people are shown.
    pub(super) fn shown(&self, attribute: &str) -> Option<Box<str>> {
        let texts = self.range(attribute).values.iter();
        let mut texts = texts.filter_map(|value| std::str::from_utf8(value).ok());
        let text = texts.find(|text| !text.trim().is_empty())?;
        Some(text.trim().into())
    }

    /// Whether the directory has locked or disabled the account, as far as that stands in the entry: nobody needs a
    /// password to be looked up. `now` is in seconds since 1970.
    pub(super) fn is_locked(&self, now: u64) -> bool {
        let number = |attribute| self.shown(attribute)?.parse::<i64>().ok();
        // Active Directory: ACCOUNTDISABLE, and 100 ns since 1601 with two spellings of never
        let disabled = number("userAccountControl").is_some_and(|flags| flags & 2 != 0);
        let expired = number("accountExpires").is_some_and(|at| {
            let second = u64::try_from(at).unwrap_or_default() / 10_000_000;
            at != 0 && at != i64::MAX && second.saturating_sub(SECONDS_1601_TO_1970) <= now
        });
        let is = |attribute: &str, value: &str| {
            self.shown(attribute)
                .is_some_and(|shown| shown.eq_ignore_ascii_case(value))
        };
        // 389 Directory Server and FreeIPA; the password policy of OpenLDAP, of an administrator and not of failures
        disabled
            || expired
            || is("nsAccountLock", "TRUE")
            || is("pwdAccountLockedTime", "000001010000Z")
    }
}

const SECONDS_1601_TO_1970: u64 = 11_644_473_600;

/// The attributes that [`Entry::is_locked`] reads.
pub(super) const LOCKS: [&str; 4] = [
    "userAccountControl",
    "accountExpires",
    "nsAccountLock",
    "pwdAccountLockedTime",
];

/// Of `member;range=0-1499` what comes next, where `member` is asked for.
fn range_of(name: &str, attribute: &str) -> Option<Option<u32>> {
    let (base, option) = name.split_once(';')?;
    let (key, range) = option.split_once('=')?;
    let is_it = base.eq_ignore_ascii_case(attribute) && key.eq_ignore_ascii_case("range");
    let (_, last) = range.split_once('-').filter(|_| is_it)?;
    Some(match last {
        "*" => None,
        last => last.parse::<u32>().ok()?.checked_add(1),
    })
}

impl From<LdapSearchResultEntry> for Entry {
    fn from(entry: LdapSearchResultEntry) -> Self {
        let attributes = entry.attributes.into_iter();
        Self {
            dn: entry.dn,
            attributes: attributes.map(|one| (one.atype, one.vals)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let owned = attributes.iter().map(|(name, values)| {
            let values = values.iter().map(|value| value.to_vec());
            ((*name).to_owned(), values.collect())
        });
        Entry {
            dn: "cn=a,dc=x".to_owned(),
            attributes: owned.collect(),
        }
    }

    #[test]
    fn attribute_names_come_back_in_any_case() {
        let entry = entry(&[
            ("cn;lang-de", &[b"Zoe"]),
            ("MAIL", &[b"a@x", b"b@x"]),
            ("UID", &[b"\xff"]),
        ]);
        assert_eq!(entry.texts("mail").unwrap(), ["a@x", "b@x"]);
        assert!(entry.texts("cn").unwrap().is_empty());
        assert!(matches!(entry.texts("uid"), Err(LdapError::Unusable(_))));
        assert_eq!(
            (entry.shown("uid"), entry.shown("Mail").as_deref()),
            (None, Some("a@x"))
        );
    }

    #[test]
    fn many_values_come_in_pieces() {
        let next = |name: &str| {
            let entry = entry(&[("memberOf", &[]), (name, &[b"x"])]);
            let range = entry.range("memberof");
            (range.values.len(), range.next)
        };
        assert_eq!(next("memberOf;range=0-1499"), (1, Some(1500)));
        assert_eq!(next("MEMBEROF;Range=1500-*"), (1, None));
        assert_eq!(next("member;range=0-1"), (0, None));
        assert_eq!(next("memberOf;range=0-4294967295"), (1, None));
        assert_eq!(next("memberOf;range=0-x"), (0, None));
    }

    #[test]
    fn a_locked_account_is_seen_without_its_password() {
        let now = 1_700_000_000;
        let locked = |name: &str, value: &str| entry(&[(name, &[value.as_bytes()])]).is_locked(now);
        let file_time = |second: u64| ((second + SECONDS_1601_TO_1970) * 10_000_000).to_string();
        assert!(locked("userAccountControl", "514") && !locked("userAccountControl", "512"));
        assert!(locked("nsaccountlock", "true") && !locked("nsAccountLock", "FALSE"));
        assert!(locked("pwdAccountLockedTime", "000001010000Z"));
        assert!(!locked("pwdAccountLockedTime", "20260101000000Z"));
        assert!(
            locked("accountExpires", &file_time(now - 1))
                && !locked("accountExpires", &file_time(now + 1))
        );
        assert!(!locked("accountExpires", "0") && !locked("accountExpires", "9223372036854775807"));
        assert!(!locked("cn", "x"));
    }
}
