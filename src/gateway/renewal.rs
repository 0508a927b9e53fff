//! The renewal of a browser's session: due when the request is identified, made when its answer begins. Much may have
//! happened between the two: another user has signed in with this browser, and the answer must not put the former session
//! over that of the new one.

use std::rc::Rc;

use http::HeaderValue;

use super::worker::{Pinned, Worker};
use crate::ambient;
use crate::identify::{Identified, SessionRenewal};
use crate::wire::Scheme;

/// A session of which half the time is over, or of which its provider has said something new.
pub(super) struct Renewal {
    due: SessionRenewal,
    /// How the client came.
    pub(super) scheme: Scheme,
}

impl Renewal {
    /// The renewal of an identified caller's session, where it is due. `scheme` is how the client came.
    pub(super) fn of(identified: &mut Identified, scheme: Scheme) -> Option<Self> {
        let due = identified.renewal.take()?;
        Some(Self { due, scheme })
    }

    /// `Set-Cookie`, unless the session was ended meanwhile, by a logout or by a sign-in over it; or it has expired, so
    /// that the browser has dropped the cookie and may have another; or another configuration is in force, which may
    /// have no place for it. Whoever still has the session gets the renewal with the next answer.
    pub(super) fn cookie(self, worker: &Worker, pinned: &Rc<Pinned>) -> Option<HeaderValue> {
        let SessionRenewal {
            session,
            is_confirmed,
        } = self.due;
        let has_ended = worker.revocations().is_revoked(&session.session);
        if has_ended || !Rc::ptr_eq(&worker.pin(), pinned) {
            return None;
        }
        let (snapshot, now) = (&*pinned.snapshot, ambient::unix_seconds());
        let renewed = snapshot.browsers.renew(&session, is_confirmed, now)?;
        snapshot.portal.session_used(&session, now);
        Some(
            snapshot
                .cookie
                .write(self.scheme, &renewed.value, renewed.max_age),
        )
    }
}
