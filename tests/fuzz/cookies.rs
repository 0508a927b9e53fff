//! What is left of `Cookie` lines holds no cookie that a program could take for one of the gateway's, and the rest of them
//! byte for byte and in order; of `Set-Cookie` lines likewise. A line each; those of answers begin with `!`.

use gatelatch::wire::{SameSite, Scheme, SecureCookie, SessionCookie};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

pub(crate) fn run(data: &[u8]) {
    let cookie = SessionCookie::new("gatelatch", SecureCookie::Auto, SameSite::Lax, None)
        .with_former(&["old".to_owned()]);
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let (name, line) = match line.strip_prefix(b"!") {
            Some(line) => (SET_COOKIE, line),
            None => (COOKIE, line),
        };
        // a field value holds no control bytes: hyper refuses the request
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.append(name, value);
    }
    let sent: Vec<Vec<u8>> = pieces(&headers);
    let found = cookie.take(&mut headers);
    for scheme in [Scheme::Http, Scheme::Https] {
        let _ = cookie.credential(&found, scheme).map(|one| one.token().len());
        let _ = (cookie.device(&found, scheme), cookie.marker(&found, scheme));
        assert!(cookie.pending(&found, scheme).count() <= 16);
        assert!(cookie.clear_others(&found, scheme).count() <= 4);
    }
    let left = pieces(&headers);
    let expected: Vec<Vec<u8>> = sent.into_iter().filter(|piece| !is_own(name(piece))).collect();
    assert_eq!(left, expected);
    assert!(cookie.take(&mut headers).is_empty());
    cookie.guard(&mut headers);
    for line in headers.get_all(SET_COOKIE) {
        let pair = line.as_bytes().split(|byte| *byte == b';').next().unwrap();
        assert!(!is_own(name(pair.trim_ascii())), "{line:?}");
    }
    cookie.unjoin(&mut headers);
    cookie.take(&mut headers);
    assert!(cookie.take(&mut headers).is_empty());
}

/// The cookies of a request, without the blanks around them.
fn pieces(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let lines = headers.get_all(COOKIE).iter();
    let pieces = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let pieces = pieces.map(<[u8]>::trim_ascii).filter(|piece| !piece.is_empty());
    pieces.map(<[u8]>::to_vec).collect()
}

/// What stands before the first `=`; empty where there is none.
fn name(piece: &[u8]) -> &[u8] {
    let equals = piece.iter().position(|byte| *byte == b'=').unwrap_or(0);
    piece[..equals].trim_ascii()
}

/// A naive second opinion: the session's names, present and former, those of the gateway's other cookies beside them, and
/// each of them with a prefix that browsers know (RFC 6265bis, section 4.1.3).
fn is_own(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let lower = name.to_ascii_lowercase();
    let prefix = ["__host-", "__secure-"].iter().find(|prefix| lower.starts_with(**prefix));
    let bare = &name[prefix.map_or(0, |prefix| prefix.len())..];
    ["gatelatch", "old"].iter().any(|own| match bare.strip_prefix(own) {
        Some("" | "-signin" | "-device") => true,
        Some(rest) => rest.starts_with("-oidc-"),
        None => false,
    })
}
