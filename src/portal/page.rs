//! The answers that browsers show or follow.

use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

use super::return_path::ReturnPath;
use crate::access::{AuthenticationDemand, PathOptions};
use crate::pages::{PassingPage, RenderedPage, Theme};
use crate::text::form;
use crate::wire;

/// Says in the sign-in page's query that the browser has just been signed out.
pub(super) const SIGNED_OUT: &str = "signed-out";

/// Says there that the form is to be shown, though there is only a provider to sign in with.
pub(super) const LOCAL: &str = "local";

/// Says there that somebody else wants to sign in than who is signed in.
const SWITCH: &str = "switch";

/// Says there that whoever is signed in is to sign in once more; its value, or by itself, that a second factor is needed.
const REAUTH: &str = "reauth";
const SECOND_FACTOR: &str = "second-factor";

/// Says there how many seconds ago that sign-in may be when it is looked at.
const MAX_AGE: &str = "max_age";

/// Why somebody signs in who may be signed in already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignInReason {
    /// Nobody is signed in. The sign-in is to meet this demand, where it can.
    Ordinary(AuthenticationDemand),
    /// As somebody else.
    Switch,
    /// Once more, so that the sign-in meets this demand. What the query says of it only decides what is asked for: whether
    /// it is met, the rule decides.
    StepUp(AuthenticationDemand),
}

impl SignInReason {
    /// A path of the gateway's own with this reason in its query, and where the browser goes afterwards.
    pub(super) fn address(self, path: &str, next: Option<&ReturnPath>) -> String {
        let mut query = match next {
            Some(next) => format!("next={}", next.encoded()),
            None => String::new(),
        };
        let mut add = |text: &str| {
            query.push_str(if query.is_empty() { "" } else { "&" });
            query.push_str(text);
        };
        let AuthenticationDemand {
            second_factor,
            max_age,
        } = self.demand();
        match self {
            Self::Ordinary(_) if second_factor => add(SECOND_FACTOR),
            Self::Ordinary(_) => {}
            Self::Switch => add(SWITCH),
            Self::StepUp(_) if second_factor => add(&format!("{REAUTH}={SECOND_FACTOR}")),
            Self::StepUp(_) => add(REAUTH),
        }
        if let Some(max_age) = max_age {
            add(&format!("{MAX_AGE}={}", max_age.as_secs()));
        }
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }

    /// Whether it is asked for, whoever is signed in.
    pub(super) fn asks_anew(self) -> bool {
        match self {
            Self::Ordinary(_) => false,
            Self::Switch | Self::StepUp(_) => true,
        }
    }

    /// The demand that the sign-in is to meet.
    pub(super) fn demand(self) -> AuthenticationDemand {
        match self {
            Self::Switch => AuthenticationDemand::default(),
            Self::Ordinary(demand) | Self::StepUp(demand) => demand,
        }
    }
}

/// Nobody is signed in, and nothing is asked of the sign-in.
impl Default for SignInReason {
    fn default() -> Self {
        Self::Ordinary(AuthenticationDemand::default())
    }
}

/// The query of a page.
#[derive(Default)]
pub(super) struct PageQuery {
    /// `None` where there is no safe way back.
    pub(super) next: Option<ReturnPath>,
    pub(super) signed_out: bool,
    pub(super) reason: SignInReason,
    pub(super) local: bool,
}

impl PageQuery {
    pub(super) fn read(query: Option<&str>, options: PathOptions) -> Self {
        let mut read = Self::default();
        let (mut max_age, mut second_factor) = (None, false);
        let query = query.unwrap_or_default().as_bytes();
        for (name, value) in form::pairs(query).filter_map(Result::ok) {
            match &**name {
                "next" => read.next = ReturnPath::parse(&value, options),
                SIGNED_OUT => read.signed_out = true,
                SWITCH => read.reason = SignInReason::Switch,
                SECOND_FACTOR => second_factor = true,
                REAUTH => {
                    read.reason = SignInReason::StepUp(AuthenticationDemand {
                        second_factor: **value == *SECOND_FACTOR,
                        max_age: None,
                    });
                }
                MAX_AGE => max_age = value.parse().ok().map(Duration::from_secs),
                LOCAL => read.local = true,
                _ => {}
            }
        }
        if let SignInReason::Ordinary(demand) | SignInReason::StepUp(demand) = &mut read.reason {
            demand.max_age = max_age;
            demand.second_factor |= second_factor;
        }
        read
    }

    /// Whether the sign-in page stays where it could go straight on to the only provider: somebody who has just signed
    /// out would be signed in again.
    pub(super) fn stays(&self) -> bool {
        self.signed_out || self.local || self.reason.asks_anew()
    }
}

/// Nobody but the page itself may ask for keys: not what it could embed, if it embedded anything.
const KEYS: &str = "publickey-credentials-create=(self), publickey-credentials-get=(self)";

/// A page under its policy, which no other page may frame and no cache keep.
pub(super) fn show(page: RenderedPage, status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(page.html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-security-policy", page.policy);
    if page.asks_for_keys {
        headers.insert("permissions-policy", HeaderValue::from_static(KEYS));
    }
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        // `no-referrer` would make browsers send the form with `Origin: null`
        ("referrer-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    wire::forbid_storing(headers);
    response
}

/// A page that the browser leaves by itself. Where it goes, it goes from here: not from where it was redirected from,
/// and not as the answer to a form, which may lead nowhere else.
pub(super) fn pass_on(theme: &Theme, page: &PassingPage<'_>) -> Option<Response<Bytes>> {
    let refresh = HeaderValue::from_str(&format!("0; url={}", page.address)).ok()?;
    let mut response = show(theme.show(page), StatusCode::OK);
    response.headers_mut().insert("refresh", refresh);
    Some(response)
}

/// `303`, also where the browser came by another method than GET; `None` where the address is no field value.
pub(super) fn see_other(address: &str) -> Option<Response<Bytes>> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_str(address).ok()?);
    wire::forbid_storing(response.headers_mut());
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_sign_in_is_read_back() {
        let next = ReturnPath::parse("/jobs?x=1", PathOptions::default());
        let step_up = |second_factor, max_age: Option<u64>| {
            SignInReason::StepUp(AuthenticationDemand {
                second_factor,
                max_age: max_age.map(Duration::from_secs),
            })
        };
        let ordinary = |second_factor, max_age: Option<u64>| {
            SignInReason::Ordinary(AuthenticationDemand {
                second_factor,
                max_age: max_age.map(Duration::from_secs),
            })
        };
        for (reason, query) in [
            (SignInReason::default(), ""),
            (ordinary(true, None), "second-factor"),
            (ordinary(true, Some(900)), "second-factor&max_age=900"),
            (ordinary(false, Some(900)), "max_age=900"),
            (SignInReason::Switch, "switch"),
            (step_up(false, None), "reauth"),
            (step_up(true, None), "reauth=second-factor"),
            (step_up(false, Some(900)), "reauth&max_age=900"),
            (step_up(true, Some(5)), "reauth=second-factor&max_age=5"),
        ] {
            let address = reason.address("/auth/login", next.as_ref());
            let separator = if query.is_empty() { "" } else { "&" };
            let expected = format!("/auth/login?next=/jobs%3Fx%3D1{separator}{query}");
            assert_eq!(address, expected);
            let (_, sent) = address.split_once('?').unwrap();
            let read = PageQuery::read(Some(sent), PathOptions::default());
            assert_eq!((read.reason, read.next), (reason, next.clone()));
        }
        assert_eq!(SignInReason::default().address("/a", None), "/a");
        assert_eq!(SignInReason::Switch.address("/a", None), "/a?switch");
    }

    #[test]
    fn what_cannot_be_read_asks_for_less() {
        let read = |query| PageQuery::read(Some(query), PathOptions::default()).reason;
        assert_eq!(read("max_age=5&switch"), SignInReason::Switch);
        assert_eq!(read("max_age=-1&second"), SignInReason::default());
        for query in ["reauth=x&max_age=-1", "max_age=x&reauth=", "reauth&max_age"] {
            assert_eq!(
                read(query),
                SignInReason::StepUp(AuthenticationDemand::default())
            );
        }
    }
}
