//! A GET or a POST over a connection of its own, bounded in time and size, without following redirects.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::dial::Dialer;
use super::error::DialError;
use super::stream::DialedStream;
use super::tls::{Alpn, TlsSettings};
use super::url::HttpUrl;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The content type of a POST, and its body.
type PostBody = (&'static str, String);

/// What [`get`] and [`post`] request, and their limits.
#[derive(Clone, Copy)]
pub struct BoundedRequest<'a> {
    /// The resource.
    pub url: &'a HttpUrl,
    /// The value of `Accept`.
    pub accept: &'static str,
    /// The credential, where the server asks for one.
    pub authorization: Option<&'a HeaderValue>,
    /// How an `https` server is verified; `None`: by the roots of the system.
    pub tls: Option<&'a TlsSettings>,
    /// The most bytes of a body.
    pub largest: usize,
    /// From the name to the last byte.
    pub deadline: Duration,
}

/// Why there is no response.
#[derive(Debug)]
pub enum BoundedRequestError {
    /// No response within the deadline.
    TimedOut(Duration),
    /// No connection.
    Dial(DialError),
    /// The response is not HTTP/1.1.
    Http(hyper::Error),
    /// The body broke off, or is larger than this.
    Body(usize),
}

/// Sends a GET and returns the response, whatever its status is. Redirects are not followed: what they lead to could be
/// inside of the network, and a credential in the URL would go along. Of a response without success the body is empty
/// where it cannot be read.
///
/// # Errors
/// [`BoundedRequestError`] where there is no complete response.
pub async fn get(request: BoundedRequest<'_>) -> Result<Response<Bytes>, BoundedRequestError> {
    within(request, None).await
}

/// The same with POST and a form (`application/x-www-form-urlencoded`).
///
/// # Errors
/// As [`get`].
pub async fn post(
    request: BoundedRequest<'_>,
    form: String,
) -> Result<Response<Bytes>, BoundedRequestError> {
    within(request, Some((FORM, form))).await
}

/// The same with POST and a JSON text.
///
/// # Errors
/// As [`get`].
pub async fn post_json(
    request: BoundedRequest<'_>,
    text: String,
) -> Result<Response<Bytes>, BoundedRequestError> {
    within(request, Some((JSON, text))).await
}

async fn within(
    request: BoundedRequest<'_>,
    body: Option<PostBody>,
) -> Result<Response<Bytes>, BoundedRequestError> {
    timeout(request.deadline, send(request, body))
        .await
        .unwrap_or(Err(BoundedRequestError::TimedOut(request.deadline)))
}

async fn send(
    request: BoundedRequest<'_>,
    body: Option<PostBody>,
) -> Result<Response<Bytes>, BoundedRequestError> {
    let url = request.url;
    let system;
    let tls = match (url.is_secure(), request.tls) {
        (false, _) => None,
        (true, Some(tls)) => Some(tls),
        (true, None) => {
            system = TlsSettings::system();
            Some(&system)
        }
    };
    let tls = tls.map(|tls| (tls, Alpn::None));
    let stream = Dialer::default()
        .connect(url.server(), tls, request.deadline)
        .await
        .map_err(BoundedRequestError::Dial)?;
    exchange(stream, head(request, body), request.largest).await
}

/// The request of these parts; with a body it is a POST.
fn head(request: BoundedRequest<'_>, body: Option<PostBody>) -> Request<Full<Bytes>> {
    let method = if body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut head = Request::builder()
        .method(method)
        .uri(request.url.target())
        .header(HOST, request.url.authority())
        .header(ACCEPT, request.accept)
        .header(USER_AGENT, concat!("gatelatch/", env!("CARGO_PKG_VERSION")));
    if let Some(credential) = request.authorization {
        head = head.header(AUTHORIZATION, credential);
    }
    if let Some((content_type, _)) = body {
        head = head.header(CONTENT_TYPE, content_type);
    }
    let body = body.map(|(_, body)| body);
    head.body(Full::from(body.unwrap_or_default()))
        .expect("the parts of a parsed URL are valid")
}

async fn exchange(
    stream: DialedStream,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<Response<Bytes>, BoundedRequestError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(BoundedRequestError::Http)?;
    let answer = async {
        let sent = sender.send_request(request).await;
        collect(sent.map_err(BoundedRequestError::Http)?, largest).await
    };
    tokio::pin!(answer);
    // the connection moves only while somebody polls it
    tokio::select! {
        answered = &mut answer => answered,
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(BoundedRequestError::Http(error)),
        },
    }
}

async fn collect(
    response: Response<Incoming>,
    largest: usize,
) -> Result<Response<Bytes>, BoundedRequestError> {
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, largest).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) if !head.status.is_success() => Bytes::new(),
        Err(_) => return Err(BoundedRequestError::Body(largest)),
    };
    Ok(Response::from_parts(head, body))
}

impl fmt::Display for BoundedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::Dial(error) => error.fmt(f),
            Self::Http(error) => write!(f, "no HTTP answer: {error}"),
            Self::Body(largest) => write!(
                f,
                "the answer broke off, or has more than {} KiB",
                largest / 1024
            ),
        }
    }
}

impl Error for BoundedRequestError {}

#[cfg(test)]
mod tests;
