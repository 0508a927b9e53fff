//! Which of the fields that matter a head has at all, found in one look at its names.
//!
//! Most requests have hardly any of them, and asking a map for a name that is not there costs as much as finding one.

use http::HeaderMap;

/// Which of the fields that the gateway reads are present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldPresence(u16);

impl FieldPresence {
    /// `Authorization`.
    pub(crate) const AUTHORIZATION: Self = Self(1);
    /// `Connection`.
    pub(crate) const CONNECTION: Self = Self(1 << 1);
    /// `Content-Length`.
    pub(crate) const CONTENT_LENGTH: Self = Self(1 << 2);
    /// `Cookie`.
    pub(crate) const COOKIE: Self = Self(1 << 3);
    /// `Expect`.
    pub(crate) const EXPECT: Self = Self(1 << 4);
    /// `Set-Cookie`.
    pub(crate) const SET_COOKIE: Self = Self(1 << 5);
    /// `TE`.
    pub(crate) const TE: Self = Self(1 << 6);
    /// `Trailer`.
    pub(crate) const TRAILER: Self = Self(1 << 7);
    /// `Transfer-Encoding`.
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 8);
    /// `Upgrade`.
    pub(crate) const UPGRADE: Self = Self(1 << 9);
    /// `X-Api-Key`.
    pub(crate) const X_API_KEY: Self = Self(1 << 10);
    /// `Location` and `Content-Location`.
    pub(crate) const LOCATION: Self = Self(1 << 12);
    /// Further fields about one connection: `Keep-Alive` and those of proxies.
    pub(crate) const OTHER_HOP_BY_HOP: Self = Self(1 << 11);

    /// `Cache-Control`.
    pub(crate) const CACHE_CONTROL: Self = Self(1 << 13);
    /// WebDAV's `Destination`.
    pub(crate) const DESTINATION: Self = Self(1 << 14);

    /// Fields by which caches of one kind go in place of `Cache-Control`.
    pub(crate) const TARGETED_CACHE_CONTROL: Self = Self(1 << 15);

    /// What this head has.
    pub fn of(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self::default(), |found, name| {
            found.or(Self::named(name.as_str()))
        })
    }

    /// Either of them.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether one of these is there.
    pub(crate) fn has(self, one_of: Self) -> bool {
        self.0 & one_of.0 != 0
    }

    /// The set of this one name; empty for all that do not matter.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "authorization" => Self::AUTHORIZATION,
            "cache-control" => Self::CACHE_CONTROL,
            "connection" => Self::CONNECTION,
            "content-length" => Self::CONTENT_LENGTH,
            "cookie" => Self::COOKIE,
            "destination" => Self::DESTINATION,
            "expect" => Self::EXPECT,
            "location" | "content-location" => Self::LOCATION,
            "set-cookie" => Self::SET_COOKIE,
            "te" => Self::TE,
            "trailer" => Self::TRAILER,
            "transfer-encoding" => Self::TRANSFER_ENCODING,
            "upgrade" => Self::UPGRADE,
            "x-api-key" => Self::X_API_KEY,
            "cdn-cache-control"
            | "akamai-cache-control"
            | "cloudflare-cdn-cache-control"
            | "netlify-cdn-cache-control"
            | "vercel-cdn-cache-control"
            | "edge-control"
            | "surrogate-control"
            | "x-accel-expires" => Self::TARGETED_CACHE_CONTROL,
            "keep-alive" | "proxy-connection" | "proxy-authenticate" => Self::OTHER_HOP_BY_HOP,
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn every_name_is_a_set_of_its_own() {
        let names = [
            "authorization",
            "cache-control",
            "cdn-cache-control",
            "connection",
            "content-length",
            "cookie",
            "destination",
            "expect",
            "set-cookie",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-api-key",
            "location",
            "keep-alive",
        ];
        for name in names {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
            headers.insert("accept", HeaderValue::from_static("1"));
            let present = FieldPresence::of(&headers);
            let also_there = names
                .iter()
                .filter(|other| present.has(FieldPresence::named(other)));
            assert_eq!(also_there.collect::<Vec<_>>(), [&name]);
        }
        assert_eq!(
            FieldPresence::of(&HeaderMap::new()),
            FieldPresence::default()
        );
    }
}
