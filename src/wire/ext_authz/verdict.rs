//! The answer to a `CheckRequest`.
//!
//! An empty `CheckResponse` allows, since a missing status reads as 0. So there are two ways to one: a denial, which always
//! has a status and a response, and [`HeaderChanges`], which only a permit makes.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, SEC_WEBSOCKET_PROTOCOL, SET_COOKIE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::checked_request::DescribedRequest;
use super::grpc;
use super::writer::MessageWriter;
use crate::access::Permit;
use crate::wire::credential::Credential;
use crate::wire::fields::FieldFilter;
use crate::wire::identity::IdentitySettings;
use crate::wire::socket_token::{offered_bearer, own_protocols};

/// Bytes that most answers fit into.
const USUAL_LENGTH: usize = 512;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// `OK`, `PERMISSION_DENIED` and `UNAUTHENTICATED` of `google.rpc.Code`.
const OK: u16 = 0;
const PERMISSION_DENIED: u16 = 7;
const UNAUTHENTICATED: u16 = 16;

/// `HeaderValueOption.HeaderAppendAction`. The default of the format appends: what a client sent would stay.
#[derive(Clone, Copy)]
enum AppendAction {
    AppendIfExistsOrAdd = 0,
    AddIfAbsent = 1,
    OverwriteIfExistsOrAdd = 2,
}

/// What Envoy does to a permitted request, so that the service gets the identity of the caller, no other, and no credential
/// of the gateway.
pub struct HeaderChanges {
    /// What replaces whatever Envoy has.
    set: HeaderMap,
    /// Sorted, each once, and none that is set.
    remove: Vec<HeaderName>,
    /// What the answer picks of a WebSocket's protocols where the service picks none.
    protocol: Option<HeaderValue>,
}

impl HeaderChanges {
    /// The changes to this request. `credential` is what identified the caller, `secret` what was sent beside and the service
    /// shall not get.
    pub fn new(
        permit: Permit<'_>,
        request: &DescribedRequest<'_>,
        (filter, identity): (&FieldFilter, &IdentitySettings),
        (credential, secret): (Option<&Credential>, Option<&Credential>),
    ) -> Self {
        let mut set = HeaderMap::new();
        if let Some(caller) = permit.identity() {
            identity.set_fields(&mut set, caller);
        }
        set.insert(X_FORWARDED_HOST, request.original.site.host.clone());
        let used = credential.filter(|credential| identity.removes(credential, &permit));
        let dropped = || used.into_iter().chain(secret);
        let sent = request.headers.keys();
        let forged = sent.filter(|name| filter.is_forged(name, request.is_behind_proxy));
        let mapped = identity.headers.iter().map(|header| &header.name);
        let socket = dropped().find(|one| one.is_among_protocols());
        // without a socket to be opened they mean nothing, and may hold a token
        let idle = (!request.original.upgrades).then_some(&SEC_WEBSOCKET_PROTOCOL);
        let idle = idle.filter(|name| request.headers.contains_key(*name));
        if let Some(protocols) = socket.and_then(|_| own_protocols(&request.headers)) {
            set.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        }
        let protocol = socket.and_then(|_| offered_bearer(&request.headers));
        let gone = forged.chain(dropped().map(Credential::field_name));
        let gone = gone.chain(idle).chain(mapped);
        // in both lists, what is set would be removed again
        let mut remove: Vec<&HeaderName> = gone.filter(|name| !set.contains_key(*name)).collect();
        if request.has_cut_cookies {
            match kept_cookies(&request.headers) {
                Some(kept) => drop(set.insert(COOKIE, kept)),
                None => remove.push(&COOKIE),
            }
        }
        remove.sort_unstable_by_key(|name| name.as_str());
        remove.dedup();
        Self {
            remove: remove.into_iter().cloned().collect(),
            set,
            protocol,
        }
    }

    /// The answer that allows. `session` is the `Set-Cookie` of a renewed session, which goes to the client beside what
    /// the service sets.
    pub fn respond(self, session: Option<HeaderValue>) -> Response<Bytes> {
        let private = HeaderValue::from_static("private");
        let append = AppendAction::AppendIfExistsOrAdd;
        let overwrite = AppendAction::OverwriteIfExistsOrAdd;
        answer(OK, 3, |allowed| {
            for (name, value) in &self.set {
                header(allowed, 2, (name, value), overwrite);
            }
            for name in &self.remove {
                allowed.text(5, name.as_str().as_bytes());
            }
            if let Some(protocol) = &self.protocol {
                let added = (&SEC_WEBSOCKET_PROTOCOL, protocol);
                header(allowed, 6, added, AppendAction::AddIfAbsent);
            }
            if let Some(session) = &session {
                header(allowed, 6, (&SET_COOKIE, session), append);
                header(allowed, 6, (&CACHE_CONTROL, &private), append);
            }
        })
    }
}

/// The answer that denies, with what Envoy's client gets instead.
pub fn deny(instead: &Response<Bytes>) -> Response<Bytes> {
    let status = instead.status();
    // who may sign in is sent to a page with 303
    let code = match status {
        StatusCode::UNAUTHORIZED | StatusCode::SEE_OTHER => UNAUTHENTICATED,
        _ => PERMISSION_DENIED,
    };
    answer(code, 2, |denied| {
        denied.message(1, |http| http.number(1, status.as_u16()));
        for name in instead.headers().keys() {
            // Envoy frames its answers itself
            if [CONTENT_LENGTH, CONNECTION].contains(name) {
                continue;
            }
            // Envoy takes them in order: a second line that overwrote would be the only one
            let mut action = AppendAction::OverwriteIfExistsOrAdd;
            for value in instead.headers().get_all(name) {
                header(denied, 2, (name, value), action);
                action = AppendAction::AppendIfExistsOrAdd;
            }
        }
        denied.text(3, String::from_utf8_lossy(instead.body()).as_bytes());
    })
}

/// A `CheckResponse` with this status, and the response of this tag.
fn answer(code: u16, tag: u8, response: impl FnOnce(&mut MessageWriter)) -> Response<Bytes> {
    grpc::reply(USUAL_LENGTH, |message| {
        message.message(1, |status| status.number(1, code));
        message.message(tag, response);
    })
}

/// A `HeaderValueOption`, without its deprecated `append`.
fn header(
    message: &mut MessageWriter,
    tag: u8,
    (name, value): (&HeaderName, &HeaderValue),
    action: AppendAction,
) {
    message.message(tag, |option| {
        option.message(1, |header| {
            header.text(1, name.as_str().as_bytes());
            match value.to_str() {
                Ok(text) => header.text(2, text.as_bytes()),
                Err(_) => header.text(2, String::from_utf8_lossy(value.as_bytes()).as_bytes()),
            }
        });
        option.number(3, action as u16);
    });
}

/// The cookies that are not the gateway's, in one line; `None`: there are none. Envoy takes text alone: a cookie that is none
/// is left out.
fn kept_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all(COOKIE).iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let cookies = cookies.filter_map(|cookie| std::str::from_utf8(cookie.trim_ascii()).ok());
    let cookies: Vec<&str> = cookies.filter(|cookie| !cookie.is_empty()).collect();
    let line = HeaderValue::from_str(&cookies.join("; ")).ok();
    line.filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Answer {
        #[prost(message, optional, tag = "1")]
        status: Option<Code>,
        #[prost(message, optional, tag = "2")]
        denied: Option<Denied>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Code {
        #[prost(int32, tag = "1")]
        code: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Denied {
        #[prost(message, optional, tag = "1")]
        status: Option<Code>,
        #[prost(message, repeated, tag = "2")]
        headers: Vec<Added>,
        #[prost(string, tag = "3")]
        body: String,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Added {
        #[prost(message, optional, tag = "1")]
        header: Option<Entry>,
        #[prost(int32, tag = "3")]
        action: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Entry {
        #[prost(string, tag = "2")]
        value: String,
    }

    #[test]
    fn a_denial_has_a_status_and_every_line_of_a_field() {
        for (status, code) in [(401, 16), (303, 16), (403, 7), (400, 7), (429, 7), (500, 7)] {
            let mut instead = Response::new(Bytes::from_static(b"why\xff"));
            *instead.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in [
                (WWW_AUTHENTICATE, "Basic realm=\"x\""),
                (WWW_AUTHENTICATE, "Bearer realm=\"x\""),
                (CONTENT_TYPE, "text/plain"),
                (CONTENT_LENGTH, "4"),
                (CONNECTION, "close"),
            ] {
                instead
                    .headers_mut()
                    .append(name, HeaderValue::from_static(value));
            }
            let denial = deny(&instead);
            let message = grpc::message(denial.body()).unwrap();
            let answer = Answer::decode(message).unwrap();
            assert_eq!(answer.status.unwrap().code, code, "{status}");
            let denied = answer.denied.expect("it is denied");
            assert_eq!(denied.status.unwrap().code, i32::from(status));
            assert_eq!(denied.body, "why\u{fffd}");
            let lines: Vec<_> = denied
                .headers
                .iter()
                .map(|added| (&*added.header.as_ref().unwrap().value, added.action))
                .collect();
            let expected = [
                ("Basic realm=\"x\"", 2),
                ("Bearer realm=\"x\"", 0),
                ("text/plain", 2),
            ];
            assert_eq!(lines, expected);
        }
    }
}
