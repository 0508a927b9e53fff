//! How the fields of a body are encoded.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};

use super::multipart::Boundary;
use crate::wire;

/// How the fields are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyFormat {
    Form,
    /// `None` where what stands between the parts is malformed.
    Multipart(Option<Boundary>),
    Json,
}

impl BodyFormat {
    /// By `Content-Type`. Ignores the charset: the body must be UTF-8.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let value = value.to_str().ok()?;
        let essence = value.split(';').next()?.trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Some(Self::Form)
        } else if essence.eq_ignore_ascii_case("multipart/form-data") {
            Some(Self::Multipart(Boundary::of(value)))
        } else if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// Whether a request is the form of a page: form-encoded, from somebody who wants to see a page.
pub(super) fn is_browser_form(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::POST
        && BodyFormat::of(headers).is_some_and(|format| format != BodyFormat::Json)
        && wire::accepts_html(headers)
}
