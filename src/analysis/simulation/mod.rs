//! What becomes of a request, foretold without sending it: the same reading of the line, the same search for the
//! service and the same decision as for a request that is sent.

mod caller;
mod outcome;
mod request;

pub use caller::{CallerSpec, SimulatedCaller, UnknownUser, roles_text};
pub use outcome::SimulatedVerdict;
pub use request::{SimulatedRequest, SimulatedRequestError};

use std::fmt;

use crate::access::{Caller, Decision, NoDestination, PathError, Policy, Router, RuleId};
use crate::wire::{BadRequest, Destination, Host, OwnPaths, Target, check_request_line};

/// Everything that decides on requests, of one load of the configuration.
#[derive(Debug)]
pub struct Simulation<'a> {
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
pub enum SimulatedDestination {
    /// The gateway itself, before any rule.
    Own(Target),
    /// The service of this index, by its rules on this target.
    Service(usize, Target),
}

/// Why a request is refused before any rule is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimulatedRejection {
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
pub struct SimulatedOutcome {
    /// In one word.
    pub verdict: SimulatedVerdict,
    /// The service whose rules were asked.
    pub service: Option<usize>,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// Why it is refused; empty where the verdict says all.
    pub reason: String,
}

impl Simulation<'_> {
    /// Finds out who would answer.
    ///
    /// # Errors
    /// [`SimulatedRejection`] where the request would be refused before any rule is asked.
    pub fn find(
        &self,
        request: &SimulatedRequest,
    ) -> Result<SimulatedDestination, SimulatedRejection> {
        let host = request
            .host()
            .or(self.default_host.as_ref())
            .ok_or(SimulatedRejection::NoHost)?;
        let (method, uri) = (request.method(), request.uri());
        check_request_line(method, uri).map_err(SimulatedRejection::BadRequest)?;
        let target = |path| Target {
            method: method.clone(),
            host: host.clone(),
            path,
        };
        match self
            .own
            .resolve(self.router, method, host.name(), uri.path())
        {
            Ok(Destination::Own(path)) => Ok(SimulatedDestination::Own(target(path))),
            Ok(Destination::Service(found)) => Ok(SimulatedDestination::Service(
                found.service(),
                target(found.into_path()),
            )),
            Err(NoDestination::Path(error)) => {
                Err(SimulatedRejection::BadRequest(BadRequest::Path(error)))
            }
            Err(NoDestination::ServicePath(index, error)) => {
                Err(SimulatedRejection::Path(index, error))
            }
            Err(NoDestination::NoService(path)) => Err(SimulatedRejection::NoService {
                host: host.name().into(),
                path: path.as_str().into(),
            }),
        }
    }

    /// Decides on a request of this caller.
    pub fn decide(&self, request: &SimulatedRequest, caller: &Caller) -> SimulatedOutcome {
        let (service, target) = match self.find(request) {
            Ok(SimulatedDestination::Service(service, target)) => (service, target),
            Ok(SimulatedDestination::Own(_)) => {
                return SimulatedOutcome::without_rule(
                    SimulatedVerdict::Allowed,
                    None,
                    String::new(),
                );
            }
            Err(refusal) => return refusal.into(),
        };
        let decision = self.policies[service].decide(&target.method, &target.path, caller);
        let (rule, reason) = match &decision {
            Decision::Allow(permit) => (permit.rule(), String::new()),
            Decision::Challenge(challenge) => (Some(challenge.rule), String::new()),
            Decision::Forbid(forbid) => (forbid.rule, forbid.reason.to_string()),
        };
        SimulatedOutcome {
            verdict: SimulatedVerdict::of(&decision),
            service: Some(service),
            rule,
            reason,
        }
    }
}

impl SimulatedOutcome {
    fn without_rule(verdict: SimulatedVerdict, service: Option<usize>, reason: String) -> Self {
        Self {
            verdict,
            service,
            rule: None,
            reason,
        }
    }
}

impl From<SimulatedRejection> for SimulatedOutcome {
    fn from(refusal: SimulatedRejection) -> Self {
        let service = match &refusal {
            SimulatedRejection::Path(service, _) => Some(*service),
            SimulatedRejection::BadRequest(_)
            | SimulatedRejection::NoService { .. }
            | SimulatedRejection::NoHost => None,
        };
        Self::without_rule(refusal.verdict(), service, refusal.to_string())
    }
}

impl SimulatedRejection {
    /// In one word.
    pub fn verdict(&self) -> SimulatedVerdict {
        match self {
            Self::BadRequest(_) | Self::Path(..) => SimulatedVerdict::BadRequest,
            Self::NoService { .. } | Self::NoHost => SimulatedVerdict::NotFound,
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

impl fmt::Display for SimulatedRejection {
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
