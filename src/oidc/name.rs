//! What a provider is called here.

use std::fmt;

/// The name of a provider: 1 to 64 lower-case letters, digits and `-`. It stands in paths, logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderName(Box<str>);

impl ProviderName {
    /// Most characters.
    const LONGEST: usize = 64;

    /// `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let fits = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(is_plain);
        fits.then(|| Self(text.into()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        let longest = "a".repeat(64);
        for good in ["a", "corp-2", "-", "0", &longest] {
            assert_eq!(ProviderName::parse(good).unwrap().as_str(), good);
        }
        let longer = "a".repeat(65);
        for bad in ["", "A", "a b", "a/b", "a.b", "ä", "a_b", "a%2d", &longer] {
            assert_eq!(ProviderName::parse(bad), None, "{bad}");
        }
    }
}
