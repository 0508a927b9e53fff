//! Steps 3 to 6: from a request's head to what comes next. Nothing is waited for here.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response, Version};
use hyper::body::Incoming;

use super::browser::{or_sign_in, refuse_foreign};
use super::connection::ClientConnection;
use super::decide::decide;
use super::document;
use super::downstream::Downstream;
use super::identify::{Identified, Outcome as Credential, identify};
use super::reauthorization::holds_until;
use super::record::{Record, Route};
use super::rejection::Rejection;
use super::renewal::Renewal;
use super::snapshot::{Service, Snapshot};
use super::traced::Traced;
use super::verify::verify;
use super::worker::{Pinned, Worker};
use crate::ambient;
use crate::portal::Endpoint;
use crate::telemetry::metrics::Outcome;
use crate::upstream::{Extra, Outbound};
use crate::wire::{BadRequest, Destination, Intake, NoDestination, Scheme, Target};

/// What comes next for a request that was understood.
pub(super) enum Next {
    /// Nothing: this is the gateway's own answer.
    Done(Response<Bytes>),
    /// Nothing: forward-auth is told that it may pass.
    Verified(Response<Bytes>),
    /// One of the gateway's own endpoints answers.
    Portal(Box<Asked>),
    /// It may pass.
    Forward(Forward),
}

/// A request for one of the gateway's own endpoints.
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    pub(super) intake: Intake,
    pub(super) body: Incoming,
}

/// A request that may pass, with what its answer will need.
pub(super) struct Forward {
    /// The service.
    pub(super) index: usize,
    pub(super) outbound: Outbound,
    pub(super) client: IpAddr,
    /// Where the client asks for another protocol.
    pub(super) downstream: Option<Box<Downstream>>,
    /// Whether it asks for the service's OpenAPI document.
    pub(super) document: bool,
}

/// Steps 3 to 6, in which nothing is waited for: all that is known of a request only until it is decided is gone before the
/// first wait, and needs no place in what is kept while the upstream works.
pub(super) fn judge(
    worker: &Rc<Worker>,
    pinned: &Pinned,
    request: Box<Request<Incoming>>,
    connection: &ClientConnection,
    record: &mut Record,
) -> Result<Next, Rejection> {
    let (snapshot, peer) = (&*pinned.snapshot, connection.peer());
    let (head, body) = request.into_parts();
    record.method = head.method.clone();
    record.path = head.uri.path().into();
    record.trace = snapshot
        .tracer
        .as_ref()
        .map(|tracer| Traced::begin(tracer, &head, peer, snapshot));
    connection.check(snapshot)?;
    // the parser of HTTP/1.1 has counted them, that of HTTP/2 has not
    if head.version == Version::HTTP_2 && head.headers.len() > snapshot.server().limits.headers {
        return Err(BadRequest::TooManyFields.into());
    }
    let paths = snapshot.router.widest_paths();
    let (mut target, mut intake) =
        Intake::read(head, peer, &snapshot.trusted, &snapshot.cookie, paths)?;
    record.take_in(&target, &intake);
    if let Some(below) = snapshot.portal.below_verify(intake.head.uri.path()) {
        return verify(worker, pinned, &target, &intake, below, record).map(Next::Verified);
    }
    let Destination::Service(index) = find(&mut target, &intake, snapshot, record)? else {
        let endpoint = snapshot
            .portal
            .endpoint(&target.method, target.path.as_str());
        return Ok(Next::Portal(Box::new(Asked {
            endpoint,
            intake,
            body,
        })));
    };
    let service = &snapshot.services[index];
    if let Some(preflight) = preflight(service, &intake, record) {
        return Ok(Next::Done(preflight));
    }
    let mut identified = identify_sender(worker, pinned, &intake);
    record.know(&mut identified, intake.site.scheme);
    refuse_foreign(&target, &intake, &identified, record)?;
    let Identified {
        caller, credential, ..
    } = identified;
    let until = holds_until(&credential);
    let is_refused = matches!(credential, Credential::Refused(_));
    let permit = decide(
        service,
        (&target.method, &target.path),
        &caller,
        credential,
        record,
    )
    .map_err(|denial| or_sign_in(denial, service, snapshot, &target, &intake))?;
    if is_refused && record.outcome == Outcome::Allowed {
        withhold_own(snapshot, &mut intake);
    }
    let document = document::is_asked(service, &target);
    if document {
        document::ask_whole(&mut intake);
    }
    let downstream = Downstream::of(worker, pinned, &target, &mut intake, until);
    let interim = peer.interim().cloned();
    let extra = Extra {
        request_id: record.request_id.clone(),
        ticker: &worker.ticker,
        interim,
    };
    let client = intake.client.accountable_address();
    let outbound = Outbound::prepare(
        permit,
        &target.host,
        intake,
        body,
        &service.forwarding,
        extra,
    )?;
    Ok(Next::Forward(Forward {
        index,
        outbound,
        client,
        downstream,
        document,
    }))
}

/// Whose request it is, now.
pub(super) fn identify_sender(worker: &Worker, pinned: &Pinned, intake: &Intake) -> Identified {
    let identified = identify(
        worker,
        pinned,
        intake.credential.as_ref(),
        intake.client.address,
        ambient::unix_seconds(),
    );
    worker.note_refusal(&identified);
    identified
}

impl Record {
    fn take_in(&mut self, target: &Target, intake: &Intake) {
        self.host = target.host.name().into();
        // most paths are sent in their one spelling
        if *self.path != *target.path.as_str() {
            self.path = target.path.as_str().into();
        }
        self.client = intake.client.address;
        if let Some(traced) = &mut self.trace {
            traced.scheme = intake.site.scheme;
        }
        if let Some(id) = &intake.request_id {
            self.request_id = id.clone();
        }
    }

    /// `scheme` is how the client came.
    pub(super) fn know(&mut self, identified: &mut Identified, scheme: Scheme) {
        self.user = identified.caller.identity().cloned();
        let session = identified.renewal.take();
        self.renewal = session.map(|session| Renewal { session, scheme });
    }
}

impl Worker {
    pub(super) fn note_refusal(&self, identified: &Identified) {
        if let Credential::Refused(error) = identified.credential {
            self.shard.token_refused(error.kind());
        }
    }
}

/// Keeps a token of the gateway from a service that is open to anyone: what is refused today, as that of a disabled
/// user, may be accepted tomorrow. Other tokens may be the service's own.
fn withhold_own(snapshot: &Snapshot, intake: &mut Intake) {
    if let Some(credential) = &mut intake.credential
        && snapshot.verifier.is_named_by(credential.token())
    {
        credential.withhold();
    }
}

/// The answer to a preflight, where the service says itself which pages may call it: it comes before authentication.
fn preflight(service: &Service, intake: &Intake, record: &mut Record) -> Option<Response<Bytes>> {
    let cors = service.cors.as_ref()?;
    record.cors = Some(cors.judge(&intake.head.headers));
    let preflight = cors.preflight(&intake.head)?;
    record.outcome = Outcome::Gateway;
    Some(preflight)
}

/// Who answers. What is asked of a service is the service's own reading of the path from now on.
fn find(
    target: &mut Target,
    intake: &Intake,
    snapshot: &Snapshot,
    record: &mut Record,
) -> Result<Destination, Rejection> {
    let found = target.find(
        intake.head.uri.path(),
        snapshot.portal.own_paths(),
        &snapshot.router,
    );
    if let Ok(Destination::Service(index)) | Err(NoDestination::Path(index, _)) = found {
        record.route = Route::Service(index);
    }
    found.map_err(|error| match error {
        NoDestination::NoService => Rejection::NoService,
        NoDestination::Path(_, error) => BadRequest::Path(error).into(),
    })
}
