//! What becomes of a request, foretold without sending it: the same reading of the line, the same search for the
//! service and the same decision as for a request that is sent.

mod caller;
mod outcome;
mod request;

pub use caller::{Subject, UnknownUser, Who, roles_text};
pub use outcome::Verdict;
pub use request::{Request, RequestError};

use std::fmt;

use crate::access::{Caller, Decision, PathError, Policy, Router, RuleId};
use crate::wire::{BadRequest, Destination, Host, NoDestination, OwnPaths, Target};

/// Everything that decides on requests, of one load of the configuration.
#[derive(Debug)]
pub struct Stage<'a> {
    /// What the gateway answers itself.
    pub own: OwnPaths,
    /// Finds a service; its indices are those of `policies`.
    pub router: &'a Router,
    /// The rules of each service.
    pub policies: Vec<&'a Policy>,
    /// The host of requests that name none; `None` where only a request that names one finds a service.
    pub default_host: Option<Host>,
}

/// Who would answer a request.
#[derive(Debug)]
pub enum Place {
    /// The gateway itself, before any rule.
    Own(Target),
    /// The service of this index, by its rules on this target.
    Service(usize, Target),
}

/// Why a request is refused before any rule is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can be read in two ways.
    BadRequest(BadRequest),
    /// The service of this index does not accept what stands in the path.
    Path(usize, PathError),
    /// There is no service for this host and path.
    NoService {
        /// The host that was asked for.
        host: Box<str>,
        /// The path in its one spelling.
        path: Box<str>,
    },
    /// The request names no host, and every service wants one.
    NoHost,
}

/// What becomes of a request of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In one word.
    pub verdict: Verdict,
    /// The service whose rules were asked.
    pub service: Option<usize>,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// Why it is refused; empty where the verdict says all.
    pub reason: String,
}

impl Stage<'_> {
    /// Finds out who would answer.
    ///
    /// # Errors
    /// [`Refusal`] where the request would be refused before any rule is asked.
    pub fn find(&self, request: &Request) -> Result<Place, Refusal> {
        let host = request
            .host()
            .or(self.default_host.as_ref())
            .ok_or(Refusal::NoHost)?;
        let target = Target::foretell(
            request.method(),
            host.clone(),
            request.uri(),
            self.router.widest_paths(),
        );
        let mut target = target.map_err(Refusal::BadRequest)?;
        match target.find(request.uri().path(), &self.own, self.router) {
            Ok(Destination::Own) => Ok(Place::Own(target)),
            Ok(Destination::Service(index)) => Ok(Place::Service(index, target)),
            Err(NoDestination::Path(index, error)) => Err(Refusal::Path(index, error)),
            Err(NoDestination::NoService) => Err(Refusal::NoService {
                host: target.host.name().into(),
                path: target.path.as_str().into(),
            }),
        }
    }

    /// Decides on a request of this caller.
    pub fn decide(&self, request: &Request, caller: &Caller) -> Outcome {
        let (service, target) = match self.find(request) {
            Ok(Place::Service(service, target)) => (service, target),
            Ok(Place::Own(_)) => {
                return Outcome::without_rule(Verdict::Allowed, None, String::new());
            }
            Err(refusal) => return refusal.into(),
        };
        let decision = self.policies[service].decide(&target.method, &target.path, caller);
        let (rule, reason) = match &decision {
            Decision::Allow(permit) => (permit.rule(), String::new()),
            Decision::Challenge(challenge) => (Some(challenge.rule), String::new()),
            Decision::Forbid(forbid) => (forbid.rule, forbid.reason.to_string()),
        };
        Outcome {
            verdict: Verdict::of(&decision),
            service: Some(service),
            rule,
            reason,
        }
    }
}

impl Outcome {
    fn without_rule(verdict: Verdict, service: Option<usize>, reason: String) -> Self {
        Self {
            verdict,
            service,
            rule: None,
            reason,
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        let service = match &refusal {
            Refusal::Path(service, _) => Some(*service),
            Refusal::BadRequest(_) | Refusal::NoService { .. } | Refusal::NoHost => None,
        };
        Self::without_rule(refusal.verdict(), service, refusal.to_string())
    }
}

impl Refusal {
    /// In one word.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::BadRequest(_) | Self::Path(..) => Verdict::BadRequest,
            Self::NoService { .. } | Self::NoHost => Verdict::NotFound,
        }
    }

    /// The status that a client would get.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(error) => error.status().as_u16(),
            Self::Path(_, error) => BadRequest::Path(*error).status().as_u16(),
            Self::NoService { .. } | Self::NoHost => 404,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(error) => error.fmt(f),
            Self::Path(_, error) => error.fmt(f),
            Self::NoService { host, path } => {
                write!(f, "no service for the host `{host}` and the path `{path}`")
            }
            Self::NoHost => {
                f.write_str("every service has `hosts`: give a whole URL, with one of them")
            }
        }
    }
}
