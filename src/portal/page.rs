//! The answers that browsers show or follow.

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

use super::return_path::ReturnPath;
use crate::access::PathOptions;
use crate::pages::{PassingPage, RenderedPage, Theme};
use crate::text::form;
use crate::wire;

/// Says in the sign-in page's query that the browser has just been signed out.
pub(super) const SIGNED_OUT: &str = "signed-out";

/// Says there that the form is to be shown, though there is only a provider to sign in with.
pub(super) const LOCAL: &str = "local";

/// Says there that somebody else wants to sign in than who is signed in.
pub(super) const SWITCH: &str = "switch";

/// The query of a page.
#[derive(Default)]
pub(super) struct PageQuery {
    /// `None` where there is no safe way back.
    pub(super) next: Option<ReturnPath>,
    pub(super) signed_out: bool,
    pub(super) switch: bool,
    pub(super) local: bool,
}

impl PageQuery {
    pub(super) fn read(query: Option<&str>, options: PathOptions) -> Self {
        let mut read = Self::default();
        for (name, value) in
            form::pairs(query.unwrap_or_default().as_bytes()).filter_map(Result::ok)
        {
            match &**name {
                "next" => read.next = ReturnPath::parse(&value, options),
                SIGNED_OUT => read.signed_out = true,
                SWITCH => read.switch = true,
                LOCAL => read.local = true,
                _ => {}
            }
        }
        read
    }

    /// Whether the sign-in page stays where it could go straight on to the only provider: somebody who has just signed
    /// out would be signed in again.
    pub(super) fn stays(&self) -> bool {
        self.signed_out || self.switch || self.local
    }
}

/// A page under its policy, which no other page may frame and no cache keep.
pub(super) fn show(page: RenderedPage, status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(page.html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-security-policy", page.policy);
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
    let mut response = show(theme.passing(page), StatusCode::OK);
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
