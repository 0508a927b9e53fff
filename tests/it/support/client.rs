//! A client that sends exactly the bytes it is given.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header, by its lower-case name; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .unwrap_or_default()
    }

    /// All values of a header, by its lower-case name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// One connection, for several requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The same over a stream that is open already.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Writes for as long as the other end takes it, `times` at the most.
    pub fn write_while_taken(&mut self, bytes: impl AsRef<[u8]>, times: usize) -> &mut Self {
        let mut taken = 0;
        while taken < times && self.stream.get_mut().write_all(bytes.as_ref()).is_ok() {
            taken += 1;
        }
        self
    }

    /// The same connection, to write on from another thread.
    pub fn split(&self) -> Self {
        Self {
            stream: BufReader::new(self.stream.get_ref().try_clone().unwrap()),
        }
    }

    /// Says that nothing more will be written; who was cut off meanwhile has no one to say it to.
    pub fn finish(&mut self) -> &mut Self {
        if let Err(error) = self.stream.get_mut().shutdown(Shutdown::Write) {
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
        self
    }

    /// Reads one answer to a request other than HEAD.
    pub fn read(&mut self) -> Answer {
        self.try_read()
            .expect("the connection ended before the answer")
    }

    /// Reads one answer; `None` where the connection has ended before it.
    pub fn try_read(&mut self) -> Option<Answer> {
        let head = self.read_head()?;
        let mut answer = Answer {
            status: status_of(&head),
            head,
            body: String::new(),
        };
        answer.body = self.read_body(&answer);
        Some(answer)
    }

    /// Reads the head of an answer only.
    pub fn read_head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            match self.stream.read_line(&mut head) {
                Ok(0) | Err(_) => return None,
                Ok(_) if head.ends_with("\r\n\r\n") => return Some(head),
                Ok(_) => {}
            }
        }
    }

    /// Reads exactly so many bytes.
    pub fn read_exact(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The same of what is no text.
    pub fn read_bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Everything until the connection ends.
    pub fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        // a reset is an end too, and a connection on which nothing comes any more is none
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            let timed_out = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!timed_out, "the connection does not end");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn read_body(&mut self, answer: &Answer) -> String {
        if matches!(answer.status, 100..=199 | 204 | 304) {
            return String::new();
        }
        if answer.header("transfer-encoding") == "chunked" {
            return self.read_chunks();
        }
        match answer.header("content-length") {
            "" => self.read_to_end(),
            length => self.read_exact(length.parse().unwrap()),
        }
    }

    /// Reads the chunks of a body to the last one.
    pub fn read_chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let chunk = self.read_chunk();
            if chunk.is_empty() {
                return body;
            }
            body += &chunk;
        }
    }

    /// Reads one chunk; empty at the last one.
    pub fn read_chunk(&mut self) -> String {
        let mut size = String::new();
        self.stream.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let chunk = self.read_exact(size);
        self.read_exact(2);
        chunk
    }
}

fn status_of(head: &str) -> u16 {
    head.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status in {head:?}"))
}

/// Sends one raw request over a connection of its own.
pub fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    Connection::open(address).write(request).read()
}

/// `GET` with further header lines, each ending in `\r\n`.
pub fn get(address: SocketAddr, path: &str, fields: &str) -> Answer {
    send(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\n{fields}\r\n"),
    )
}
