//! The limits for failed attempts, around the check of a password.

use super::Portal;
use super::denial::LoginDenial;
use crate::ambient;
use crate::session::{
    Admission, Begun, CheckInFlight, LoginAttempt, PasswordResult, StoreUnavailable, Throttled,
};

/// A password that may be checked. Dropped without a result, it counts among those at once until the last of them ends.
pub(super) struct AdmittedAttempt {
    attempt: LoginAttempt,
    admission: Admission,
    check: CheckInFlight,
}

impl Portal {
    /// Admits the check of a password, unless too many failed before or too many are under way.
    pub(super) async fn admit(
        &self,
        attempt: LoginAttempt,
    ) -> Result<Result<AdmittedAttempt, Throttled>, StoreUnavailable> {
        let check = match self.sessions.begin_check(&attempt, &self.settings.attempts) {
            Ok(check) => check,
            Err(throttled) => return Ok(Err(throttled)),
        };
        let admission = self.sessions.check(attempt, ambient::unix_millis()).await?;
        if admission.is_err() {
            check.is_no_failure();
        }
        Ok(admission.map(|admission| AdmittedAttempt {
            attempt,
            admission,
            check,
        }))
    }

    /// Records how the check ended.
    pub(super) async fn record_attempt(
        &self,
        admitted: AdmittedAttempt,
        result: PasswordResult,
    ) -> Result<Begun, LoginDenial> {
        let AdmittedAttempt {
            attempt,
            admission,
            check,
        } = admitted;
        let (limits, now) = (self.settings.attempts, ambient::unix_millis());
        let recorded = self
            .sessions
            .record(attempt, admission, result, limits, now);
        let begun = recorded.await??;
        if result != PasswordResult::Incorrect {
            check.is_no_failure();
        }
        Ok(begun)
    }
}

impl AdmittedAttempt {
    /// Nothing is known of the password: nothing counts.
    pub(super) fn was_not_checked(self) {
        self.check.is_no_failure();
    }
}
