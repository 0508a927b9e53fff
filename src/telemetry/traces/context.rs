//! W3C Trace Context: the trace of a request, as received from the client and as sent to the upstream.

use std::str::FromStr as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanId, TraceId, TraceState};

use crate::text::{hex, list};

/// Names the trace and the span that asks.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What tracing systems tell each other beside that.
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-`, the trace, `-`, the parent, `-`, the flags.
const LENGTH: usize = 55;

/// The flag that says that the sender records the trace.
const SAMPLED: u8 = 1;

/// A trace that was begun by the sender of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Incoming {
    pub(super) trace: TraceId,
    pub(super) parent: SpanId,
    /// Whether the sender records it.
    pub(super) sampled: bool,
    pub(super) state: TraceState,
}

impl Incoming {
    /// Reads both fields. `None` where there is no trace to continue: none is named, or not in the one way that the
    /// specification has. A malformed `tracestate` costs only itself.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return None;
        };
        let (trace, parent, flags) = parse(line.to_str().ok()?)?;
        Some(Self {
            trace,
            parent,
            sampled: flags & SAMPLED != 0,
            state: read_state(headers),
        })
    }
}

fn parse(text: &str) -> Option<(TraceId, SpanId, u8)> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let mut parts = known.split('-');
    let [version] = lower(parts.next()?)?;
    // a later version may say more behind what is read here
    let fits = if version == 0 {
        rest.is_empty()
    } else {
        rest.is_empty() || rest.starts_with('-')
    };
    if version == 0xff || !fits {
        return None;
    }
    let trace = lower(parts.next()?).filter(|trace| *trace != [0; 16])?;
    let parent = lower(parts.next()?).filter(|parent| *parent != [0; 8])?;
    let [flags] = lower(parts.next()?)?;
    let ids = (TraceId::from_bytes(trace), SpanId::from_bytes(parent));
    parts.next().is_none().then_some((ids.0, ids.1, flags))
}

/// Lower-case digits only.
fn lower<const N: usize>(text: &str) -> Option<[u8; N]> {
    let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode(text).filter(|_| !upper)
}

/// All lines are one list.
fn read_state(headers: &HeaderMap) -> TraceState {
    let entries = list::elements(headers, TRACESTATE)
        .filter(|entry| !entry.is_empty())
        .collect::<Vec<_>>()
        .join(&b',');
    std::str::from_utf8(&entries)
        .ok()
        .filter(|list| list.is_ascii())
        .and_then(|list| TraceState::from_str(list).ok())
        .unwrap_or_default()
}

/// `traceparent` as the next in line gets it.
pub(super) fn write(trace: TraceId, span: SpanId, sampled: bool) -> HeaderValue {
    let flags = if sampled { SAMPLED } else { 0 };
    let text = format!("00-{trace}-{span}-{flags:02x}");
    HeaderValue::try_from(text).expect("hexadecimal digits and hyphens are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(fields: &[(&str, &str)]) -> Option<Incoming> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Incoming::read(&headers)
    }

    #[test]
    fn what_is_written_is_read() {
        let incoming = read(&[("traceparent", VALID)]).unwrap();
        assert!(incoming.sampled);
        assert_eq!(write(incoming.trace, incoming.parent, true), VALID);
        assert_eq!(
            write(incoming.trace, incoming.parent, false),
            VALID.replace("-01", "-00")
        );
    }

    #[test]
    fn flags_and_later_versions() {
        let sampled = |text: &str| read(&[("traceparent", text)]).map(|incoming| incoming.sampled);
        assert_eq!(sampled(&VALID.replace("-01", "-00")), Some(false));
        assert_eq!(sampled(&VALID.replace("-01", "-03")), Some(true));
        assert_eq!(sampled(&VALID.replace("00-0", "01-0")), Some(true));
        assert_eq!(
            sampled(&format!("{}-more", VALID.replace("00-0", "01-0"))),
            Some(true)
        );
    }

    #[test]
    fn what_is_not_in_the_one_way_is_nothing() {
        for text in [
            "",
            "00",
            &VALID.to_uppercase(),
            &VALID.replace("00-0", "ff-0"),
            &format!("{VALID}-more"),
            &format!("{}.", VALID.replace("00-0", "01-0")),
            &VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &VALID.replace("b7ad6b7169203331", &"0".repeat(16)),
            &VALID.replace("-01", "-0g"),
            &VALID.replace('-', "_"),
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
        ] {
            assert_eq!(read(&[("traceparent", text)]), None, "{text}");
        }
        assert_eq!(
            read(&[("traceparent", VALID), ("traceparent", VALID)]),
            None,
            "which of the two?"
        );
        assert_eq!(read(&[("tracestate", "a=b")]), None);
    }

    #[test]
    fn a_state_is_one_list_or_nothing() {
        let state = |lines: &[&str]| {
            let fields = lines.iter().map(|line| ("tracestate", *line));
            let fields: Vec<_> = std::iter::once(("traceparent", VALID))
                .chain(fields)
                .collect();
            read(&fields).unwrap().state.header()
        };
        assert_eq!(state(&["a=1,b=2"]), "a=1,b=2");
        assert_eq!(state(&["a=1 ,", " t@b=2"]), "a=1,t@b=2");
        assert_eq!(state(&["a=1,b"]), "");
        assert_eq!(state(&[]), "");
    }
}
