//! Requests of HTTP/2, brought into the one form that everything else reads.

use http::header::{COOKIE, Entry, HOST};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};

use super::bad_request::BadRequest;
use super::host::check_scheme;
use super::peer::Scheme;

/// Turns `:scheme` and `:authority` into what they are in HTTP/1.1 (RFC 9113, section 8.3.1): a `Host`, and a target in
/// origin form. The crumbs of a cookie are put together (section 8.2.3).
/// `scheme` is the connection's; `None`: whoever speaks may know better.
///
/// # Errors
/// [`BadRequest`] where the pseudo-fields say something else than the connection or `Host`.
pub(super) fn settle(head: &mut Parts, scheme: Option<Scheme>) -> Result<(), BadRequest> {
    check_scheme(&head.uri, scheme)?;
    if let Some(authority) = head.uri.authority() {
        let authority = authority.as_str();
        match head.headers.entry(HOST) {
            Entry::Vacant(place) => {
                let host =
                    HeaderValue::from_str(authority).map_err(|_| BadRequest::MalformedHost)?;
                place.insert(host);
            }
            Entry::Occupied(host)
                if host
                    .get()
                    .as_bytes()
                    .eq_ignore_ascii_case(authority.as_bytes()) => {}
            Entry::Occupied(_) => return Err(BadRequest::ForeignAuthority),
        }
    }
    let target = head.uri.path_and_query().cloned();
    head.uri = Uri::from(target.unwrap_or(PathAndQuery::from_static("/")));
    join_cookies(head);
    Ok(())
}

fn join_cookies(head: &mut Parts) {
    let mut crumbs = head.headers.get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let all: Vec<&[u8]> = head
        .headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    // what was made of field values, and of nothing else, is one
    if let Ok(whole) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        head.headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    type Fields<'a> = &'a [(&'static str, &'static str)];

    fn settled(uri: &str, fields: Fields<'_>) -> Result<(String, Vec<String>), BadRequest> {
        settled_over(Some(Scheme::Https), uri, fields)
    }

    fn settled_over(
        scheme: Option<Scheme>,
        uri: &str,
        fields: Fields<'_>,
    ) -> Result<(String, Vec<String>), BadRequest> {
        let mut head = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
        for (name, value) in fields {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        settle(&mut head, scheme)?;
        let fields = head
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        Ok((head.uri.to_string(), fields.collect()))
    }

    #[test]
    fn a_request_reads_as_in_http_1() {
        let read = |target: &str, fields: &[&str]| {
            Ok((
                target.to_owned(),
                fields
                    .iter()
                    .map(|field| (*field).to_owned())
                    .collect::<Vec<_>>(),
            ))
        };
        assert_eq!(
            settled("https://a:1/b?c", &[]),
            read("/b?c", &["host: a:1"])
        );
        assert_eq!(
            settled("https://a/", &[("host", "A")]),
            read("/", &["host: A"])
        );
        assert_eq!(settled("/b", &[("host", "a")]), read("/b", &["host: a"]));
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
        assert_eq!(
            settled("https://a/", &crumbs),
            read("/", &["cookie: a=1; b=2; c=3", "host: a"])
        );
    }

    #[test]
    fn a_request_that_contradicts_itself_is_refused() {
        assert_eq!(settled("http://a/", &[]), Err(BadRequest::ForeignScheme));
        assert_eq!(settled("ftp://a/", &[]), Err(BadRequest::ForeignScheme));
        assert!(
            settled_over(None, "http://a/", &[]).is_ok(),
            "a trusted proxy has put TLS on, or taken it off"
        );
        assert_eq!(
            settled_over(None, "ftp://a/", &[]),
            Err(BadRequest::ForeignScheme)
        );
        assert_eq!(
            settled("https://a/", &[("host", "b")]),
            Err(BadRequest::ForeignAuthority)
        );
        assert_eq!(
            settled("https://a/", &[("host", "a:443")]),
            Err(BadRequest::ForeignAuthority)
        );
    }
}
