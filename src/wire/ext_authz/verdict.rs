//! The answer to a `CheckRequest`.
//!
//! An empty `CheckResponse` allows, since a missing status reads as 0. So there are two ways to one: a denial, which always
//! has a status and a response, and [`HeaderChanges`], which only a permit makes.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::checked_request::DescribedRequest;
use super::grpc;
use super::message::{
    AppendAction, CheckResponse, DeniedHttpResponse, HeaderEntry, HeaderOption, HttpResponse,
    HttpStatus, OkHttpResponse, RpcStatus,
};
use crate::access::Permit;
use crate::wire::credential::Credential;
use crate::wire::fields::FieldFilter;
use crate::wire::identity::IdentitySettings;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// `OK`, `PERMISSION_DENIED` and `UNAUTHENTICATED` of `google.rpc.Code`.
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;

/// What Envoy does to a permitted request, so that the service gets the identity of the caller, no other, and no credential
/// of the gateway.
pub struct HeaderChanges(OkHttpResponse);

impl HeaderChanges {
    /// The changes to this request. `credential` is what identified the caller.
    pub fn new(
        permit: Permit<'_>,
        request: &DescribedRequest,
        (filter, identity): (&FieldFilter, &IdentitySettings),
        credential: Option<&Credential>,
    ) -> Self {
        let mut set = HeaderMap::new();
        if let Some(caller) = permit.identity() {
            identity.set_fields(&mut set, caller);
        }
        set.insert(X_FORWARDED_HOST, request.original.site.host.clone());
        let used = credential.filter(|credential| identity.removes(credential, &permit));
        let sent = request.headers.keys();
        let forged = sent.filter(|name| filter.is_forged(name, request.is_behind_proxy));
        let mapped = identity.headers.iter().map(|header| &header.name);
        let gone = forged.chain(used.map(Credential::field_name)).chain(mapped);
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
        Self(OkHttpResponse {
            headers: set
                .iter()
                .map(|(name, value)| option(name, value, AppendAction::OverwriteIfExistsOrAdd))
                .collect(),
            headers_to_remove: remove.into_iter().map(HeaderName::to_string).collect(),
            response_headers_to_add: Vec::new(),
        })
    }

    /// The answer that allows. `session` is the `Set-Cookie` of a renewed session, which goes to the client beside what
    /// the service sets.
    pub fn respond(self, session: Option<HeaderValue>) -> Response<Bytes> {
        let Self(mut allowed) = self;
        if let Some(session) = session {
            let private = HeaderValue::from_static("private");
            let added = [(&SET_COOKIE, &session), (&CACHE_CONTROL, &private)];
            allowed.response_headers_to_add = added
                .map(|(name, value)| option(name, value, AppendAction::AppendIfExistsOrAdd))
                .into();
        }
        grpc::reply(&CheckResponse {
            status: Some(RpcStatus { code: OK }),
            http_response: Some(HttpResponse::Ok(allowed)),
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
    let mut headers = Vec::with_capacity(instead.headers().len());
    for name in instead.headers().keys() {
        // Envoy frames its answers itself
        if [CONTENT_LENGTH, CONNECTION].contains(name) {
            continue;
        }
        let first = std::iter::once(AppendAction::OverwriteIfExistsOrAdd);
        let actions = first.chain(std::iter::repeat(AppendAction::AppendIfExistsOrAdd));
        let values = instead.headers().get_all(name).iter();
        headers.extend(
            values
                .zip(actions)
                .map(|(value, action)| option(name, value, action)),
        );
    }
    grpc::reply(&CheckResponse {
        status: Some(RpcStatus { code }),
        http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus {
                code: status.as_u16().into(),
            }),
            headers,
            body: String::from_utf8_lossy(instead.body()).into_owned(),
        })),
    })
}

fn option(name: &HeaderName, value: &HeaderValue, action: AppendAction) -> HeaderOption {
    HeaderOption {
        header: Some(HeaderEntry {
            key: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            raw_value: Bytes::new(),
        }),
        append_action: action.into(),
    }
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
    use prost::Message as _;

    use super::*;

    fn written(response: Response<Bytes>) -> CheckResponse {
        let body = response.into_body();
        CheckResponse::decode(grpc::message(&body).unwrap()).unwrap()
    }

    /// Envoy takes what overwrites in order: a second line that overwrote would be the only one.
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
            let answer = written(deny(&instead));
            assert_eq!(answer.status.unwrap().code, code, "{status}");
            let Some(HttpResponse::Denied(denied)) = answer.http_response else {
                panic!("it allows")
            };
            assert_eq!(denied.status.unwrap().code, i32::from(status));
            assert_eq!(denied.body, "why\u{fffd}");
            let lines: Vec<_> = denied
                .headers
                .iter()
                .map(|option| {
                    (
                        &*option.header.as_ref().unwrap().value,
                        option.append_action,
                    )
                })
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
