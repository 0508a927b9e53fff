//! Envoy's gRPC calls, without Envoy: whole messages, and whatever Envoy does not send.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;

use super::gateway::Gateway;

pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// `HeaderAppendAction`.
pub const APPEND: i32 = 0;
pub const ADD_IF_ABSENT: i32 = 1;
pub const OVERWRITE: i32 = 2;

/// A request that Envoy asks about.
#[derive(Clone)]
pub struct Check {
    pub method: String,
    pub scheme: String,
    pub host: String,
    pub path: String,
    pub source: Option<String>,
    pub fields: Vec<(String, Vec<u8>)>,
    /// Whether `encode_raw_headers` is on.
    pub raw: bool,
}

/// What came of a call.
#[derive(Debug)]
pub struct Called {
    pub version: Version,
    pub status: u16,
    pub headers: HeaderMap,
    /// Behind the message.
    pub trailers: Option<HeaderMap>,
    pub body: Bytes,
}

/// A field that the answer adds, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub name: String,
    pub value: String,
    pub action: i32,
}

/// The decision.
#[derive(Debug)]
pub struct Verdict {
    /// `google.rpc.Code`.
    pub code: i32,
    /// What the client gets; `None`: the request passes.
    pub denied: Option<i32>,
    /// The fields of the denial, or those that the service gets.
    pub set: Vec<Added>,
    pub removed: Vec<String>,
    pub to_client: Vec<Added>,
    pub body: String,
}

impl Check {
    pub fn new(method: &str, url: &str, fields: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let fields = fields.split_terminator("\r\n").map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().as_bytes().to_vec())
        });
        Self {
            method: method.to_owned(),
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            source: Some("192.0.2.7".to_owned()),
            fields: fields.collect(),
            raw: true,
        }
    }

    /// As it comes without `encode_raw_headers`.
    pub fn merged(&self) -> Self {
        Self {
            raw: false,
            ..self.clone()
        }
    }

    pub fn from(self, source: Option<&str>) -> Self {
        Self {
            source: source.map(str::to_owned),
            ..self
        }
    }

    /// The message, as Envoy writes it: with the pseudo-fields among the fields.
    pub fn message(&self) -> Vec<u8> {
        let pseudo = [
            (":method", &self.method),
            (":scheme", &self.scheme),
            (":authority", &self.host),
            (":path", &self.path),
        ];
        let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let all: Vec<_> = pseudo.into_iter().chain(self.fields.clone()).collect();
        let mut http = Http {
            method: self.method.clone(),
            path: self.path.clone(),
            host: self.host.clone(),
            scheme: self.scheme.clone(),
            ..Http::default()
        };
        if self.raw {
            let headers = all.into_iter().map(|(key, raw_value)| Header {
                key,
                raw_value,
                ..Header::default()
            });
            http.header_map = Some(Headers {
                headers: headers.collect(),
            });
        } else {
            for (name, value) in all {
                let value = String::from_utf8(value).unwrap();
                let merged = http.headers.entry(name);
                let joined = |before: &mut String| *before += &format!(",{value}");
                merged.and_modify(joined).or_insert(value.clone());
            }
        }
        let address = self.source.clone().map(|address| Address {
            socket: Some(Socket { address, port: 9 }),
        });
        let attributes = Attributes {
            source: Some(Peer { address }),
            request: Some(Described { http: Some(http) }),
            extensions: BTreeMap::from([("of".to_owned(), "the route".to_owned())]),
        };
        CheckRequest {
            attributes: Some(attributes),
        }
        .encode_to_vec()
    }

    pub fn ask(&self, gateway: &Gateway) -> Verdict {
        let body = framed(&self.message());
        Verdict::of(&call(gateway.address, CHECK, &[], body))
    }
}

impl Verdict {
    /// Of a call that has an answer.
    pub fn of(called: &Called) -> Self {
        assert_eq!(
            (called.status, called.grpc_status()),
            (200, 0),
            "{called:?}"
        );
        let (prefix, message) = called.body.split_at(5);
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        assert_eq!((prefix[0], &prefix[1..]), (0, &length[..]));
        let answer = CheckResponse::decode(message).unwrap();
        let added = |headers: Vec<HeaderOption>| -> Vec<Added> {
            let added = headers.into_iter().map(|option| {
                let header = option.header.unwrap();
                Added {
                    name: header.key,
                    value: header.value,
                    action: option.action,
                }
            });
            added.collect()
        };
        let code = answer.status.expect("without a status it allows").code;
        match (answer.denied, answer.ok) {
            (Some(denied), None) => Self {
                code,
                denied: Some(denied.status.unwrap().code),
                set: added(denied.headers),
                removed: Vec::new(),
                to_client: Vec::new(),
                body: denied.body,
            },
            (None, Some(ok)) => Self {
                code,
                denied: None,
                set: added(ok.headers),
                removed: ok.headers_to_remove,
                to_client: added(ok.response_headers_to_add),
                body: String::new(),
            },
            other => panic!("neither the one nor the other: {other:?}"),
        }
    }

    /// The status that a client of Envoy gets, where the service says 200.
    pub fn status(&self) -> i32 {
        self.denied.unwrap_or(200)
    }

    /// The values of what is set, joined.
    pub fn field(&self, name: &str) -> String {
        let values = self.set.iter().filter(|added| added.name == name);
        let values: Vec<_> = values.map(|added| added.value.as_str()).collect();
        values.join(" | ")
    }

    pub fn removes(&self, name: &str) -> bool {
        self.removed.iter().any(|removed| removed == name)
    }
}

impl Called {
    pub fn grpc_status(&self) -> u16 {
        let behind = self.trailers.as_ref();
        let found = behind.unwrap_or(&self.headers).get("grpc-status");
        found.unwrap().to_str().unwrap().parse().unwrap()
    }
}

/// A message with its prefix.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// A call over HTTP/2 in the clear.
pub fn call(address: SocketAddr, path: &str, fields: &[(&str, &str)], body: Vec<u8>) -> Called {
    let request = request(address, path, fields).body(whole(body.into()));
    exchange(address, request.unwrap())
}

/// A body that does not say beforehand how long it is.
fn whole(body: Bytes) -> impl Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {
    StreamBody::new(futures_util::stream::iter([Ok(Frame::data(body))]))
}

/// A call whose message never ends.
pub fn call_without_end(address: SocketAddr, fields: &[(&str, &str)]) -> Called {
    let request = request(address, CHECK, fields);
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
    exchange(address, request.body(StreamBody::new(never)).unwrap())
}

fn request(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> http::request::Builder {
    let request = Request::post(format!("http://{address}{path}"));
    let named = |name| fields.iter().any(|(field, _)| *field == name);
    let request = match named("content-type") {
        true => request,
        false => request.header("content-type", "application/grpc"),
    };
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    fields.fold(
        request.header("te", "trailers"),
        |request, (name, value)| request.header(*name, *value),
    )
}

fn exchange<B>(address: SocketAddr, request: Request<B>) -> Called
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let client =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = client.await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        Called {
            version: head.version,
            status: head.status.as_u16(),
            headers: head.headers,
            trailers: body.trailers().cloned(),
            body: body.to_bytes(),
        }
    };
    runtime.block_on(async {
        let called = tokio::time::timeout(Duration::from_secs(60), exchange).await;
        called.expect("the call has an answer")
    })
}

#[derive(Clone, PartialEq, Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<Described>,
    #[prost(btree_map = "string, string", tag = "10")]
    extensions: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
}

#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket: Option<Socket>,
}

#[derive(Clone, PartialEq, Message)]
struct Socket {
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(message, optional, tag = "2")]
    http: Option<Http>,
}

#[derive(Clone, PartialEq, Message)]
struct Http {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(btree_map = "string, string", tag = "3")]
    headers: BTreeMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(string, tag = "6")]
    scheme: String,
    #[prost(message, optional, tag = "13")]
    header_map: Option<Headers>,
}

#[derive(Clone, PartialEq, Message)]
struct Headers {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "vec", tag = "3")]
    raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    ok: Option<Passed>,
}

/// Of `google.rpc.Status` and of `HttpStatus`.
#[derive(Clone, PartialEq, Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, Message)]
struct Passed {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    response_headers_to_add: Vec<HeaderOption>,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(int32, tag = "3")]
    action: i32,
}
