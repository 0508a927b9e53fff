//! Who sends a request, as a sealed result of identification.

use super::subject::AccessSubject;

/// The outcome of checking a request's credential. It is never an error: an invalid credential is a kind of caller. Only
/// [`crate::identify`] makes one, and [`super::Policy::enforce`] permits a request for nothing else.
#[derive(Clone, Debug)]
pub struct Caller(AccessSubject);

impl Caller {
    /// The subject that the credential was checked to be.
    pub(in crate::authz) fn identified(subject: AccessSubject) -> Self {
        Self(subject)
    }

    /// What the policy decides on.
    pub fn subject(&self) -> &AccessSubject {
        &self.0
    }
}
