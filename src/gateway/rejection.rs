//! Every way in which a request is not forwarded, and the one table from there to an answer.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::access::{AuthenticationDemand, DecidedPath, Forbid, ForbidReason, NoDestination};
use crate::identify::CredentialError;
use crate::net::DialError;
use crate::rates::RateRefusal;
use crate::telemetry::metrics::{RequestOutcome, UpstreamErrorKind};
use crate::upstream::{BodyFault, ForwardError, PrepareError};
use crate::wire::{self, BadRequest, Challenges, ForeignOrigin, GrpcError, OriginalError};

/// Why a request is not forwarded, or has no answer.
#[derive(Debug)]
pub(super) enum Rejection {
    /// Its connection was accepted under settings that are not in force any more.
    Misdirected,
    /// It can be read in two ways.
    Ambiguous(BadRequest),
    /// No service serves this host and path.
    NoService,
    /// It needs a credential.
    Challenge(Challenges),
    /// It needs a better credential than the one it has.
    BadCredential(CredentialError, Challenges),
    /// Its credential is good, and the sign-in that it came from is not enough: this would be.
    StepUp(AuthenticationDemand, Challenges),
    /// Its password was not looked at: too many were wrong. The next one may come after so many seconds.
    LockedOut(u64),
    /// Its password could not be checked.
    Unchecked,
    /// The known caller lacks something.
    Forbidden(Forbid),
    /// No caller could ever be allowed from here.
    Closed(Forbid),
    /// Another site makes a signed-in browser send it.
    CrossOrigin(ForeignOrigin),
    /// It is answered in another way than usual: people can sign in, and some proxies take few statuses.
    Instead {
        /// Why it is not forwarded.
        because: Box<Rejection>,
        /// The answer.
        response: Box<Response<Bytes>>,
    },
    /// Its caller has used up a rate.
    TooMany(RateRefusal),
    /// It asks for forward-auth and does not come from a trusted proxy.
    NoProxy,
    /// It asks for forward-auth, and about what is not clear.
    Unclear(OriginalError),
    /// It is a call of gRPC without an answer.
    Call(GrpcError),
    /// It was permitted, but cannot be written for the upstream.
    Unwritable(PrepareError),
    /// It was permitted and sent, without success.
    Forward(ForwardError),
}

impl Rejection {
    /// Names in a challenge where the client reads which authorization servers the service trusts.
    pub(super) fn naming(mut self, metadata: impl FnOnce() -> Option<Box<str>>) -> Self {
        if let Self::Challenge(challenges)
        | Self::BadCredential(_, challenges)
        | Self::StepUp(_, challenges) = &mut self
        {
            challenges.resource_metadata = metadata();
        }
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Ambiguous(request) => request.status(),
            Self::NoService => StatusCode::NOT_FOUND,
            Self::Challenge(_) | Self::BadCredential(..) | Self::StepUp(..) => {
                StatusCode::UNAUTHORIZED
            }
            Self::LockedOut(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unchecked => StatusCode::SERVICE_UNAVAILABLE,
            Self::Forbidden(_) | Self::Closed(_) | Self::CrossOrigin(_) | Self::NoProxy => {
                StatusCode::FORBIDDEN
            }
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unclear(_) => StatusCode::BAD_REQUEST,
            Self::Call(error) => error.status(),
            Self::Instead { response, .. } => response.status(),
            Self::Unwritable(PrepareError::Path(_)) => StatusCode::BAD_REQUEST,
            Self::Unwritable(PrepareError::BodyTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Forward(error) => forward_status(error),
        }
    }

    /// What the client is told.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Misdirected => "Open another connection".to_owned(),
            Self::Ambiguous(request) => request.to_string(),
            Self::NoService => "No service for this host and path".to_owned(),
            Self::Challenge(_) => "Not authenticated".to_owned(),
            Self::BadCredential(CredentialError::Password, _) => "Invalid credentials".to_owned(),
            Self::BadCredential(error @ CredentialError::SecondFactor, _) => {
                error.description().to_owned()
            }
            Self::BadCredential(..) => "Invalid or expired token".to_owned(),
            Self::StepUp(demand, _) => format!("Requires {demand}"),
            Self::LockedOut(_) => "Too many failed attempts".to_owned(),
            Self::Unchecked => "The password cannot be checked now".to_owned(),
            Self::Forbidden(forbid) | Self::Closed(forbid) => forbid.to_string(),
            Self::CrossOrigin(_) => wire::CROSS_ORIGIN.to_owned(),
            Self::TooMany(refusal) => try_again(*refusal),
            Self::NoProxy => "Only a trusted proxy may ask".to_owned(),
            Self::Unclear(error) => error.to_string(),
            Self::Call(error) => error.to_string(),
            Self::Instead { because, .. } => because.detail(),
            Self::Unwritable(PrepareError::Path(error)) => error.to_string(),
            Self::Unwritable(PrepareError::BodyTooLarge) => BodyFault::TooLarge.to_string(),
            Self::Forward(error) => forward_detail(error),
        }
    }

    /// The sign-in that would be enough, where the one there is is not.
    pub(super) fn step_up(&self) -> Option<AuthenticationDemand> {
        match self {
            Self::StepUp(demand, _) => Some(*demand),
            Self::Instead { because, .. } => because.step_up(),
            Self::Misdirected
            | Self::Ambiguous(_)
            | Self::NoService
            | Self::Challenge(_)
            | Self::BadCredential(..)
            | Self::LockedOut(_)
            | Self::Unchecked
            | Self::Forbidden(_)
            | Self::Closed(_)
            | Self::CrossOrigin(_)
            | Self::TooMany(_)
            | Self::NoProxy
            | Self::Unclear(_)
            | Self::Call(_)
            | Self::Unwritable(_)
            | Self::Forward(_) => None,
        }
    }

    /// What people are told in place of what programs are.
    pub(super) fn detail_for_people(&self) -> Option<String> {
        if let Self::CrossOrigin(foreign) = self {
            let why = format!("{}: {foreign}. {}", wire::CROSS_ORIGIN, foreign.advice());
            return Some(why.trim_end().to_owned());
        }
        // the page itself says when to try again
        matches!(self, Self::TooMany(_)).then(String::new)
    }

    /// How it is counted; `None`: as what was decided before.
    pub(super) fn outcome(&self) -> Option<RequestOutcome> {
        Some(match self {
            Self::Call(GrpcError::NotTrusted) => RequestOutcome::Forbidden,
            Self::Misdirected
            | Self::Ambiguous(_)
            | Self::Unclear(_)
            | Self::Call(_)
            | Self::Unwritable(PrepareError::Path(_)) => RequestOutcome::BadRequest,
            Self::NoService => RequestOutcome::NotFound,
            Self::Challenge(_)
            | Self::BadCredential(..)
            | Self::StepUp(..)
            | Self::LockedOut(_)
            | Self::Unchecked => RequestOutcome::Unauthenticated,
            Self::Forbidden(_) | Self::Closed(_) | Self::CrossOrigin(_) | Self::NoProxy => {
                RequestOutcome::Forbidden
            }
            Self::Instead { because, .. } => return because.outcome(),
            Self::TooMany(_) | Self::Unwritable(PrepareError::BodyTooLarge) => {
                RequestOutcome::Limited
            }
            Self::Forward(_) => return None,
        })
    }

    /// What the operator is told, in the access log.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::BadCredential(error, _) => error.reason().to_owned(),
            Self::Forbidden(forbid) | Self::Closed(forbid) => forbid_label(forbid),
            Self::Forward(error) => error.to_string(),
            Self::Instead { because, .. } => because.reason(),
            Self::CrossOrigin(foreign) => format!("cross-origin: {foreign}"),
            Self::TooMany(RateRefusal { limit, by, .. }) => {
                format!("rate of the {}, by {}", limit.as_str(), by.as_str())
            }
            Self::Misdirected => "outdated connection".to_owned(),
            Self::Ambiguous(_)
            | Self::NoService
            | Self::Challenge(_)
            | Self::StepUp(..)
            | Self::LockedOut(_)
            | Self::Unchecked
            | Self::NoProxy
            | Self::Unclear(_)
            | Self::Call(_)
            | Self::Unwritable(_) => self.detail(),
        }
    }

    /// The answer.
    pub(super) fn respond(&self) -> Response<Bytes> {
        let mut response = match self {
            Self::Challenge(challenges) => challenges.not_authenticated(),
            Self::BadCredential(CredentialError::Password, challenges) => {
                challenges.invalid_password()
            }
            Self::BadCredential(error @ CredentialError::SecondFactor, challenges) => {
                challenges.password_alone(error.description())
            }
            Self::BadCredential(error, challenges) => challenges.invalid_token(error.description()),
            Self::StepUp(demand, challenges) => {
                challenges.insufficient_sign_in(&demand.to_string(), demand.max_age)
            }
            Self::Instead { response, .. } => return response.as_ref().clone(),
            Self::TooMany(refusal) => too_many(*refusal, &self.detail()),
            Self::Call(error) => return error.respond(),
            Self::Misdirected
            | Self::Ambiguous(_)
            | Self::NoService
            | Self::LockedOut(_)
            | Self::Unchecked
            | Self::Forbidden(_)
            | Self::Closed(_)
            | Self::CrossOrigin(_)
            | Self::NoProxy
            | Self::Unclear(_)
            | Self::Unwritable(_)
            | Self::Forward(_) => wire::problem(self.status(), &self.detail()),
        };
        if let Some((name, value)) = self.hint() {
            response.headers_mut().insert(name, value);
        }
        if self.closes_connection() {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// What a client may do about it.
    fn hint(&self) -> Option<(HeaderName, HeaderValue)> {
        let fixed = |name, value| Some((name, HeaderValue::from_static(value)));
        match self {
            Self::Forbidden(_) => fixed(
                WWW_AUTHENTICATE,
                "Bearer realm=\"gatelatch\", error=\"insufficient_scope\"",
            ),
            Self::Ambiguous(BadRequest::MethodNotAllowed) => {
                fixed(ALLOW, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
            }
            Self::Forward(ForwardError::Unavailable) | Self::Unchecked => fixed(RETRY_AFTER, "1"),
            Self::LockedOut(seconds) => Some((RETRY_AFTER, (*seconds).into())),
            Self::Misdirected
            | Self::Ambiguous(_)
            | Self::NoService
            | Self::Challenge(_)
            | Self::BadCredential(..)
            | Self::StepUp(..)
            | Self::Closed(_)
            | Self::CrossOrigin(_)
            | Self::TooMany(_)
            | Self::Instead { .. }
            | Self::NoProxy
            | Self::Unclear(_)
            | Self::Call(_)
            | Self::Unwritable(_)
            | Self::Forward(_) => None,
        }
    }

    /// Where it is not certain any more where the next request starts, or whose it is.
    fn closes_connection(&self) -> bool {
        match self {
            Self::Misdirected
            | Self::Ambiguous(BadRequest::TransferEncoding)
            | Self::Forward(ForwardError::Client(_)) => true,
            Self::Unwritable(PrepareError::BodyTooLarge) => true,
            Self::Ambiguous(_)
            | Self::NoService
            | Self::Challenge(_)
            | Self::BadCredential(..)
            | Self::StepUp(..)
            | Self::LockedOut(_)
            | Self::Unchecked
            | Self::Forbidden(_)
            | Self::Closed(_)
            | Self::CrossOrigin(_)
            | Self::TooMany(_)
            | Self::Instead { .. }
            | Self::NoProxy
            | Self::Unclear(_)
            | Self::Call(_)
            | Self::Unwritable(PrepareError::Path(_))
            | Self::Forward(_) => false,
        }
    }
}

fn try_again(refusal: RateRefusal) -> String {
    let seconds = refusal.retry_after;
    let plural = if seconds == 1 { "" } else { "s" };
    format!("Too many requests; try again in {seconds} second{plural}")
}

/// 429, which no cache may store (RFC 6585, section 4).
fn too_many(refusal: RateRefusal, detail: &str) -> Response<Bytes> {
    let mut response = wire::problem(StatusCode::TOO_MANY_REQUESTS, detail);
    let fields = response.headers_mut();
    fields.insert(RETRY_AFTER, refusal.retry_after.into());
    wire::forbid_storing(fields);
    response
}

fn forward_status(error: &ForwardError) -> StatusCode {
    match error {
        ForwardError::Dial(DialError::TimedOut(_)) | ForwardError::ResponseTimeout => {
            StatusCode::GATEWAY_TIMEOUT
        }
        ForwardError::Dial(_)
        | ForwardError::Opening(_)
        | ForwardError::Closed(_)
        | ForwardError::HeadTooLarge
        | ForwardError::Inexpressible(_)
        | ForwardError::Protocol(_) => StatusCode::BAD_GATEWAY,
        ForwardError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ForwardError::Client(BodyFault::Broken) => StatusCode::BAD_REQUEST,
        ForwardError::Client(BodyFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        ForwardError::Client(BodyFault::TimedOut) => StatusCode::REQUEST_TIMEOUT,
    }
}

/// Without names and addresses of the upstream: those are for the access log.
fn forward_detail(error: &ForwardError) -> String {
    match error {
        ForwardError::Dial(DialError::TimedOut(_)) | ForwardError::ResponseTimeout => {
            "The upstream did not answer in time".to_owned()
        }
        ForwardError::Dial(_) | ForwardError::Opening(_) => {
            "The upstream cannot be reached".to_owned()
        }
        ForwardError::Unavailable => "No server of the upstream is healthy".to_owned(),
        ForwardError::Closed(_) => {
            "The upstream closed the connection before its answer".to_owned()
        }
        ForwardError::Protocol(_) => "The upstream's answer is not HTTP".to_owned(),
        ForwardError::Inexpressible(_) => {
            "The upstream speaks a protocol that cannot say this request".to_owned()
        }
        ForwardError::HeadTooLarge => {
            "The upstream's answer has too many header fields, or too long ones".to_owned()
        }
        ForwardError::Client(fault) => fault.to_string(),
    }
}

/// How a failure on the way out is counted; `None`: the client's own fault.
pub(super) fn upstream_error_kind(error: &ForwardError) -> Option<UpstreamErrorKind> {
    match error {
        ForwardError::Dial(DialError::TimedOut(_)) => Some(UpstreamErrorKind::ConnectTimeout),
        ForwardError::Dial(_) | ForwardError::Opening(_) => Some(UpstreamErrorKind::Connect),
        ForwardError::Unavailable => Some(UpstreamErrorKind::Unavailable),
        ForwardError::ResponseTimeout => Some(UpstreamErrorKind::ResponseTimeout),
        ForwardError::Closed(_) => Some(UpstreamErrorKind::Reset),
        ForwardError::Protocol(_) | ForwardError::Inexpressible(_) | ForwardError::HeadTooLarge => {
            Some(UpstreamErrorKind::Protocol)
        }
        ForwardError::Client(_) => None,
    }
}

fn forbid_label(forbid: &Forbid) -> String {
    let reason = match forbid.reason {
        ForbidReason::NoRule => "no rule",
        ForbidReason::Nobody => "nobody is allowed",
        ForbidReason::Roles(_) => "role missing",
        ForbidReason::SignIn(_) => "sign-in missing",
        ForbidReason::Condition => "condition failed",
    };
    match forbid.about {
        DecidedPath::Target => reason.to_owned(),
        DecidedPath::Destination => format!("destination: {reason}"),
    }
}

impl From<NoDestination> for Rejection {
    fn from(error: NoDestination) -> Self {
        match error {
            NoDestination::NoService(_) => Self::NoService,
            NoDestination::Path(error) | NoDestination::ServicePath(_, error) => {
                BadRequest::Path(error).into()
            }
        }
    }
}

impl From<BadRequest> for Rejection {
    fn from(request: BadRequest) -> Self {
        Self::Ambiguous(request)
    }
}

impl From<GrpcError> for Rejection {
    fn from(error: GrpcError) -> Self {
        Self::Call(error)
    }
}

impl From<PrepareError> for Rejection {
    fn from(error: PrepareError) -> Self {
        Self::Unwritable(error)
    }
}

impl From<ForwardError> for Rejection {
    fn from(error: ForwardError) -> Self {
        Self::Forward(error)
    }
}
