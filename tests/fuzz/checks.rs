//! Whatever bytes come in a call of Envoy's, they are an error of the call, or a request of which every field was read once.

use bytes::Bytes;
use gatelatch::wire::{CheckedRequest, Credential, FieldPresence, SessionCookie, TrustedProxies};

pub(crate) fn run(data: &[u8]) {
    let mut body = vec![0];
    body.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    body.extend(data);
    // what is not framed as it says is never read
    let mut short = body.clone();
    short.pop();
    assert!(CheckedRequest::read(&Bytes::from(short)).is_err());
    let body = Bytes::from(body);
    let Ok(request) = CheckedRequest::read(&body) else {
        return;
    };
    let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()], Default::default());
    let Ok(mut described) = request.describe(&trusted) else {
        return;
    };
    assert!(!described.original.host.is_empty() && !described.target.contains('#'));
    assert!(described.target.starts_with(&described.original.path));
    let _ = Credential::read(&described.headers, FieldPresence::of(&described.headers));
    let cookie = SessionCookie::default();
    described.take_cookies(&cookie);
    let again = cookie.take(&mut described.headers);
    assert!(again.is_empty(), "a cookie of the gateway is left");
}
