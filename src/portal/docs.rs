//! The description of the gateway's own endpoints, and Swagger UI to read and try it, all from the binary.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::text::list;
use crate::wire;

/// Names the version of the files in their addresses: browsers keep them for good.
const VERSION: &str = "5.35.0";

/// Swagger UI writes styles into the page; scripts, pictures and requests are our own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// A file that the page needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// The styles of Swagger UI.
    Style,
    /// Swagger UI itself.
    Script,
    /// What starts it.
    Start,
}

/// The texts of one configuration, whose endpoints have a prefix.
#[derive(Debug)]
pub(super) struct Docs {
    page: Bytes,
    document: Bytes,
}

impl Asset {
    /// The file of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "swagger-ui.css" => Some(Self::Style),
            "swagger-ui-bundle.js" => Some(Self::Script),
            "start.js" => Some(Self::Start),
            _ => None,
        }
    }

    /// The compressed ones take a client that takes them; every browser does.
    pub(super) fn answer(self, headers: &HeaderMap) -> Response<Bytes> {
        let (kind, bytes, compressed): (_, &'static [u8], _) = match self {
            Self::Style => (
                "text/css; charset=utf-8",
                include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz"),
                true,
            ),
            Self::Script => (
                "text/javascript; charset=utf-8",
                include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz"),
                true,
            ),
            Self::Start => (
                "text/javascript; charset=utf-8",
                include_bytes!("../../assets/docs/start.js"),
                false,
            ),
        };
        if compressed && !takes_gzip(headers) {
            return wire::problem(StatusCode::NOT_ACCEPTABLE, "The file is there in gzip only");
        }
        let mut response = Response::new(Bytes::from_static(bytes));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(
            "x-content-type-options",
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
        if compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

impl Docs {
    /// The texts for endpoints under this prefix, a plain path.
    pub(super) fn new(prefix: &str) -> Self {
        let fill = |text: &str| {
            Bytes::from(
                text.replace("{prefix}", prefix)
                    .replace("{version}", VERSION),
            )
        };
        Self {
            page: fill(include_str!("../../assets/docs/index.html")),
            document: fill(include_str!("../../assets/docs/openapi.json")),
        }
    }

    /// Swagger UI.
    pub(super) fn page(&self) -> Response<Bytes> {
        let mut response = Response::new(self.page.clone());
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(
            "x-content-type-options",
            HeaderValue::from_static("nosniff"),
        );
        headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    /// The OpenAPI document.
    pub(super) fn document(&self) -> Response<Bytes> {
        let mut response = Response::new(self.document.clone());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// Whoever names no coding takes any (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let takes = |coding: &[u8]| {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let named = [&b"gzip"[..], b"x-gzip", b"*"]
            .iter()
            .any(|gzip| name.eq_ignore_ascii_case(gzip));
        named && !parts.any(wire::is_zero_weight)
    };
    !headers.contains_key(ACCEPT_ENCODING) || list::elements(headers, ACCEPT_ENCODING).any(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_json_and_names_the_prefix() {
        let docs = Docs::new("/sign/in");
        let document: serde_json::Value = serde_json::from_slice(docs.document().body()).unwrap();
        assert!(document["paths"]["/sign/in/login"]["post"].is_object());
        let scheme = &document["components"]["securitySchemes"]["gatelatch"];
        assert_eq!(scheme["flows"]["password"]["tokenUrl"], "/sign/in/login");
        let page = docs.page();
        let page = std::str::from_utf8(page.body()).unwrap();
        assert!(
            page.contains("src=\"/sign/in/docs/swagger-ui-bundle.js?5.35.0\""),
            "{page}"
        );
        assert!(!page.contains('{') && !page.contains("http"), "{page}");
    }

    #[test]
    fn compressed_files_are_for_those_who_take_them() {
        for (sent, expected) in [
            (None, true),
            (Some("gzip, deflate, br"), true),
            (Some("br, *"), true),
            (Some("GZIP;q=0.5"), true),
            (Some("identity"), false),
            (Some(""), false),
            (Some("gzip;q=0, br"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(sent.map(|sent| (ACCEPT_ENCODING, HeaderValue::from_static(sent))));
            assert_eq!(takes_gzip(&headers), expected, "{sent:?}");
        }
    }
}
