//! A wish to leave HTTP for another protocol on the same connection.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Version};
use hyper::ext::Protocol;

use super::field_presence::FieldPresence;

use crate::text::list;

/// The protocol that a request asks to switch to, and how it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Its name, such as `websocket`.
    pub protocol: HeaderValue,
    /// How the client asks.
    pub form: UpgradeForm,
}

/// How a client asks for another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeForm {
    /// `Connection: upgrade` (RFC 9110, section 7.8).
    Field,
    /// Extended CONNECT on one stream of HTTP/2 (RFC 8441).
    Connect,
}

impl Upgrade {
    /// Whether it is to a WebSocket (RFC 6455, section 4.1; RFC 8441).
    pub fn is_websocket(&self) -> bool {
        self.protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
    }

    /// Reads what a request asks for. Whoever asks may be answered without it (RFC 9110, section 7.8), so what cannot be
    /// passed on is no wish: several protocols, HTTP/2 in the clear, a request with a body.
    pub(super) fn read(head: &Parts, present: FieldPresence) -> Option<Self> {
        match head.version {
            Version::HTTP_11 if present.has(FieldPresence::UPGRADE) => Self::of_field(head),
            Version::HTTP_2 => Self::of_connect(head),
            _ => None,
        }
    }

    fn of_field(head: &Parts) -> Option<Self> {
        let mut fields = head.headers.get_all(UPGRADE).iter();
        let protocol = fields.next()?;
        let alone = fields.next().is_none() && is_token(protocol.as_bytes());
        let bodiless = !head.headers.contains_key(TRANSFER_ENCODING)
            && head
                .headers
                .get(CONTENT_LENGTH)
                .is_none_or(|length| length.as_bytes() == b"0");
        let nominated = alone && nominates_upgrade(head);
        (nominated && bodiless && !is_http2(protocol)).then(|| Self {
            protocol: protocol.clone(),
            form: UpgradeForm::Field,
        })
    }

    fn of_connect(head: &Parts) -> Option<Self> {
        if head.method != Method::CONNECT {
            return None;
        }
        let protocol = head.extensions.get::<Protocol>()?.as_str();
        let protocol = HeaderValue::from_str(protocol)
            .ok()
            .filter(|protocol| is_token(protocol.as_bytes()))?;
        Some(Self {
            protocol,
            form: UpgradeForm::Connect,
        })
    }
}

fn nominates_upgrade(head: &Parts) -> bool {
    list::names(&head.headers, CONNECTION, "upgrade")
}

/// The gateway speaks HTTP/2 in the clear by prior knowledge; whoever wants it by upgrade goes on in HTTP/1.1.
fn is_http2(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"h2c")
        || protocol.as_bytes().eq_ignore_ascii_case(b"h2")
}

/// A protocol's name, with or without a version (`websocket`, `foo/2`).
fn is_token(text: &[u8]) -> bool {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!#$%&'*+^`|/".contains(byte);
    !text.is_empty() && text.iter().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Option<String> {
        let mut request = http::Request::builder();
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Upgrade::read(&head, FieldPresence::of(&head.headers))
            .map(|upgrade| upgrade.protocol.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_what_can_be_passed_on_is_a_wish() {
        let websocket = ("upgrade", "websocket");
        assert_eq!(
            read(&[("connection", "keep-alive, Upgrade"), websocket]).as_deref(),
            Some("websocket")
        );
        assert_eq!(
            read(&[("connection", "upgrade"), ("upgrade", "foo/2")]).as_deref(),
            Some("foo/2")
        );
        assert_eq!(
            read(&[
                ("connection", "close"),
                ("connection", "upgrade"),
                websocket
            ])
            .as_deref(),
            Some("websocket")
        );
        for fields in [
            &[websocket][..],
            &[("connection", "close"), websocket],
            &[("connection", "upgrade")],
            &[("connection", "upgrade"), ("upgrade", "h2c")],
            &[("connection", "upgrade"), ("upgrade", "a, b")],
            &[("connection", "upgrade"), websocket, websocket],
            &[
                ("connection", "upgrade"),
                websocket,
                ("content-length", "3"),
            ],
            &[
                ("connection", "upgrade"),
                websocket,
                ("transfer-encoding", "chunked"),
            ],
        ] {
            assert_eq!(read(fields), None, "{fields:?}");
        }
    }

    #[test]
    fn only_an_extended_connect_is_one() {
        let read_connect = |head: &Parts| Upgrade::read(head, FieldPresence::default());
        let head = |protocol: Option<&'static str>| {
            let mut request = http::Request::builder()
                .method("CONNECT")
                .version(Version::HTTP_2)
                .uri("http://a/chat");
            if let Some(protocol) = protocol {
                request = request.extension(Protocol::from_static(protocol));
            }
            request.body(()).unwrap().into_parts().0
        };
        let upgrade = read_connect(&head(Some("websocket"))).unwrap();
        assert_eq!(
            (upgrade.protocol.as_bytes(), upgrade.form),
            (&b"websocket"[..], UpgradeForm::Connect)
        );
        assert_eq!(read_connect(&head(None)), None);
    }
}
