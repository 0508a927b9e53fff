//! Decides requests without sending them. Reading the request line, finding the service and deciding are the same code
//! as for a request that is sent.

mod caller;
mod outcome;
mod request;

pub use caller::{CallerSpec, SimulatedCaller, UnknownUser, roles_text};
pub use outcome::SimulatedVerdict;
pub use request::{SimulatedRequest, SimulatedRequestError};

use std::fmt;

use crate::access::{
    AccessSubject, ChallengeReason, Decision, NoDestination, PathError, Policy, RequestPath,
    Router, RuleId,
};
use crate::wire::{
    BadRequest, Destination, DestinationField, Host, OwnPaths, Target, check_request_line,
    same_service,
};

/// Everything that decides requests under one loaded configuration.
#[derive(Debug)]
pub struct Simulation<'a> {
    /// The paths of the gateway's own endpoints.
    pub own: OwnPaths,
    /// Finds a service; its indices are those of `policies`.
    pub router: &'a Router,
    /// The rules of each service.
    pub policies: Vec<&'a Policy>,
    /// The host of requests without one; `None` where every service requires a host.
    pub default_host: Option<Host>,
}

/// Where a simulated request goes.
#[derive(Debug)]
pub enum SimulatedDestination {
    /// To the gateway itself, before any rule.
    Own(Target),
    /// To the service of this index, whose rules decide on this target.
    Service(usize, Target),
}

/// Why a simulated request is refused before any rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimulatedRejection {
    /// It is invalid or ambiguous.
    BadRequest(BadRequest),
    /// The service of this index does not accept the path.
    Path(usize, PathError),
    /// No service has this host and path.
    NoService {
        /// The requested host.
        host: Box<str>,
        /// The normalized path.
        path: Box<str>,
    },
    /// The request has no host, and every service requires one.
    NoHost,
}

/// The outcome of a simulated request of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedOutcome {
    /// In one word.
    pub verdict: SimulatedVerdict,
    /// The service whose rules decided.
    pub service: Option<usize>,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// Why it is refused; empty where the verdict says everything.
    pub reason: String,
}

impl Simulation<'_> {
    /// Finds where the request goes.
    ///
    /// # Errors
    /// [`SimulatedRejection`] where the request is refused before any rule applies.
    pub fn find(
        &self,
        request: &SimulatedRequest,
    ) -> Result<SimulatedDestination, SimulatedRejection> {
        if let Some(fault) = request.fault() {
            return Err(SimulatedRejection::BadRequest(BadRequest::Target(fault)));
        }
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
            destination: None,
        };
        match self
            .own
            .resolve(self.router, method, host.name(), uri.path())
        {
            Ok(Destination::Own(path)) => Ok(SimulatedDestination::Own(target(path))),
            Ok(Destination::Service(found)) => {
                let service = found.service();
                let destination = self.find_destination(request, host, service);
                let target = Target {
                    destination: destination.map_err(SimulatedRejection::BadRequest)?,
                    ..target(found.into_path())
                };
                Ok(SimulatedDestination::Service(service, target))
            }
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

    fn find_destination(
        &self,
        request: &SimulatedRequest,
        host: &Host,
        service: usize,
    ) -> Result<Option<RequestPath>, BadRequest> {
        let Some(text) = request.destination() else {
            return Ok(None);
        };
        let field = DestinationField::parse(text)?;
        let sent = field.path_on(request.site().as_ref())?;
        let (method, name) = (request.method(), host.name());
        let found = self.own.resolve(self.router, method, name, sent);
        same_service(found, service).map(Some)
    }

    /// Decides a request of this caller.
    pub fn decide(&self, request: &SimulatedRequest, caller: &AccessSubject) -> SimulatedOutcome {
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
        let decision = self.policies[service].decide(&target.method, target.paths(), caller);
        let (rule, reason) = match &decision {
            Decision::Allow(rule) => (Some(*rule), String::new()),
            Decision::Challenge(challenge) => {
                let reason = match challenge.reason {
                    ChallengeReason::Absent(_) | ChallengeReason::Rejected(_) => String::new(),
                    ChallengeReason::SignIn(_) => challenge.reason.to_string(),
                };
                (Some(challenge.rule), reason)
            }
            Decision::Forbid(forbid) => (forbid.rule, forbid.to_string()),
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

    /// The HTTP status of the response.
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
