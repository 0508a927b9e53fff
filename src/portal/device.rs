//! The device cookie: which browsers a user has signed in with before.

use http::HeaderMap;
use http::header::SET_COOKIE;

use super::Portal;
use crate::ambient;
use crate::session::DeviceId;
use crate::wire::Intake;

impl Portal {
    /// The browser, where it shows that this user has signed in with it before. Whether there is such a user does not
    /// matter.
    pub(super) fn known_device(&self, intake: &Intake, user: &str, now: u64) -> Option<DeviceId> {
        let cookie = &self.settings.cookie;
        let shown = cookie.device(&intake.cookies, intake.site.scheme)?;
        let devices = self.browsers.devices();
        devices.verify(shown, user, now).map(DeviceId::from_bytes)
    }

    /// Marks a browser as one that this user has just signed in with. Where that cannot be signed, the sign-in counts
    /// all the same.
    pub(super) fn remember_device(
        &self,
        intake: &Intake,
        user: &str,
        now: u64,
        headers: &mut HeaderMap,
    ) {
        let id = ambient::random_bytes();
        if let Ok(device) = self.browsers.devices().issue(user, id, now) {
            let cookie = &self.settings.cookie;
            let line = cookie.write_device(intake.site.scheme, &device.value, device.max_age);
            headers.append(SET_COOKIE, line);
        }
    }
}
