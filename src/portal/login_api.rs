//! The endpoints that issue tokens, each with its own statuses and content types.

use http::HeaderMap;

use super::body_format::BodyFormat;

/// Which API a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginApi {
    /// The login of applications: a form or JSON, with specific statuses.
    Login,
    /// The token endpoint of OAuth: a form, a `grant_type`, and 400 (RFC 6749, sections 4.3 and 5.2).
    Token,
    /// A refresh or a logout of applications: a form or JSON.
    Refresh,
    /// A question about a token, or its end: a form, with the statuses of the token endpoint (RFC 7662, RFC 7009).
    Query,
}

impl LoginApi {
    /// The content types, as `Accept-Post` lists them.
    pub(super) fn accepts(self) -> &'static str {
        match self {
            Self::Login => {
                "application/x-www-form-urlencoded, multipart/form-data, application/json"
            }
            Self::Refresh => "application/x-www-form-urlencoded, application/json",
            Self::Token | Self::Query => "application/x-www-form-urlencoded",
        }
    }

    /// How the body is written, where it is a way that is taken here.
    pub(super) fn format(self, headers: &HeaderMap) -> Option<BodyFormat> {
        BodyFormat::of(headers).filter(|format| self.takes(format))
    }

    fn takes(self, format: &BodyFormat) -> bool {
        match (self, format) {
            (Self::Login | Self::Refresh, BodyFormat::Form | BodyFormat::Json)
            | (Self::Login, BodyFormat::Multipart(_))
            | (Self::Token | Self::Query, BodyFormat::Form) => true,
            (Self::Token | Self::Refresh | Self::Query, BodyFormat::Multipart(_))
            | (Self::Token | Self::Query, BodyFormat::Json) => false,
        }
    }
}
