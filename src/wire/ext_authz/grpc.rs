//! gRPC over HTTP/2, as far as one unary call needs it (gRPC's `PROTOCOL-HTTP2.md`).

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::writer::MessageWriter;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Why a call has no answer. Envoy counts all of them as an error of the check: it denies, unless `failure_mode_allow` is
/// on. So none of them depends on what Envoy's client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcError {
    /// The caller is no trusted proxy.
    NotTrusted,
    /// The service has no such method.
    UnknownMethod,
    /// A call over HTTP/1.1.
    NotHttp2,
    /// The message is compressed, which the gateway has not offered.
    Compressed,
    /// Not exactly one message, as long as it says.
    Framing,
    /// The bytes are no `CheckRequest`.
    Malformed,
    /// The `CheckRequest` does not have this field.
    Missing(&'static str),
    /// `grpc-timeout` is none.
    Timeout,
    /// The message did not come in time.
    DeadlineExceeded,
}

impl GrpcError {
    /// The longest message that is read.
    pub const MESSAGE_BYTES: usize = 1024 * 1024;

    /// The status code of gRPC.
    fn code(self) -> u8 {
        match self {
            Self::Malformed | Self::Missing(_) | Self::Timeout => 3,
            Self::DeadlineExceeded => 4,
            Self::NotTrusted => 7,
            Self::UnknownMethod | Self::NotHttp2 | Self::Compressed => 12,
            Self::Framing => 13,
        }
    }

    /// The status of HTTP that says about the same, for the access log.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotTrusted => StatusCode::FORBIDDEN,
            Self::UnknownMethod => StatusCode::NOT_FOUND,
            Self::NotHttp2 => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
            Self::Framing | Self::Malformed | Self::Missing(_) | Self::Timeout => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// The answer: headers alone.
    pub fn respond(self) -> Response<Bytes> {
        let mut response = answer(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(GRPC_STATUS, u16::from(self.code()).into());
        // visible ASCII without `%`, which needs no encoding
        if let Ok(message) = HeaderValue::try_from(self.to_string()) {
            headers.insert(GRPC_MESSAGE, message);
        }
        response
    }
}

impl fmt::Display for GrpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTrusted => "Only a trusted proxy may ask",
            Self::UnknownMethod => "the service has the method `Check` alone",
            Self::NotHttp2 => "gRPC needs HTTP/2",
            Self::Compressed => "compressed messages are not read",
            Self::Framing => "there is not exactly one message of the length that it states",
            Self::Malformed => "the message is no `CheckRequest`",
            Self::Missing(field) => return write!(f, "the `CheckRequest` has no `{field}`"),
            Self::Timeout => "`grpc-timeout` is malformed",
            Self::DeadlineExceeded => "the message did not come in time",
        })
    }
}

impl std::error::Error for GrpcError {}

/// The one message of a call.
pub(super) fn message(body: &[u8]) -> Result<&[u8], GrpcError> {
    let (prefix, message) = body
        .split_first_chunk::<PREFIX>()
        .ok_or(GrpcError::Framing)?;
    let [flag, length @ ..] = *prefix;
    match flag {
        0 if usize::try_from(u32::from_be_bytes(length)) == Ok(message.len()) => Ok(message),
        1 => Err(GrpcError::Compressed),
        _ => Err(GrpcError::Framing),
    }
}

/// An answer with a message; `grpc-status` stands behind it, in [`success`].
pub(super) fn reply(room: usize, write: impl FnOnce(&mut MessageWriter)) -> Response<Bytes> {
    let mut message = MessageWriter::behind(&[0; PREFIX], room);
    write(&mut message);
    let mut body = message.into_bytes();
    let length = u32::try_from(body.len() - PREFIX).expect("an answer is made of parts of a head");
    body[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    answer(body.into())
}

/// The trailers of a call that has an answer.
pub fn success() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

fn answer(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, APPLICATION_GRPC);
    response
}

/// How long the caller waits; `None` where it does not say.
///
/// # Errors
/// [`GrpcError::Timeout`] for anything but one to eight digits and a unit.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, GrpcError> {
    let Some(field) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    let (unit, digits) = field.as_bytes().split_last().ok_or(GrpcError::Timeout)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let count = digits.iter().filter(|_| is_number);
    let count = count.fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    let duration = match unit {
        _ if !is_number => return Err(GrpcError::Timeout),
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return Err(GrpcError::Timeout),
    };
    Ok(Some(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_one_message_as_long_as_it_says() {
        for (body, expected) in [
            (&b"\0\0\0\0\x02ab"[..], Ok(&b"ab"[..])),
            (b"\0\0\0\0\0", Ok(b"")),
            (b"", Err(GrpcError::Framing)),
            (b"\0\0\0\0", Err(GrpcError::Framing)),
            (b"\0\0\0\0\x03ab", Err(GrpcError::Framing)),
            (b"\0\0\0\0\x01ab", Err(GrpcError::Framing)),
            (b"\0\0\0\0\0\0\0\0\0\0", Err(GrpcError::Framing)),
            (b"\0\xff\xff\xff\xffab", Err(GrpcError::Framing)),
            (b"\x01\0\0\0\x02ab", Err(GrpcError::Compressed)),
            (b"\x02\0\0\0\x02ab", Err(GrpcError::Framing)),
        ] {
            assert_eq!(message(body), expected, "{body:?}");
        }
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(text).unwrap());
            timeout(&headers)
        };
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        for (text, nanos) in [
            ("0n", 0),
            ("7n", 7),
            ("2u", 2_000),
            ("3m", 3_000_000),
            ("4S", 4_000_000_000),
            ("5M", 300_000_000_000),
            ("1H", 3_600_000_000_000),
        ] {
            assert_eq!(read(text), Ok(Some(Duration::from_nanos(nanos))), "{text}");
        }
        assert_eq!(
            read("99999999H"),
            Ok(Some(Duration::from_secs(99_999_999 * 3600)))
        );
        for text in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "123456789n",
            "1 S",
            " 1S",
        ] {
            assert_eq!(read(text), Err(GrpcError::Timeout), "{text:?}");
        }
    }

    #[test]
    fn an_error_is_said_in_characters_that_need_no_escape() {
        for error in [GrpcError::NotTrusted, GrpcError::Missing("host")] {
            let response = error.respond();
            let message = response.headers()[GRPC_MESSAGE].to_str().unwrap();
            assert!(!message.contains('%'), "{message}");
            assert_eq!(response.headers()[GRPC_STATUS], error.code().to_string());
        }
    }
}
