//! What is read is what prost reads, and what prost refuses is refused.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::Union;
use prost::Message as _;

use super::super::reader::DEPTH;
use super::*;

/// The same messages as prost declares them.
mod declared {
    use std::collections::BTreeMap;

    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct CheckRequest {
        #[prost(message, optional, tag = "1")]
        pub(super) attributes: Option<AttributeContext>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct AttributeContext {
        #[prost(message, optional, tag = "1")]
        pub(super) source: Option<AttributePeer>,
        #[prost(message, optional, tag = "4")]
        pub(super) request: Option<AttributeRequest>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct AttributePeer {
        #[prost(message, optional, tag = "1")]
        pub(super) address: Option<EnvoyAddress>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct EnvoyAddress {
        #[prost(message, optional, tag = "1")]
        pub(super) socket_address: Option<SocketAddress>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct SocketAddress {
        #[prost(string, tag = "2")]
        pub(super) address: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct AttributeRequest {
        #[prost(message, optional, tag = "2")]
        pub(super) http: Option<HttpRequest>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct HttpRequest {
        #[prost(string, tag = "2")]
        pub(super) method: String,
        #[prost(btree_map = "string, string", tag = "3")]
        pub(super) headers: BTreeMap<String, String>,
        #[prost(string, tag = "4")]
        pub(super) path: String,
        #[prost(string, tag = "5")]
        pub(super) host: String,
        #[prost(string, tag = "6")]
        pub(super) scheme: String,
        #[prost(message, optional, tag = "13")]
        pub(super) header_map: Option<RawHeaders>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct RawHeaders {
        #[prost(message, repeated, tag = "1")]
        pub(super) headers: Vec<HeaderEntry>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct HeaderEntry {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) key: Vec<u8>,
        #[prost(string, tag = "2")]
        pub(super) value: String,
        #[prost(bytes = "vec", tag = "3")]
        pub(super) raw_value: Vec<u8>,
    }
}

impl<'m> From<&'m declared::CheckRequest> for CheckRequest<'m> {
    fn from(decoded: &'m declared::CheckRequest) -> Self {
        let attributes = decoded.attributes.as_ref().map(|attributes| {
            let peer = attributes.source.as_ref();
            let address = peer.and_then(|peer| peer.address.as_ref()?.socket_address.as_ref());
            let request = attributes.request.as_ref();
            AttributeContext {
                source: address.map_or("", |socket| &*socket.address),
                http: request.and_then(|request| Some(request.http.as_ref()?.into())),
            }
        });
        Self { attributes }
    }
}

impl<'m> From<&'m declared::HttpRequest> for HttpRequest<'m> {
    fn from(decoded: &'m declared::HttpRequest) -> Self {
        let raw = |field: &'m declared::HeaderEntry| HeaderEntry {
            key: &field.key,
            value: &field.value,
            raw_value: &field.raw_value,
        };
        let headers = decoded.headers.iter();
        let header_map = decoded.header_map.as_ref();
        Self {
            method: &decoded.method,
            headers: headers.map(|(name, value)| (&**name, &**value)).collect(),
            path: &decoded.path,
            host: &decoded.host,
            scheme: &decoded.scheme,
            header_map: header_map.map(|map| map.headers.iter().map(raw).collect()),
        }
    }
}

/// Compares; says whether the bytes are a message.
fn is_message(bytes: &[u8]) -> bool {
    let decoded = declared::CheckRequest::decode(bytes);
    let read = CheckRequest::read(bytes);
    match (&decoded, &read) {
        (Ok(decoded), Ok(read)) => assert!(*read == decoded.into(), "{bytes:?}: {decoded:?}"),
        (Err(_), Err(GrpcError::Malformed)) => {}
        _ => panic!("{bytes:?}: {decoded:?}, here {:?}", read.err()),
    }
    decoded.is_ok()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn key(number: u32, kind: u8) -> Vec<u8> {
    varint(u64::from(number) << 3 | u64::from(kind))
}

fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let length = varint(content.len() as u64);
    [key(number, 2), length, content.to_vec()].concat()
}

fn group(number: u32, content: &[u8]) -> Vec<u8> {
    [key(number, 3), content.to_vec(), key(number, 4)].concat()
}

/// A request of these fields.
fn http(fields: &[Vec<u8>]) -> Vec<u8> {
    delimited(1, &delimited(4, &delimited(2, &fields.concat())))
}

type Bytes = BoxedStrategy<Vec<u8>>;

fn text() -> Bytes {
    let texts = "[a-c:é]{0,3}".prop_map(String::into_bytes);
    prop_oneof![30 => texts, 1 => vec(any::<u8>(), 0..3)].boxed()
}

/// Fields that nobody has declared, well written for the most part.
fn other_field() -> Bytes {
    let number = prop_oneof![8 => 14u32..20, 1 => 1u32..15, 1 => Just((1 << 29) - 1)];
    let content = vec(any::<u8>(), 0..9);
    let field = (number, 0u8..6, content).prop_map(|(number, kind, content)| match kind {
        0 => [key(number, kind), varint(content.len() as u64 * 99)].concat(),
        1 => [&key(number, kind)[..], &[7; 8]].concat(),
        2 => delimited(number, &content),
        3 => group(number, &delimited(number, &content)),
        5 => [&key(number, kind)[..], &[7; 4]].concat(),
        _ => [key(number, kind), content].concat(),
    });
    field.boxed()
}

/// A message of such fields: their numbers, and what they hold.
fn message<const N: usize>(known: [(u32, Bytes); N]) -> Bytes {
    let known = known.map(|(number, content)| {
        let field = content.prop_map(move |content| delimited(number, &content));
        (8, field.boxed())
    });
    let fields = known.into_iter().chain([(1, other_field())]);
    let field = Union::new_weighted(fields.collect());
    vec(field, 0..7).prop_map(|fields| fields.concat()).boxed()
}

fn check_request() -> Bytes {
    let socket = message([(2, text())]);
    let source = message([(1, message([(1, socket)]))]);
    let header = message([(1, text()), (2, text()), (3, text())]);
    let http = message([
        (2, text()),
        (3, message([(1, text()), (2, text())])),
        (4, text()),
        (5, text()),
        (6, text()),
        (13, message([(1, header)])),
    ]);
    let request = message([(2, http)]);
    message([(1, message([(1, source), (4, request)]))])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_message_is_read_as_declared(bytes in check_request()) {
        is_message(&bytes);
    }

    #[test]
    fn a_damaged_message_is_read_as_declared(
        mut bytes in check_request(), at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
        }
        is_message(&bytes);
    }

    #[test]
    fn any_bytes_are_read_as_declared(bytes in vec(any::<u8>(), 0..24)) {
        is_message(&bytes);
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_read_as_declared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds/checks");
    let seeds = fs::read_dir(folder).unwrap();
    let seeds = seeds.map(|seed| fs::read(seed.unwrap().path()).unwrap());
    let seeds: Vec<Vec<u8>> = seeds.filter(|seed| !seed.is_empty()).collect();
    assert!(seeds.iter().any(|seed| is_message(seed)));
    for whole in &seeds {
        for length in 0..whole.len() {
            is_message(&whole[..length]);
        }
    }
}

#[test]
fn groups_end_where_they_began_and_are_not_too_deep() {
    let nested = |depth: u8| (0..depth).fold(Vec::new(), |content, _| group(7, &content));
    assert!(is_message(&nested(DEPTH)) && !is_message(&nested(DEPTH + 1)));
    let within = DEPTH - 3;
    assert!(is_message(&http(&[nested(within)])));
    assert!(!is_message(&http(&[nested(within + 1)])));
    // one that another ends, one without an end, an end alone, kinds and numbers that there are not
    for bytes in [
        &[0x3b, 0x44][..],
        &[0x3b],
        &[0x3c],
        &[0x3b, 0x0f, 0x3c],
        &[0x3b, 0x04, 0x3c],
        &[0x3e, 0],
        &[0, 0],
    ] {
        assert!(!is_message(bytes), "{bytes:?}");
    }
}

#[test]
fn numbers_are_as_long_as_they_may_be() {
    let number = |bytes: &[u8]| is_message(&[&key(2, 0)[..], bytes].concat());
    let nine = [0xff; 9];
    assert!(number(&[&nine[..], &[1]].concat()) && number(&[0x80, 0]));
    assert!(!number(&[&nine[..], &[2]].concat()) && !number(&[&nine[..], &[0x81, 0]].concat()));
    // the key of a field has 32 bits
    assert!(is_message(&[0xf8, 0xff, 0xff, 0xff, 0x0f, 0]));
    assert!(!is_message(&[0x90, 0x80, 0x80, 0x80, 0x10, 0]));
}

#[test]
fn of_what_comes_twice_the_last_counts_and_messages_are_merged() {
    let raw = |name: &str| delimited(13, &delimited(1, &delimited(1, name.as_bytes())));
    let entry = |name: &str, value: &str| {
        let parts = [
            delimited(1, name.as_bytes()),
            delimited(2, value.as_bytes()),
        ];
        delimited(3, &parts.concat())
    };
    let (get, put, path) = (
        delimited(2, b"GET"),
        delimited(2, b"PUT"),
        delimited(4, b"/"),
    );
    let bytes = [
        http(&[get, put, raw("a"), entry("x", "1")]),
        http(&[path, raw("b"), entry("x", "2"), entry("", "3")]),
    ];
    let bytes = bytes.concat();
    assert!(is_message(&bytes));
    let attributes = CheckRequest::read(&bytes).unwrap().attributes;
    let http = attributes.unwrap().http.unwrap();
    assert_eq!((http.method, http.path), ("PUT", "/"));
    let headers = http.header_map.unwrap();
    let names: Vec<&[u8]> = headers.iter().map(|field| field.key).collect();
    assert_eq!(names, [b"a", b"b"]);
    assert_eq!(http.headers, BTreeMap::from([("", "3"), ("x", "2")]));
}
