//! An unmodified service: a closure over raw requests.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as the service got it.
#[derive(Debug, Clone)]
pub struct Received {
    /// Request line and fields, byte for byte.
    pub head: String,
    /// The body, chunks joined.
    pub body: String,
    /// Which connection it came over, from 0.
    pub connection: usize,
}

impl Received {
    /// The first line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// All values of a field, by its lower-case name.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }
}

/// A running service. It ends with the process.
pub struct Upstream {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Upstream {
    /// Answers every request with what the closure writes; a closure that writes nothing closes the connection.
    pub fn new(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with_stream(move |request, stream| {
            let bytes = answer(request);
            stream.write_all(&bytes).is_ok() && !bytes.is_empty()
        })
    }

    /// Answers `200` with a body.
    pub fn saying(body: &'static str) -> Self {
        Self::new(move |_| ok(body))
    }

    /// The closure gets the socket after each request, and says whether the connection goes on.
    pub fn with_stream(
        serve: impl Fn(&Received, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (log, serve) = (Arc::clone(&received), Arc::new(serve));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (log, serve) = (Arc::clone(&log), Arc::clone(&serve));
                std::thread::spawn(move || converse(stream.unwrap(), connection, &log, &*serve));
            }
        });
        Self { address, received }
    }

    /// Everything received so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request received.
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received[0].clone()
    }
}

/// `200` with a length.
pub fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn converse(
    stream: TcpStream,
    connection: usize,
    log: &Mutex<Vec<Received>>,
    serve: &dyn Fn(&Received, &mut TcpStream) -> bool,
) {
    stream.set_nodelay(true).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream);
    while let Some(mut request) = read_head(&mut lines) {
        request.connection = connection;
        let Some(body) = read_body(&mut lines, &request) else {
            return;
        };
        request.body = body;
        log.lock().unwrap().push(request.clone());
        if !serve(&request, &mut out) {
            return;
        }
    }
}

fn read_head(lines: &mut impl BufRead) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(Received {
        head,
        body: String::new(),
        connection: 0,
    })
}

fn read_body(lines: &mut impl BufRead, request: &Received) -> Option<String> {
    let length = |text: &str| text.parse().ok();
    if request.fields("transfer-encoding") == ["chunked"] {
        return read_chunks(lines);
    }
    match request
        .fields("content-length")
        .first()
        .and_then(|text| length(text))
    {
        None => Some(String::new()),
        Some(length) => read_exact(lines, length),
    }
}

fn read_chunks(lines: &mut impl BufRead) -> Option<String> {
    let mut body = String::new();
    loop {
        let mut size = String::new();
        lines.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let chunk = read_exact(lines, size)?;
        read_exact(lines, 2)?;
        if size == 0 {
            return Some(body);
        }
        body += &chunk;
    }
}

fn read_exact(lines: &mut impl BufRead, length: usize) -> Option<String> {
    let mut bytes = vec![0; length];
    lines.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
