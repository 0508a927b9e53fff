//! Switches of an HTTP/1.1 connection to another protocol (RFC 9110, section 7.8).

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue};

use super::error::ForwardError;
use crate::text::list;

/// Asks the server to switch.
pub(super) fn ask(fields: &mut HeaderMap, protocol: &HeaderValue) {
    fields.append(CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(UPGRADE, protocol.clone());
}

/// Checks the fields of a `101`: it is the switch that was asked for, or a protocol error.
pub(super) fn check(fields: &HeaderMap, asked: Option<&HeaderValue>) -> Result<(), ForwardError> {
    let wrong = match asked {
        None => "it switches protocols unasked",
        Some(asked) if !names(fields, asked) => {
            "it switches to another protocol than the one asked for"
        }
        Some(_) => return Ok(()),
    };
    Err(ForwardError::Protocol(wrong.to_owned()))
}

/// Whether the answer switches to this protocol; names of protocols are compared without case.
fn names(fields: &HeaderMap, protocol: &HeaderValue) -> bool {
    let protocol = protocol.as_bytes().trim_ascii();
    list::elements(fields, UPGRADE).any(|name| name.eq_ignore_ascii_case(protocol))
}
