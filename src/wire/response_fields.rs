//! `response_headers`: what an operator adds to answers, or takes out of them.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The `response_headers` block of a service; it holds for the service's answers and for the gateway's own refusals
/// on its paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseFields {
    /// Set, whatever the answer says.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Taken out.
    pub remove: Vec<HeaderName>,
}

impl ResponseFields {
    /// Changes the fields of an answer.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
    }
}
