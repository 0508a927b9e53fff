//! A client of HTTP/2 that sends exactly the frames it is given.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const ENHANCE_YOUR_CALM: u32 = 11;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;

/// One frame as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// Whether it is the head of a 200.
    pub fn is_ok(&self) -> bool {
        self.kind == HEADERS && self.payload[0] == 0x88
    }

    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field as a literal that no table keeps.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    [vec![0], string(name), string(value)].concat()
}

/// A string of HPACK, its length in seven bits or more (RFC 7541, section 5.1).
fn string(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len().min(127)).unwrap()];
    if let Some(mut rest) = text.len().checked_sub(127) {
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// A field whose value may be longer (RFC 7541, section 5.1).
pub fn long_field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = field(name, "");
    bytes.pop();
    let mut rest = value.len().checked_sub(127).unwrap();
    bytes.push(127);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    [&bytes, value.as_bytes()].concat()
}

/// The header block of `GET path` for the host `a`.
pub fn get_block(path: &str) -> Vec<u8> {
    [
        &[0x82, 0x86][..],
        &field(":path", path),
        &field(":authority", "a"),
    ]
    .concat()
}

/// The window of a stream or, with 0, of the connection is larger by this much.
pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// One connection.
pub struct FrameConnection {
    stream: TcpStream,
}

impl FrameConnection {
    /// Connects without a word.
    pub fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Connects, and says what every client says first.
    pub fn open(address: SocketAddr) -> Self {
        let mut connection = Self::silent(address);
        connection.write(PREFACE).write(frame(SETTINGS, 0, 0, &[]));
        connection
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Whether the other end takes it.
    pub fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// `GET path` on a stream of its own.
    pub fn get(&mut self, stream: u32, path: &str) -> &mut Self {
        self.write(frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &get_block(path),
        ))
    }

    /// The next frame; `None` where the connection has ended.
    pub fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    /// The next frame for which this holds. Settings and pings on the way are acknowledged.
    pub fn until(&mut self, mut is_it: impl FnMut(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.read().expect("the connection ended before the frame");
            if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
                let payload = if frame.kind == PING {
                    &frame.payload[..]
                } else {
                    &[]
                };
                let acknowledgement = self::frame(frame.kind, ACK, 0, payload);
                self.try_write(acknowledgement);
            }
            if is_it(&frame) {
                return frame;
            }
        }
    }

    /// Everything until the connection ends.
    pub fn read_to_end(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.read()).collect()
    }

    /// A second handle, for another thread.
    pub fn second(&self) -> Self {
        Self {
            stream: self.stream.try_clone().unwrap(),
        }
    }
}
