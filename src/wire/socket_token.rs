//! The token of a browser's WebSocket, to which a page can add no other field: `Sec-WebSocket-Protocol: bearer, TOKEN`,
//! beside the names of the service's own protocols (RFC 6455, section 11.3.4).

use std::ops::Range;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue};

use super::bad_request::BadRequest;
use super::credential::Credential;

/// The name that stands before a token.
const BEARER: &[u8] = b"bearer";

/// What a client offers.
struct Offer<'h> {
    /// The names in all lines, each as its line and its place there.
    names: Vec<(&'h HeaderValue, Range<usize>)>,
    /// Which of them is `bearer`, in any case.
    bearer: Option<usize>,
}

impl<'h> Offer<'h> {
    fn read(headers: &'h HeaderMap) -> Result<Self, BadRequest> {
        let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let names: Vec<_> = lines
            .flat_map(|line| places(line).map(move |place| (line, place)))
            .collect();
        let mut offer = Self {
            names,
            bearer: None,
        };
        let is_bearer = |at: &usize| offer.name(*at).eq_ignore_ascii_case(BEARER);
        let mut found = (0..offer.names.len()).filter(is_bearer);
        let (bearer, second) = (found.next(), found.next());
        let Some(at) = bearer else {
            return Ok(offer);
        };
        let is_other = |other: &usize| *other != at && *other != at + 1;
        let mut others = (0..offer.names.len()).filter(is_other);
        if second.is_some() || others.any(|other| looks_like_token(offer.name(other))) {
            return Err(BadRequest::SeveralSocketTokens);
        }
        if at + 1 == offer.names.len() {
            return Err(BadRequest::MissingSocketToken);
        }
        offer.bearer = bearer;
        Ok(offer)
    }

    fn name(&self, at: usize) -> &'h [u8] {
        let (line, place) = &self.names[at];
        &line.as_bytes()[place.clone()]
    }
}

/// Where the names of a line stand, without the blanks around them.
fn places(line: &HeaderValue) -> impl Iterator<Item = Range<usize>> + use<'_> {
    let mut start = 0;
    line.as_bytes()
        .split(|byte| *byte == b',')
        .filter_map(move |element| {
            let begin = start + element.len() - element.trim_ascii_start().len();
            start += element.len() + 1;
            let length = element.trim_ascii().len();
            (length > 0).then_some(begin..begin + length)
        })
}

/// Whether a name is none of a protocol: a JWT, or an API key of the gateway.
fn looks_like_token(name: &[u8]) -> bool {
    let is_jwt =
        || name.starts_with(b"eyJ") && name.iter().filter(|byte| **byte == b'.').count() == 2;
    name.starts_with(b"glk_") || is_jwt()
}

/// The credential of a request that opens a WebSocket: that of another field, else the one among the protocols.
///
/// # Errors
/// [`BadRequest`] where it is not clear which token counts, or there is none behind `bearer`.
pub fn with_socket_token(
    other: Option<Credential>,
    headers: &HeaderMap,
) -> Result<Option<Credential>, BadRequest> {
    let offer = Offer::read(headers)?;
    let Some(bearer) = offer.bearer else {
        return Ok(other);
    };
    if other.is_some() {
        return Err(BadRequest::SeveralSocketTokens);
    }
    let (line, place) = &offer.names[bearer + 1];
    Ok(Some(Credential::of_protocol(line, place.clone())))
}

/// What is left of the protocols without `bearer` and the token; `None`: nothing.
pub fn own_protocols(headers: &HeaderMap) -> Option<HeaderValue> {
    let offer = Offer::read(headers).ok()?;
    let bearer = offer.bearer?;
    let own = (0..offer.names.len()).filter(|at| *at != bearer && *at != bearer + 1);
    let own: Vec<&[u8]> = own.map(|at| offer.name(at)).collect();
    let line = HeaderValue::from_bytes(&own.join(&b", "[..])).ok();
    line.filter(|line| !line.is_empty())
}

/// `bearer` as the client wrote it: what the answer picks where the service picks nothing, or the browser gives up.
pub fn offered_bearer(headers: &HeaderMap) -> Option<HeaderValue> {
    let offer = Offer::read(headers).ok()?;
    HeaderValue::from_bytes(offer.name(offer.bearer?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn the_token_stands_behind_bearer_and_the_rest_is_the_services() {
        for (lines, token, own, bearer) in [
            (&["bearer, a.b.c"][..], Some("a.b.c"), None, Some("bearer")),
            (&["bearer,a.b.c"], Some("a.b.c"), None, Some("bearer")),
            (&["Bearer , a.b.c ,"], Some("a.b.c"), None, Some("Bearer")),
            (&["bearer", "a.b.c"], Some("a.b.c"), None, Some("bearer")),
            (
                &["chat, bearer, t, json"],
                Some("t"),
                Some("chat, json"),
                Some("bearer"),
            ),
            (
                &["chat", "bearer, t", "json"],
                Some("t"),
                Some("chat, json"),
                Some("bearer"),
            ),
            (&["bearer, glk_x"], Some("glk_x"), None, Some("bearer")),
            (&["bearer, , t"], Some("t"), None, Some("bearer")),
            (&["chat, json"], None, None, None),
            (&["eyJx.y.z"], None, None, None),
            (&["mybearer, t"], None, None, None),
            (&[""], None, None, None),
            (&[], None, None, None),
        ] {
            let headers = fields(lines);
            let read = with_socket_token(None, &headers).unwrap();
            assert_eq!(read.as_ref().map(Credential::token), token, "{lines:?}");
            let text =
                |value: Option<HeaderValue>| value.map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(text(own_protocols(&headers)).as_deref(), own, "{lines:?}");
            assert_eq!(
                text(offered_bearer(&headers)).as_deref(),
                bearer,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn there_is_one_token_or_none() {
        for lines in [
            &["bearer, a, bearer, b"][..],
            &["bearer, a", "BEARER, a"],
            &["bearer, bearer"],
            &["bearer, eyJa.b.c, eyJd.e.f"],
            &["glk_a, bearer, glk_b"],
        ] {
            let read = with_socket_token(None, &fields(lines)).map(drop);
            assert_eq!(read, Err(BadRequest::SeveralSocketTokens), "{lines:?}");
        }
        for lines in [
            &["bearer"][..],
            &["chat, bearer"],
            &["bearer,"],
            &["bearer, ,"],
        ] {
            let read = with_socket_token(None, &fields(lines)).map(drop);
            assert_eq!(read, Err(BadRequest::MissingSocketToken), "{lines:?}");
        }
    }
}
