//! How long a body is, and whether anyone could read that differently.

use std::fmt;

use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

use super::bad_request::BadRequest;
use super::field_presence::FieldPresence;

use crate::text::list;

/// Refuses what hyper lets through: any `Transfer-Encoding` but exactly one `chunked` in HTTP/1.1, and expectations
/// that the gateway cannot meet.
pub(super) fn check(headers: &HeaderMap, version: Version) -> Result<(), BadRequest> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        let chunked = encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if !chunked || encodings.next().is_some() || version != Version::HTTP_11 {
            return Err(BadRequest::TransferEncoding);
        }
    }
    let mut expectations = headers.get_all(EXPECT).iter();
    if expectations.all(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        Ok(())
    } else {
        Err(BadRequest::Expectation)
    }
}

/// Why the framing of an upstream's answer cannot be passed on. The fault is the upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// A transfer coding other than exactly one `chunked`: taking it off unread would leave the body garbled.
    TransferEncoding,
    /// Lengths that are no number, or differ.
    ContentLength,
}

/// Leaves an answer with one reading of its length (RFC 9112, section 6.3): a length beside a transfer coding goes, and
/// of equal lengths one stays.
///
/// # Errors
/// [`ResponseFraming`] where there is no one reading.
pub fn settle_response(headers: &mut HeaderMap) -> Result<(), ResponseFraming> {
    let present = FieldPresence::of(headers);
    if present.has(FieldPresence::TRANSFER_ENCODING) {
        let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
        let chunked = encodings
            .next()
            .is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked || encodings.next().is_some() {
            return Err(ResponseFraming::TransferEncoding);
        }
        headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    if !present.has(FieldPresence::CONTENT_LENGTH) {
        return Ok(());
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (Some(length), None) if is_number(length.as_bytes()) => return Ok(()),
        (None | Some(_), _) => {}
    }
    let length = one_length(headers).ok_or(ResponseFraming::ContentLength)?;
    headers.insert(CONTENT_LENGTH, length.into());
    Ok(())
}

/// What all lengths of all lines say; `None` where they differ.
fn one_length(headers: &HeaderMap) -> Option<u64> {
    let mut one = None;
    for text in list::elements(headers, CONTENT_LENGTH) {
        let text = std::str::from_utf8(text).ok()?;
        let length = is_number(text.as_bytes()).then(|| text.parse::<u64>().ok())??;
        if *one.get_or_insert(length) != length {
            return None;
        }
    }
    one
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

impl fmt::Display for ResponseFraming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransferEncoding => "its `Transfer-Encoding` is not exactly `chunked`",
            Self::ContentLength => "its `Content-Length` is not one number",
        })
    }
}

impl std::error::Error for ResponseFraming {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn settled(fields: &[(&'static str, &'static str)]) -> Result<Vec<String>, ResponseFraming> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        settle_response(&mut headers)?;
        Ok(headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect())
    }

    #[test]
    fn an_answer_has_one_length() {
        let length = |value| ("content-length", value);
        let some = |value: &str| Ok(vec![value.to_owned()]);
        assert_eq!(settled(&[]), Ok(vec![]));
        assert_eq!(settled(&[length("5")]), some("5"));
        assert_eq!(settled(&[length("5"), length("5")]), some("5"));
        assert_eq!(settled(&[length("5, 5")]), some("5"));
        assert_eq!(
            settled(&[length("5"), ("transfer-encoding", "chunked")]),
            Ok(vec![])
        );
        for lengths in [
            &[length("5"), length("6")][..],
            &[length("5, 6")],
            &[length("")],
            &[length("+5")],
        ] {
            assert_eq!(
                settled(lengths),
                Err(ResponseFraming::ContentLength),
                "{lengths:?}"
            );
        }
        for coding in ["gzip, chunked", "gzip", "identity", "chunked, chunked"] {
            assert_eq!(
                settled(&[("transfer-encoding", coding)]),
                Err(ResponseFraming::TransferEncoding),
                "{coding}"
            );
        }
    }

    fn transfer_encoding(lines: &[&'static str], version: Version) -> Result<(), BadRequest> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRANSFER_ENCODING, HeaderValue::from_static(line));
        }
        check(&headers, version)
    }

    #[test]
    fn only_one_chunked_is_understood() {
        assert_eq!(transfer_encoding(&[], Version::HTTP_10), Ok(()));
        assert_eq!(transfer_encoding(&["chunked"], Version::HTTP_11), Ok(()));
        assert_eq!(transfer_encoding(&["Chunked"], Version::HTTP_11), Ok(()));
        for lines in [
            &["gzip, chunked"][..],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["identity"],
            &[""],
        ] {
            assert_eq!(
                transfer_encoding(lines, Version::HTTP_11),
                Err(BadRequest::TransferEncoding),
                "{lines:?}"
            );
        }
        assert_eq!(
            transfer_encoding(&["chunked"], Version::HTTP_10),
            Err(BadRequest::TransferEncoding)
        );
    }

    #[test]
    fn only_a_continue_can_be_expected() {
        let mut headers = HeaderMap::new();
        headers.append(EXPECT, HeaderValue::from_static("100-Continue"));
        assert_eq!(check(&headers, Version::HTTP_11), Ok(()));
        headers.append(EXPECT, HeaderValue::from_static("tea"));
        assert_eq!(
            check(&headers, Version::HTTP_11),
            Err(BadRequest::Expectation)
        );
    }
}
