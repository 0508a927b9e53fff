//! How long a request's body is, and whether anyone could read that differently.

use http::header::{EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

use super::bad_request::BadRequest;

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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

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
        for lines in [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"], &["identity"], &[""]] {
            assert_eq!(transfer_encoding(lines, Version::HTTP_11), Err(BadRequest::TransferEncoding), "{lines:?}");
        }
        assert_eq!(transfer_encoding(&["chunked"], Version::HTTP_10), Err(BadRequest::TransferEncoding));
    }

    #[test]
    fn only_a_continue_can_be_expected() {
        let mut headers = HeaderMap::new();
        headers.append(EXPECT, HeaderValue::from_static("100-Continue"));
        assert_eq!(check(&headers, Version::HTTP_11), Ok(()));
        headers.append(EXPECT, HeaderValue::from_static("tea"));
        assert_eq!(check(&headers, Version::HTTP_11), Err(BadRequest::Expectation));
    }
}
