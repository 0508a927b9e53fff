//! Which header fields may pass through the gateway.

use std::collections::HashSet;
use std::time::Duration;

use ahash::RandomState;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, COOKIE, LOCATION,
    SET_COOKIE, TRAILER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::field_presence::FieldPresence;
use super::identity::IdentitySettings;
use crate::ambient;
use crate::text::list;

mod retain;

pub(crate) use retain::{remove_all_but, retain_fields};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Fields about one connection, never about the message (RFC 9110, section 7.6.1), and those that the gateway writes
/// anew: framing, `Host`, `Expect`, `Destination`.
pub const CONNECTION_FIELDS: [&str; 14] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "host",
    "expect",
    "destination",
];

/// What only a proxy in front may say, folded, beside the family of `X-Forwarded-*`. Whatever is believed of it is set anew.
const FORWARDED: [&str; 28] = [
    "forwarded",
    "forwardedfor",
    "clientip",
    "xrealip",
    "trueclientip",
    "cfconnectingip",
    "cfconnectingipv6",
    "cfpseudoipv4",
    "doconnectingip",
    "flyclientip",
    "incapclientip",
    "xappengineuserip",
    "xazureclientip",
    "xazuresocketip",
    "xnfclientconnectionip",
    "xoriginatingip",
    "xproxyuserip",
    "xsucuriclientip",
    "xtrueclientip",
    "xvercelforwardedfor",
    "xclientip",
    "xclusterclientip",
    "fastlyclientip",
    "proxyclientip",
    "wlproxyclientip",
    "xoriginalforwardedfor",
    "xenvoyexternaladdress",
    "xrequestid",
];

/// Identity and routing fields of other proxies, folded: an upstream that believes them must not hear them from a client.
const WELL_KNOWN: [&str; 11] = [
    "xauthuser",
    "xauthenticateduser",
    "xoriginalurl",
    "xoriginalhost",
    "xoriginaluri",
    "xoriginalmethod",
    "xrewriteurl",
    "xhttpmethodoverride",
    "xhttpmethod",
    "xmethodoverride",
    // what Apache's mod_dav takes for `Destination` where there is none
    "newuri",
];

/// Families of such fields, by how their folded name starts.
const FAMILIES: [&str; 7] = [
    "xgatelatch",
    "remote",
    "xremote",
    "xforwarded",
    "xwebauth",
    "xauthrequest",
    "xsslclient",
];

/// What Envoy itself writes, or writes anew, of what a client's filter drops.
const WRITTEN_BY_ENVOY: [&str; 15] = [
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "host",
    "expect",
    "destination",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "x-envoy-external-address",
    "x-request-id",
];

/// What a proxy before Envoy may have written besides.
const WRITTEN_BEFORE_ENVOY: [&str; 4] = [
    "forwarded",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-real-ip",
];

/// Decides for each field name of a request whether it reaches the upstream. Names are compared after folding case and
/// every character that is no letter or digit: what `X_Forwarded-User` becomes in a CGI-like environment.
#[derive(Clone, Debug)]
pub struct FieldFilter {
    /// Dropped whatever `identity.pass` says: the gateway writes these itself.
    own: HashSet<Box<[u8]>, RandomState>,
    /// Dropped unless passed by their exact name.
    foreign: HashSet<Box<[u8]>, RandomState>,
    passed: Vec<HeaderName>,
    /// How names start that may have to be dropped.
    suspects: Beginnings,
}

impl FieldFilter {
    /// The filter of a service: its own identity headers and all well-known ones, less `identity.pass`.
    pub fn new(identity: &IdentitySettings) -> Self {
        let mapped = identity.headers.iter().map(|header| header.name.as_str());
        let own = folded(CONNECTION_FIELDS.into_iter().chain(mapped));
        let foreign = folded(FORWARDED.iter().chain(&WELL_KNOWN).copied());
        let families = FAMILIES.iter().map(|family| family.as_bytes());
        let suspects = own
            .iter()
            .chain(&foreign)
            .map(|name| &**name)
            .chain(families)
            .collect();
        Self {
            own,
            foreign,
            passed: identity.pass.clone(),
            suspects,
        }
    }

    /// Whether a client's field of this name is passed on.
    pub fn passes(&self, name: &HeaderName) -> bool {
        if self.suspects.exclude(name.as_str().as_bytes()) {
            return true;
        }
        let mut buffer = [0; 64];
        match fold_into(name.as_str(), &mut buffer) {
            Some(folded) => self.passes_folded(name, folded),
            None => self.passes_folded(name, &fold(name.as_str())),
        }
    }

    /// Whether Envoy, which forwards by itself, must take a field of this name away. `is_behind_proxy` says whether a trusted
    /// proxy stands between Envoy and the client.
    pub(super) fn is_forged(&self, name: &HeaderName, is_behind_proxy: bool) -> bool {
        let is_in = |names: &[&str]| names.contains(&name.as_str());
        let is_stated = || is_behind_proxy && is_in(&WRITTEN_BEFORE_ENVOY);
        // last what costs most: most requests have several fields that Envoy writes, and no forged one
        !(is_in(&WRITTEN_BY_ENVOY) || is_stated() || self.passes(name))
    }

    /// Whether a client's trailer of this name is passed on: nothing that says how to read or route the message, nor who
    /// sent it (RFC 9110, section 6.5.1).
    pub fn passes_trailer(&self, name: &HeaderName) -> bool {
        trailer_is_harmless(name) && self.passes(name)
    }

    fn passes_folded(&self, name: &HeaderName, folded: &[u8]) -> bool {
        if self.own.contains(folded) {
            return false;
        }
        let foreign = self.foreign.contains(folded)
            || FAMILIES
                .iter()
                .any(|family| folded.starts_with(family.as_bytes()));
        !foreign || self.passed.contains(name)
    }
}

/// The first two characters of some folded names. Most fields of most requests start like none that is dropped, and need
/// not be folded and looked up.
#[derive(Clone, Debug)]
struct Beginnings([u64; 36]);

impl Beginnings {
    /// Whether a name, not yet folded, is certainly none of these.
    fn exclude(&self, name: &[u8]) -> bool {
        let (Some(first), Some(second)) = (folded_place(name.first()), folded_place(name.get(1)))
        else {
            return false;
        };
        self.0[first] & (1 << second) == 0
    }
}

impl<'n> FromIterator<&'n [u8]> for Beginnings {
    fn from_iter<I: IntoIterator<Item = &'n [u8]>>(names: I) -> Self {
        let mut rows = [0; 36];
        for name in names {
            match (folded_place(name.first()), folded_place(name.get(1))) {
                (Some(first), Some(second)) => rows[first] |= 1 << second,
                // folds to one character at the most: anything may begin like it
                (Some(_) | None, _) => rows = [u64::MAX; 36],
            }
        }
        Self(rows)
    }
}

/// Where a character of a folded name stands among all of them; `None` for one that folding takes out.
fn folded_place(byte: Option<&u8>) -> Option<usize> {
    match byte?.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => Some(usize::from(letter - b'a')),
        digit @ b'0'..=b'9' => Some(26 + usize::from(digit - b'0')),
        _ => None,
    }
}

/// Whether a field may come behind a body, whoever sends it: it does not change how the body is read, or who is
/// believed to have sent it.
pub fn trailer_is_harmless(name: &HeaderName) -> bool {
    let credential = [AUTHORIZATION, COOKIE, SET_COOKIE, WWW_AUTHENTICATE].contains(name);
    let framing = CONNECTION_FIELDS.contains(&name.as_str()) || name == "proxy-authentication-info";
    let content = [CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, LOCATION].contains(name);
    !(credential || framing || content)
}

/// The names of a `Trailer` field that pass, for the next recipient; `None` where none does.
pub fn announce_trailers(
    headers: &HeaderMap,
    passes: impl Fn(&HeaderName) -> bool,
) -> Option<HeaderValue> {
    let names = list::elements(headers, TRAILER)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(passes);
    let names: Vec<String> = names.map(|name| name.as_str().to_owned()).collect();
    HeaderValue::try_from(names.join(", "))
        .ok()
        .filter(|names| !names.is_empty())
}

/// Takes out of trailers what may not pass.
pub fn filter_trailers(mut trailers: HeaderMap, passes: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    retain_fields(&mut trailers, None, 0, passes);
    trailers
}

fn folded<'n>(names: impl Iterator<Item = &'n str>) -> HashSet<Box<[u8]>, RandomState> {
    let mut set = HashSet::with_hasher(ambient::hash_state());
    set.extend(names.map(fold));
    set
}

fn fold(name: &str) -> Box<[u8]> {
    name.bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_lowercase())
        .collect()
}

/// Folds without allocating; `None` where the name does not fit.
fn fold_into<'b>(name: &str, buffer: &'b mut [u8; 64]) -> Option<&'b [u8]> {
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        *buffer.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    Some(&buffer[..length])
}

/// Options of `Connection` that nominate no field.
const NO_FIELDS: [&[u8]; 4] = [b"keep-alive", b"close", b"", b"content-length"];

/// The fields that `Connection` lines nominate as hop-by-hop, in any of the lines (RFC 9110, section 7.6.1).
pub(crate) struct Nominated(Vec<Box<str>>);

impl Nominated {
    /// Reads all `Connection` lines. Their own options `close` and `keep-alive` name no field that could pass anyway,
    /// and `Content-Length` is about the message, whoever names it.
    pub(crate) fn read(headers: &HeaderMap, present: FieldPresence) -> Self {
        if !present.has(FieldPresence::CONNECTION) {
            return Self(Vec::new());
        }
        let is_none = |token: &[u8]| {
            NO_FIELDS
                .iter()
                .any(|option| token.eq_ignore_ascii_case(option))
        };
        let mut lines = headers.get_all(CONNECTION).iter();
        // nearly every line is one option and nothing else
        if lines.all(|line| is_none(line.as_bytes())) {
            return Self(Vec::new());
        }
        let fields = list::elements(headers, CONNECTION)
            .filter(|token| !is_none(token))
            .filter_map(|token| std::str::from_utf8(token).ok());
        Self(
            fields
                .map(|token| token.to_ascii_lowercase().into())
                .collect(),
        )
    }

    /// Whether a field of this name is nominated.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|nominated| **nominated == *name.as_str())
    }
}

/// The gateway's own entry of `Via`, for a message that came in this version (RFC 9110, section 7.6.3).
pub fn via(received: Version) -> HeaderValue {
    // constants: a value is checked where it is made
    const HTTP_10: HeaderValue = HeaderValue::from_static("1.0 gatelatch");
    const HTTP_11: HeaderValue = HeaderValue::from_static("1.1 gatelatch");
    const HTTP_2: HeaderValue = HeaderValue::from_static("2.0 gatelatch");
    match received {
        Version::HTTP_10 => HTTP_10,
        Version::HTTP_2 => HTTP_2,
        _ => HTTP_11,
    }
}

/// How long the sender of these fields keeps the connection: `timeout` of `Keep-Alive`, in seconds.
pub fn keep_alive_timeout(headers: &HeaderMap) -> Option<Duration> {
    // most answers have none
    headers.get(KEEP_ALIVE)?;
    let (_, seconds) = list::elements(headers, KEEP_ALIVE)
        .filter_map(|parameter| std::str::from_utf8(parameter).ok()?.split_once('='))
        .find(|(name, _)| {
            let name = name.trim();
            name.eq_ignore_ascii_case("timeout")
        })?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Takes the hop-by-hop fields out of a response; of announced trailers those stay that pass. The other fields keep their order, which taking out one by one would not.
pub fn remove_hop_by_hop(headers: &mut HeaderMap, present: FieldPresence) {
    if !present.has(HOP_BY_HOP) {
        return;
    }
    let nominated = Nominated::read(headers, present);
    let announces = present.has(FieldPresence::TRAILER);
    let trailers = announces
        .then(|| announce_trailers(headers, trailer_is_harmless))
        .flatten();
    let stays = |name: &HeaderName| {
        !FieldPresence::named(name.as_str()).has(HOP_BY_HOP) && !nominated.contains(name)
    };
    remove_all_but(headers, stays);
    if let Some(names) = trailers {
        headers.insert(TRAILER, names);
    }
}

/// Fields of a response that are about one connection, and `Trailer`, of which only some names pass. `Content-Length` is
/// about the message.
const HOP_BY_HOP: FieldPresence = FieldPresence::CONNECTION
    .or(FieldPresence::TE)
    .or(FieldPresence::TRAILER)
    .or(FieldPresence::TRANSFER_ENCODING)
    .or(FieldPresence::UPGRADE)
    .or(FieldPresence::OTHER_HOP_BY_HOP);

#[cfg(test)]
mod tests;
