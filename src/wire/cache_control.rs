//! Answers that shared caches may not hand to others (RFC 9111).

use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::credential::Credential;
use super::field_presence::FieldPresence;

/// `cache` of a service: what becomes of `Cache-Control` in answers to one caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// An answer that a shared cache could hand to others is marked `private`.
    #[default]
    Private,
    /// Answers are left as they are.
    Pass,
}

/// Why a shared cache in front could hand an answer to somebody whom the rules refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheRisk {
    /// The request shows in no field that caches look at that it was allowed to one caller: a cookie, an API key, an
    /// address.
    Unseen,
    /// The request has `Authorization`. Caches keep out by themselves, unless the answer says that it may be revalidated
    /// or kept (RFC 9111, section 3.5), which a service that knows of no credential says in ignorance.
    Shielded,
}

impl CacheRisk {
    /// The risk of an answer to one caller, who sent this credential.
    pub fn of(credential: Option<&Credential>) -> Self {
        match credential {
            Some(credential) if *credential.field_name() == AUTHORIZATION => Self::Shielded,
            Some(_) | None => Self::Unseen,
        }
    }

    /// Marks the answer `private`, unless it says itself who may keep it: `public`, `private`, `no-store` or `no-cache`.
    /// `present` is what the head had when it came.
    pub fn confine(self, headers: &mut HeaderMap, present: FieldPresence) {
        if present.has(FieldPresence::TARGETED_CACHE_CONTROL) {
            confine_targeted(headers);
        }
        if !present.has(FieldPresence::CACHE_CONTROL) {
            if self == Self::Unseen {
                headers.insert(CACHE_CONTROL, PRIVATE);
            }
            return;
        }
        let lifts_shield = || {
            says(headers, &CACHE_CONTROL, |directive| {
                directive.eq_ignore_ascii_case(b"must-revalidate") || is_lifetime_for_all(directive)
            })
        };
        if !says_who_keeps(headers, &CACHE_CONTROL) && (self == Self::Unseen || lifts_shield()) {
            put_first(headers, &CACHE_CONTROL, "private");
        }
    }
}

/// Fields by which caches of one kind go in place of `Cache-Control` (RFC 9213, and older ones), and the word that keeps these
/// caches out.
const TARGETED: [(HeaderName, &str); 7] = [
    (HeaderName::from_static("cdn-cache-control"), "private"),
    (HeaderName::from_static("akamai-cache-control"), "private"),
    (
        HeaderName::from_static("cloudflare-cdn-cache-control"),
        "private",
    ),
    (
        HeaderName::from_static("netlify-cdn-cache-control"),
        "private",
    ),
    (
        HeaderName::from_static("vercel-cdn-cache-control"),
        "private",
    ),
    // these know no `private`
    (HeaderName::from_static("edge-control"), "no-store"),
    (HeaderName::from_static("surrogate-control"), "no-store"),
];

/// nginx goes by this number of seconds, whatever `Cache-Control` says.
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// Only shared caches read these fields, so that each of them invites to hand the answer to others. A service that says
/// `public` in `Cache-Control` means it.
fn confine_targeted(headers: &mut HeaderMap) {
    if says(headers, &CACHE_CONTROL, |directive| {
        directive.eq_ignore_ascii_case(b"public")
    }) {
        return;
    }
    for (name, word) in &TARGETED {
        if headers.contains_key(name) && !says_who_keeps(headers, name) {
            put_first(headers, name, word);
        }
    }
    if headers.contains_key(X_ACCEL_EXPIRES) {
        headers.insert(X_ACCEL_EXPIRES, HeaderValue::from_static("0"));
    }
}

/// Whether the field says who may keep the answer. With an argument these words speak of single fields only.
fn says_who_keeps(headers: &HeaderMap, name: &HeaderName) -> bool {
    says(headers, name, |directive| {
        ["public", "private", "no-store", "no-cache"]
            .into_iter()
            .any(|word| directive.eq_ignore_ascii_case(word.as_bytes()))
    })
}

fn says(headers: &HeaderMap, name: &HeaderName, is: impl Fn(&[u8]) -> bool) -> bool {
    let lines = headers.get_all(name).iter();
    lines.flat_map(|line| directives(line.as_bytes())).any(is)
}

/// Adds a word, first and in one line: behind an open quotation mark, or in a second line, some would not see it.
fn put_first(headers: &mut HeaderMap, name: &HeaderName, word: &'static str) {
    let lines = headers.get_all(name).iter();
    let joined = lines.fold(word.as_bytes().to_vec(), |mut all, line| {
        all.extend_from_slice(b", ");
        all.extend_from_slice(line.as_bytes());
        all
    });
    let joined = HeaderValue::from_bytes(&joined).unwrap_or(HeaderValue::from_static(word));
    headers.insert(name, joined);
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private");

fn is_lifetime_for_all(directive: &[u8]) -> bool {
    let name = directive.split(|byte| *byte == b'=').next();
    name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"s-maxage"))
}

/// The directives of a line; a comma in quotation marks separates none.
fn directives(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |byte| {
        let is_escaped = std::mem::replace(&mut escaped, false);
        match byte {
            _ if is_escaped => {}
            b'"' => quoted = !quoted,
            b'\\' => escaped = quoted,
            _ => {}
        }
        *byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confined(risk: CacheRisk, lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        let present = FieldPresence::of(&headers);
        risk.confine(&mut headers, present);
        let all = headers.get_all(CACHE_CONTROL).iter();
        all.map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    /// What the service says, and what becomes of it for a caller whom caches do not see, and for one with `Authorization`.
    #[test]
    fn an_answer_for_one_caller_is_private_unless_the_service_says_whose_it_is() {
        const AS_IT_IS: &[&str] = &["as it is"];
        for (said, unseen, shielded) in [
            (&[][..], &["private"][..], AS_IT_IS),
            (&["max-age=60"], &["private, max-age=60"], AS_IT_IS),
            (&[""], &["private, "], AS_IT_IS),
            (
                &["MAX-AGE=60, immutable"],
                &["private, MAX-AGE=60, immutable"],
                AS_IT_IS,
            ),
            (
                &["max-age=0", "foo"],
                &["private, max-age=0, foo"],
                AS_IT_IS,
            ),
            (
                &["s-maxage=60"],
                &["private, s-maxage=60"],
                &["private, s-maxage=60"],
            ),
            (
                &["S-MaxAge = 60"],
                &["private, S-MaxAge = 60"],
                &["private, S-MaxAge = 60"],
            ),
            (
                &["max-age=60", "Must-Revalidate"],
                &["private, max-age=60, Must-Revalidate"],
                &["private, max-age=60, Must-Revalidate"],
            ),
            (
                &["proxy-revalidate"],
                &["private, proxy-revalidate"],
                AS_IT_IS,
            ),
            (&["public"], AS_IT_IS, AS_IT_IS),
            (&["max-age=60", "s-maxage=1, Public"], AS_IT_IS, AS_IT_IS),
            (&["private"], AS_IT_IS, AS_IT_IS),
            (&["max-age=60,PRIVATE"], AS_IT_IS, AS_IT_IS),
            (&["no-store"], AS_IT_IS, AS_IT_IS),
            (&["no-cache, must-revalidate"], AS_IT_IS, AS_IT_IS),
            // these speak of fields
            (
                &["private=\"set-cookie\""],
                &["private, private=\"set-cookie\""],
                AS_IT_IS,
            ),
            (
                &["no-cache=\"a, public\""],
                &["private, no-cache=\"a, public\""],
                AS_IT_IS,
            ),
            (
                &["x=\"a, public, b\""],
                &["private, x=\"a, public, b\""],
                AS_IT_IS,
            ),
            (
                &["x=\"\\\", public, \""],
                &["private, x=\"\\\", public, \""],
                AS_IT_IS,
            ),
            // and these are malformed
            (
                &["max-age=60; public"],
                &["private, max-age=60; public"],
                AS_IT_IS,
            ),
            (
                &["max-age=60 public"],
                &["private, max-age=60 public"],
                AS_IT_IS,
            ),
            (
                &["x=\"open, public"],
                &["private, x=\"open, public"],
                AS_IT_IS,
            ),
            (&["public=1"], &["private, public=1"], AS_IT_IS),
            (&["publicly"], &["private, publicly"], AS_IT_IS),
        ] {
            for (risk, expected) in [(CacheRisk::Unseen, unseen), (CacheRisk::Shielded, shielded)] {
                let expected = if expected == AS_IT_IS { said } else { expected };
                assert_eq!(confined(risk, said), expected, "{risk:?} {said:?}");
            }
        }
    }

    /// What a service says to caches of one kind, beside what it says to all; and what becomes of the former.
    #[test]
    fn what_is_said_to_caches_of_one_kind_is_confined_as_well() {
        const NOT_CHANGED: &str = "not changed";
        for (name, said, to_all, expected) in [
            ("cdn-cache-control", "max-age=60", "", "private, max-age=60"),
            (
                "CDN-Cache-Control",
                "s-maxage=9, max-age=60",
                "no-store",
                "private, s-maxage=9, max-age=60",
            ),
            (
                "cloudflare-cdn-cache-control",
                "max-age=60",
                "private",
                "private, max-age=60",
            ),
            (
                "surrogate-control",
                "max-age=60, content=\"ESI/1.0\"",
                "max-age=1",
                "no-store, max-age=60, content=\"ESI/1.0\"",
            ),
            (
                "edge-control",
                "cache-maxage=1h",
                "",
                "no-store, cache-maxage=1h",
            ),
            ("x-accel-expires", "60", "", "0"),
            ("x-accel-expires", "@1700000000", "no-cache", "0"),
            ("x-accel-expires", "60", "public", NOT_CHANGED),
            ("cdn-cache-control", "max-age=60", "Public", NOT_CHANGED),
            ("cdn-cache-control", "public, max-age=60", "", NOT_CHANGED),
            ("cdn-cache-control", "no-store", "public", NOT_CHANGED),
            ("cdn-cache-control", "private", "", NOT_CHANGED),
            ("surrogate-control", "no-store", "max-age=9", NOT_CHANGED),
            // another kind of cache
            ("x-cache-control", "max-age=60", "", NOT_CHANGED),
        ] {
            for risk in [CacheRisk::Unseen, CacheRisk::Shielded] {
                let mut headers = HeaderMap::new();
                let name = HeaderName::try_from(name).unwrap();
                headers.insert(&name, HeaderValue::from_str(said).unwrap());
                if !to_all.is_empty() {
                    headers.insert(CACHE_CONTROL, HeaderValue::from_str(to_all).unwrap());
                }
                let present = FieldPresence::of(&headers);
                risk.confine(&mut headers, present);
                let expected = if expected == NOT_CHANGED {
                    said
                } else {
                    expected
                };
                assert_eq!(headers[&name], expected, "{risk:?} {name} {to_all}");
            }
        }
    }
}
