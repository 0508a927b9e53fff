//! Names that no configuration in question contains: witnesses of "any other" segment, host, user or method.

use std::collections::BTreeSet;

use http::Method;

use crate::access::CaseRule;

/// The common beginning of such names.
#[derive(Clone, Debug)]
pub(super) struct UnusedNames(String);

impl UnusedNames {
    /// Lengthens a word until none of the folded texts begins with it.
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

    /// A path segment, different at each depth.
    pub(super) fn segment(&self, depth: usize) -> Box<str> {
        format!("{}{depth}", self.0).into()
    }

    /// A host name of one label.
    pub(super) fn host(&self) -> &str {
        &self.0
    }

    /// A host one label below this one.
    pub(super) fn host_below(&self, parent: &str) -> String {
        format!("{}.{parent}", self.0)
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

/// The form in which texts are compared where letter case does not count.
pub(super) fn fold(text: &str) -> Box<str> {
    CaseRule::Insensitive.fold(text.into()).into()
}
