//! Texts that nothing spells: what stands for "any other" segment, host, user or method.

use std::collections::BTreeSet;

use http::Method;

/// Texts that begin like nothing else.
#[derive(Clone, Debug)]
pub(super) struct UnusedNames(String);

impl UnusedNames {
    /// Longer and longer, until none of the texts (folded) begins like it.
    pub(super) fn new(texts: &BTreeSet<Box<str>>) -> Self {
        let mut word = "other".to_owned();
        while texts
            .range(Box::from(word.as_str())..)
            .next()
            .is_some_and(|text| text.starts_with(&word))
        {
            word.push('x');
        }
        Self(word)
    }

    /// A segment, another one at each depth.
    pub(super) fn segment(&self, depth: usize) -> Box<str> {
        format!("{}{depth}", self.0).into()
    }

    /// A host name of one label.
    pub(super) fn host(&self) -> &str {
        &self.0
    }

    /// The name of a user.
    pub(super) fn user(&self) -> String {
        format!("{}-user", self.0)
    }

    /// A method.
    pub(super) fn method(&self) -> Method {
        let name = self.0.to_ascii_uppercase();
        Method::from_bytes(name.as_bytes()).expect("upper-case letters are a method")
    }
}
