//! A service that does what it likes with its socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running service; the closure gets every connection, with its number from 0.
pub struct RawUpstream {
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

/// One connection of such a service.
pub struct Wire {
    stream: BufReader<TcpStream>,
}

impl RawUpstream {
    pub fn new(serve: impl Fn(Wire, usize) + Send + Sync + 'static) -> Self {
        Self::streams(move |stream, number| serve(Wire::new(stream), number))
    }

    /// The closure gets the bare sockets.
    pub fn streams(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted: Arc<AtomicUsize> = Arc::default();
        let (count, serve) = (Arc::clone(&accepted), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (connection, serve) =
                    (count.fetch_add(1, Ordering::SeqCst), Arc::clone(&serve));
                std::thread::spawn(move || serve(stream.unwrap(), connection));
            }
        });
        Self { address, accepted }
    }

    /// How many connections were made so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Wire {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Reads a request's head; `None` where the connection has ended.
    pub fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    /// Reads so many bytes; `None` where the connection has ended.
    pub fn exact(&mut self, length: usize) -> Option<String> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(String::from_utf8(bytes).unwrap())
    }

    /// Reads a chunk; `None` at the last one.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut size = String::new();
        self.stream.read_line(&mut size).ok()?;
        let mut bytes = vec![0; usize::from_str_radix(size.trim(), 16).ok()?];
        self.stream.read_exact(&mut bytes).ok()?;
        self.exact(2)?;
        Some(bytes).filter(|bytes| !bytes.is_empty())
    }

    /// Throws away everything until the connection ends, and says how much it was.
    pub fn drain(&mut self) -> u64 {
        let mut all = 0;
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = self.stream.read(&mut piece) {
            all += length as u64;
        }
        all
    }

    /// Writes bytes; whether the connection takes them.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }
}
