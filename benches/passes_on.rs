//! The limit of what is built on hyper: a proxy that only passes on, without log, checks, limits or a field of its own.
//!
//! Not a benchmark by itself: `scripts/bench/run.py` starts it as one of the peers, where `cargo bench --bench passes_on
//! --no-run` has built it. `passes_on LISTEN UPSTREAM` takes two IPv4 addresses.

use std::cell::RefCell;
use std::env::args;
use std::net::SocketAddr;
use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{LocalSet, spawn_local};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Sender = client::SendRequest<Incoming>;

/// Connections to the service on which nothing is under way, or whose answer is still being read.
struct Upstream {
    address: SocketAddr,
    pool: RefCell<Vec<Sender>>,
}

impl Upstream {
    async fn send(&self, request: Request<Incoming>) -> Result<Response<Incoming>, hyper::Error> {
        let mut sender = self.sender().await?;
        let response = sender.send_request(request).await;
        self.pool.borrow_mut().push(sender);
        response
    }

    async fn sender(&self) -> Result<Sender, hyper::Error> {
        let free = {
            let mut pool = self.pool.borrow_mut();
            pool.retain(|sender| !sender.is_closed());
            let at = pool.iter().rposition(Sender::is_ready);
            at.map(|at| pool.swap_remove(at))
        };
        if let Some(sender) = free {
            return Ok(sender);
        }
        let stream = TcpSocket::new_v4().expect("a socket");
        let stream = stream.connect(self.address).await;
        let stream = stream.expect("the service listens");
        stream.set_nodelay(true).expect("a connected socket");
        let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}

async fn serve(listen: SocketAddr, address: SocketAddr) {
    let listener = TcpListener::bind(listen).await.expect("a free address");
    let upstream = Rc::new(Upstream {
        address,
        pool: RefCell::default(),
    });
    loop {
        let (stream, _) = listener.accept().await.expect("a listening socket");
        stream.set_nodelay(true).expect("a connected socket");
        let upstream = Rc::clone(&upstream);
        spawn_local(async move {
            let pass_on = service_fn(|request| upstream.send(request));
            // a client that goes away in the middle is no fault
            let _ = server::Builder::new()
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(stream), pass_on)
                .await;
        });
    }
}

fn main() {
    let addresses: Vec<SocketAddr> = args().filter_map(|word| word.parse().ok()).collect();
    let [listen, address] = addresses[..] else {
        // `cargo bench` runs it with none
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, serve(listen, address));
}
