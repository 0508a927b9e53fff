//! Where in its chunks the body of an answer is (RFC 9112, section 7.1).

use memchr::memmem;

/// What an answer begins with that is not an interim one: a 1 does not follow.
const BEGIN: &[u8] = b"HTTP/1.1 ";

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The most digits of a size.
const DIGITS: u8 = 8;

/// How far the bytes are that were read. hyper reads the body, and does not say where it is; so they are followed here, for as
/// long as they have the one form that nobody reads in two ways: lines end with CR LF, and a size is all of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkPosition {
    /// Not followed: no chunks, in another form, or over.
    Unknown,
    /// Behind so many digits of a size.
    Size { size: u64, digits: u8 },
    /// Behind the CR of a line with this size.
    SizeEnd(u64),
    /// So many bytes of the chunk are to come.
    Data(u64),
    /// Behind the last of them.
    DataEnd,
    /// Behind the CR that follows it.
    ChunkEnd,
}

impl ChunkPosition {
    /// Before the size of a chunk.
    const BETWEEN: Self = Self::Size { size: 0, digits: 0 };

    /// Behind what was read first of an answer. Whether it is chunked is not looked at.
    pub(super) fn of_answer(bytes: &[u8]) -> Self {
        let is_final = bytes.starts_with(BEGIN) && bytes.get(BEGIN.len()) != Some(&b'1');
        // nearly every answer of a known length has another end, and is not looked through
        if !is_final || !bytes.ends_with(b"\r\n") {
            return Self::Unknown;
        }
        let Some(end) = memmem::find(bytes, END_OF_HEAD) else {
            return Self::Unknown;
        };
        let (head, body) = bytes.split_at(end + END_OF_HEAD.len());
        let mut lines = head.split_inclusive(|byte| *byte == b'\n');
        if lines.all(|line| line.ends_with(b"\r\n")) {
            Self::BETWEEN.after(body)
        } else {
            Self::Unknown
        }
    }

    /// Behind what was read next.
    #[must_use]
    pub(super) fn after(mut self, mut bytes: &[u8]) -> Self {
        while let [first, rest @ ..] = bytes {
            self = match self {
                Self::Unknown => return self,
                Self::Data(left) => {
                    let passed =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    bytes = &bytes[passed..];
                    self = match left - passed as u64 {
                        0 => Self::DataEnd,
                        left => Self::Data(left),
                    };
                    continue;
                }
                Self::Size { size, digits } => Self::in_size(size, digits, *first),
                Self::SizeEnd(size @ 1..) if *first == b'\n' => Self::Data(size),
                Self::DataEnd if *first == b'\r' => Self::ChunkEnd,
                Self::ChunkEnd if *first == b'\n' => Self::BETWEEN,
                Self::SizeEnd(_) | Self::DataEnd | Self::ChunkEnd => Self::Unknown,
            };
            bytes = rest;
        }
        self
    }

    fn in_size(size: u64, digits: u8, byte: u8) -> Self {
        match char::from(byte).to_digit(16) {
            Some(digit) if digits < DIGITS => Self::Size {
                size: size * 16 + u64::from(digit),
                digits: digits + 1,
            },
            None if byte == b'\r' && digits > 0 => Self::SizeEnd(size),
            Some(_) | None => Self::Unknown,
        }
    }

    /// Whether the next byte is the first of a size.
    pub(super) fn is_between(self) -> bool {
        self == Self::BETWEEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn is_between(answer: &str) -> bool {
        ChunkPosition::of_answer(answer.as_bytes()).is_between()
    }

    #[test]
    fn it_is_known_behind_the_head_and_behind_each_chunk() {
        for body in [
            "",
            "5\r\nhello\r\n",
            "2\r\n\r\n\r\n1\r\na\r\n",
            "00A\r\n0123456789\r\n",
        ] {
            assert!(is_between(&format!("{HEAD}{body}")), "{body:?}");
        }
    }

    #[test]
    fn it_is_not_known_anywhere_else() {
        for body in [
            "5",
            "5\r",
            "5\r\n",
            "5\r\nhell",
            "5\r\nhello",
            "5\r\nhello\r",
            "5\r\nhello\n",
            "5\r\nhelloo\r\n",
            "\r\n",
            "5;a=b\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\nhello\r\n",
            "x\r\n",
            "123456789\r\n",
            "0\r\n\r\n",
            "0\r\nA: b\r\n\r\n",
        ] {
            assert!(!is_between(&format!("{HEAD}{body}")), "{body:?}");
        }
    }

    #[test]
    fn a_head_that_may_be_read_in_another_way_is_followed_by_nothing() {
        for answer in [
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\n\n1\r\n\r\n\r\n1\r\n1\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "",
        ] {
            assert!(!is_between(answer), "{answer:?}");
        }
    }

    #[test]
    fn it_does_not_depend_on_how_the_body_is_cut() {
        let body = b"3\r\n\r\na\r\nb\r\n0123456789a\r\n";
        let whole = ChunkPosition::BETWEEN.after(body);
        assert!(whole.is_between());
        for cut in 0..=body.len() {
            let (first, second) = body.split_at(cut);
            assert_eq!(
                ChunkPosition::BETWEEN.after(first).after(second),
                whole,
                "{cut}"
            );
        }
    }
}
