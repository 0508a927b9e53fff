//! Requests whose answer a person sees.

use http::request::Parts;
use http::{HeaderMap, Method};

use crate::access::PathOptions;
use crate::portal::ReturnPath;
use crate::wire::{Credential, Intake, is_seen};

/// A request whose answer a person sees, as far as a page about a refusal needs it.
pub(super) struct SeenRequest {
    /// As it was sent.
    pub(super) method: Method,
    target: Box<str>,
    /// Unchecked; `None` until the head is read.
    pub(super) credential: Option<Credential>,
}

impl SeenRequest {
    /// `None` where a program gets the answer.
    pub(super) fn of(head: &Parts) -> Option<Box<Self>> {
        let target = || Some(head.uri.path_and_query()?.as_str());
        Self::described(&head.method, || target().unwrap_or(""), &head.headers)
    }

    /// The same of a request that another proxy describes.
    pub(super) fn described<'t>(
        method: &Method,
        target: impl FnOnce() -> &'t str,
        headers: &HeaderMap,
    ) -> Option<Box<Self>> {
        is_seen(method, headers).then(|| {
            Box::new(Self {
                method: method.clone(),
                target: target().into(),
                credential: None,
            })
        })
    }

    /// A form of one of the gateway's own pages, whatever its browser says of itself: over plain HTTP that is little.
    pub(super) fn of_form(intake: &Intake) -> Box<Self> {
        Box::new(Self {
            method: intake.head.method.clone(),
            target: Box::default(),
            credential: intake.credential.clone(),
        })
    }

    pub(super) fn receive(&mut self, intake: &Intake) {
        self.credential = intake.credential.clone();
    }

    /// Where the browser comes back to after a sign-in: to what it opened, not to where it sent something.
    pub(super) fn next(&self, options: PathOptions) -> Option<ReturnPath> {
        ReturnPath::parse(&self.target, options).filter(|_| self.opens())
    }

    /// Whether the browser opens something, and sends nothing.
    pub(super) fn opens(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}
