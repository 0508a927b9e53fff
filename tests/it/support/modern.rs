//! A service over HTTP/2 or TLS, made of an asynchronous closure.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

/// A request as the service got it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub version: Version,
    pub method: Method,
    pub uri: Uri,
    pub fields: HeaderMap,
    pub body: Bytes,
    /// Which connection it came over, from 0.
    pub connection: usize,
}

/// What the service answers with: whole, or in pieces that a test sends.
pub enum TestBody {
    Whole(Option<Bytes>),
    Pieces(mpsc::UnboundedReceiver<Bytes>),
}

/// What the service speaks.
#[derive(Clone)]
pub enum Tongue {
    /// HTTP/2 in the clear, with so many streams at a time.
    H2c { streams: u32 },
    /// TLS, and what ALPN agrees on.
    Tls(Arc<ServerConfig>),
}

pub type Answering = Pin<Box<dyn Future<Output = Response<TestBody>> + Send>>;
type Serve = dyn Fn(Seen) -> Answering + Send + Sync;

/// A running service. It ends with the process.
pub struct Modern {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    serve: Box<Serve>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    /// How often all connections were told to go away.
    goaways: watch::Sender<usize>,
}

impl Modern {
    pub fn new<F>(tongue: Tongue, serve: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<TestBody>> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            serve: Box::new(move |seen| Box::pin(serve(seen))),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            goaways: watch::Sender::new(0),
        });
        let served = accept(listener, tongue, Arc::clone(&shared));
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(served);
        });
        Self { address, shared }
    }

    /// Answers `200` with the path.
    pub fn echo(tongue: Tongue) -> Self {
        Self::new(
            tongue,
            |seen| async move { said(seen.uri.path().to_owned()) },
        )
    }

    /// Everything received so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Tells every connection to go away, once it has answered what it was asked.
    pub fn go_away(&self) {
        self.shared.goaways.send_modify(|times| *times += 1);
    }
}

/// `200` with a body.
pub fn said(body: impl Into<Bytes>) -> Response<TestBody> {
    Response::new(TestBody::Whole(Some(body.into())))
}

/// `200` with a body of which the pieces are sent later. The sender notices when nobody wants them any more.
pub fn in_pieces() -> (mpsc::UnboundedSender<Bytes>, Response<TestBody>) {
    let (sender, pieces) = mpsc::unbounded_channel();
    (sender, Response::new(TestBody::Pieces(pieces)))
}

async fn accept(listener: std::net::TcpListener, tongue: Tongue, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let (tongue, shared) = (tongue.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            match tongue {
                Tongue::H2c { streams } => http2(stream, number, streams, shared).await,
                Tongue::Tls(config) => {
                    let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else {
                        return;
                    };
                    match stream.get_ref().1.alpn_protocol() {
                        Some(b"h2") => http2(stream, number, 100, shared).await,
                        _ => http1(stream, number, shared).await,
                    }
                }
            }
        });
    }
}

async fn http2(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    number: usize,
    streams: u32,
    shared: Arc<Shared>,
) {
    let mut goaways = shared.goaways.subscribe();
    let service = service_fn(move |request| answer(request, number, Arc::clone(&shared)));
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let connection = builder
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = goaways.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn http1(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    number: usize,
    shared: Arc<Shared>,
) {
    let service = service_fn(move |request| answer(request, number, Arc::clone(&shared)));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(io), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    connection: usize,
    shared: Arc<Shared>,
) -> Result<Response<TestBody>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let (version, method, uri, fields) = (head.version, head.method, head.uri, head.headers);
    let seen = Seen {
        version,
        method,
        uri,
        fields,
        body,
        connection,
    };
    shared.seen.lock().unwrap().push(seen.clone());
    Ok((shared.serve)(seen).await)
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => pieces
                .poll_recv(cx)
                .map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
        }
    }
}
