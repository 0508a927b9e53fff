//! A request's head, one line a field, the first one method, target and version: what is taken in has one host, one
//! credential at the most and no cookie of the gateway's left, and its path is read once.

use std::net::SocketAddr;

use gatelatch::access::{PathOptions, RequestPath};
use gatelatch::wire::{
    DestinationField, ForwardAuthHeaders, Intake, OriginalRequest, Peer, Scheme, SessionCookie,
    TrustedProxies,
};
use http::{Request, Version};

pub(crate) fn run(data: &[u8]) {
    for (address, version) in [([10, 0, 0, 1], Version::HTTP_11), ([192, 0, 2, 1], Version::HTTP_2)] {
        let Some(request) = parse(data, version) else {
            return;
        };
        read(request, Peer::new(SocketAddr::from((address, 1)), Scheme::Http));
    }
}

/// The head as hyper would hand it over, which is stricter in places.
fn parse(data: &[u8], version: Version) -> Option<Request<()>> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::builder().version(version).method(first.next()?).uri(first.next()?);
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    request.body(()).ok()
}

fn read(request: Request<()>, peer: Peer) {
    let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()], Default::default());
    let cookie = SessionCookie::default();
    let (head, ()) = request.into_parts();
    let Ok(mut intake) = Intake::read(head, &peer, &trusted, &cookie) else {
        return;
    };
    assert!(!intake.host.name().is_empty());
    assert!(!intake.host.field().as_bytes().contains(&b'@'), "{:?}", intake.host.field());
    assert!(cookie.take(&mut intake.head.headers).is_empty());
    assert!(intake.forwarded.is_some() == trusted.trust(&peer));
    let options = PathOptions::default();
    if let Ok(path) = RequestPath::parse(intake.head.uri.path(), options) {
        assert_eq!(RequestPath::parse(path.as_str(), options).as_ref(), Ok(&path));
    }
    for counts in [
        ForwardAuthHeaders::Either,
        ForwardAuthHeaders::Forwarded,
        ForwardAuthHeaders::Original,
    ] {
        if let Ok(original) = OriginalRequest::read(&intake, "", counts) {
            assert!(!original.host.is_empty());
            // the router reads it, and refuses what is no path
            let is_path = RequestPath::parse(&original.path, options).is_ok();
            assert!(!is_path || original.path.starts_with('/'), "{}", original.path);
            assert!(!original.path.contains(['?', '#']), "{}", original.path);
        }
    }
    if let Ok(Some(destination)) = DestinationField::read(&intake.head.headers) {
        if let Ok(path) = destination.path_on(Some(&intake.site)) {
            assert!(path.starts_with('/'), "{path}");
        }
    }
}
