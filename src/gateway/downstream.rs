//! A client that wants to leave HTTP.

use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use hyper::upgrade::OnUpgrade;

use super::reauthorization::Reauthorization;
use super::relay::RelayBuffer;
use super::snapshot::ServiceSnapshot;
use super::worker::{Pinned, Worker};
use crate::access::Permit;
use crate::ambient::Deadline;
use crate::telemetry::metrics::GaugeGuard;
use crate::wire::{Intake, Upgrade, UpgradeForm, offered_bearer};

/// A client that has asked for another protocol, and may have it.
pub(super) struct Downstream {
    pub(super) upgrade: Upgrade,
    /// What the answer picks of the client's protocols where the service picks none: one that the gateway has taken out.
    pub(super) protocol: Option<HeaderValue>,
    /// Where the client asked over a stream of HTTP/2: the stream.
    pub(super) stream: Option<OnUpgrade>,
    /// Why it is allowed.
    pub(super) reauthorization: Reauthorization,
    /// Passes when nothing has moved for too long.
    pub(super) idle: Deadline,
    /// How long that is.
    pub(super) idle_after: Duration,
    /// Counts it as open.
    pub(super) counted: GaugeGuard,
    /// What is read for either side.
    pub(super) buffer: Rc<RelayBuffer>,
}

impl Downstream {
    /// The client's side of a permitted request; `None` where it asks for no other protocol. `until`: when its token
    /// expires.
    pub(super) fn of(
        worker: &Rc<Worker>,
        pinned: &Pinned,
        intake: &mut Intake,
        (service, permit): (&ServiceSnapshot, &Permit<'_>),
        until: Option<u64>,
    ) -> Option<Box<Self>> {
        let upgrade = intake.upgrade.clone()?;
        let identity = &service.forwarding.identity;
        let used = intake.credential.as_ref();
        let used = used.filter(|used| used.is_among_protocols() && identity.removes(used, permit));
        let protocol = used.and_then(|_| offered_bearer(&intake.head.headers));
        let stream = intake.head.extensions.remove::<OnUpgrade>();
        let stream = stream.filter(|_| upgrade.form == UpgradeForm::Connect);
        let reauthorization = Reauthorization::new(worker, pinned, intake, &service.name, until);
        let idle_after = pinned.snapshot.server().timeouts.tunnel;
        let (idle, counted) = (worker.ticker.deadline(), worker.shard.tunnels().hold());
        Some(Box::new(Self {
            upgrade,
            protocol,
            stream,
            reauthorization,
            idle,
            idle_after,
            counted,
            buffer: Rc::clone(&worker.relay_buffer),
        }))
    }
}
