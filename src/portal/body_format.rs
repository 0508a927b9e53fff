//! How the fields of a body are encoded.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};

use crate::wire;

/// How the fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFormat {
    Form,
    Json,
}

impl BodyFormat {
    /// By `Content-Type`. Ignores the charset: the body must be UTF-8.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let essence = value.to_str().ok()?.split(';').next()?.trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Some(Self::Form)
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
        && BodyFormat::of(headers) == Some(BodyFormat::Form)
        && wire::accepts_html(headers)
}
