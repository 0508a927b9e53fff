//! The request target of HTTP/1.1 as it arrives. hyper drops a fragment, and refuses other characters with an answer that
//! nobody records: here they are seen before, so that the request is refused like every other that is malformed.

use std::cell::Cell;

use memchr::{memchr, memchr2, memchr3};

use crate::wire::BadTarget;

/// Stands for a character that hyper would not take; such a request goes no further than its refusal.
const MASK: u8 = b'_';

/// Looks at the first line of each head.
#[derive(Debug, Default)]
pub(super) struct TargetScan {
    part: Cell<Part>,
    fault: Cell<Option<BadTarget>>,
}

/// What of a head comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Nothing that matters here.
    #[default]
    Rest,
    /// Line ends that are skipped (RFC 9112, section 2.2), or the method.
    Start,
    Method,
    Path,
    Query,
}

impl TargetScan {
    /// A head begins.
    pub(super) fn begin(&self) {
        self.part.set(Part::Start);
        self.fault.set(None);
    }

    /// Looks at the next bytes, and masks what hyper would refuse.
    pub(super) fn look(&self, bytes: &mut [u8]) {
        if self.part.get() == Part::Rest {
            return;
        }
        let line = memchr(b'\n', bytes).map_or(&*bytes, |end| &bytes[..end]);
        let is_plain = memchr3(b'#', b'<', b'>', line).is_none()
            && memchr2(b'"', b'`', line).is_none()
            && line.is_ascii();
        if is_plain && line.len() > 1 && line.len() < bytes.len() {
            self.part.set(Part::Rest);
        } else {
            self.look_closely(bytes);
        }
    }

    fn look_closely(&self, bytes: &mut [u8]) {
        let mut part = self.part.get();
        let (mut target, mut end) = (0, None);
        for (at, byte) in bytes.iter_mut().enumerate() {
            part = match (part, *byte) {
                (Part::Rest, _) => break,
                (Part::Start, b'\r' | b'\n') => Part::Start,
                (Part::Start | Part::Method, b' ') => {
                    target = at + 1;
                    Part::Path
                }
                (Part::Path | Part::Query, b' ' | b'\r') | (_, b'\n') => {
                    end = Some(at);
                    Part::Rest
                }
                (Part::Path, b'?') => Part::Query,
                (Part::Start | Part::Method, _) => Part::Method,
                (Part::Path | Part::Query, seen) => {
                    let fault = BadTarget::of_byte(seen, part == Part::Query);
                    if fault.is_some() {
                        self.fault.set(fault);
                    }
                    match fault {
                        None => part,
                        Some(BadTarget::Fragment) => Part::Rest,
                        Some(BadTarget::Character) => {
                            *byte = MASK;
                            part
                        }
                    }
                }
            };
        }
        self.part.set(part);
        // one that came in pieces is left to hyper
        if let Some(target) = end.and_then(|end| bytes.get_mut(target..end))
            && std::str::from_utf8(target).is_err()
        {
            let foreign = target.iter_mut().filter(|byte| !byte.is_ascii());
            foreign.for_each(|byte| *byte = MASK);
            self.fault.set(Some(BadTarget::Character));
        }
    }

    /// What is wrong with the target of the request that begins now.
    pub(super) fn take_fault(&self) -> Option<BadTarget> {
        self.fault.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(head: &[u8], size: usize) -> (Vec<u8>, Option<BadTarget>) {
        let scan = TargetScan::default();
        scan.begin();
        let mut head = head.to_vec();
        head.chunks_mut(size).for_each(|piece| scan.look(piece));
        (head, scan.take_fault())
    }

    #[test]
    fn a_target_is_looked_at_in_pieces_of_any_size() {
        let (fragment, character) = (Some(BadTarget::Fragment), Some(BadTarget::Character));
        for (line, masked, fault) in [
            ("GET /a?b=c HTTP/1.1", "GET /a?b=c HTTP/1.1", None),
            ("GET /a\"b?{c|d} HTTP/1.1", "GET /a\"b?{c|d} HTTP/1.1", None),
            ("GET /ü?ü HTTP/1.1", "GET /ü?ü HTTP/1.1", None),
            ("GET /a#b HTTP/1.1", "GET /a#b HTTP/1.1", fragment),
            ("GET /a?b#<c HTTP/1.1", "GET /a?b#<c HTTP/1.1", fragment),
            (
                "GET /?q=\"<>\" HTTP/1.1",
                "GET /?q=____ HTTP/1.1",
                character,
            ),
            ("GET /a<b HTTP/1.1", "GET /a_b HTTP/1.1", character),
            ("GET /a`b?`c HTTP/1.1", "GET /a_b?`c HTTP/1.1", character),
            ("\r\nGET /?< HTTP/1.0", "\r\nGET /?_ HTTP/1.0", character),
            ("G#T / HTTP/1.1", "G#T / HTTP/1.1", None),
            ("GET / #<\"", "GET / #<\"", None),
        ] {
            for size in [1, 2, 7, 1000] {
                let head = format!("{line}\r\nX: #<\"\r\n\r\n<#\"");
                let (bytes, found) = seen(head.as_bytes(), size);
                let expected = format!("{masked}\r\nX: #<\"\r\n\r\n<#\"");
                assert_eq!(
                    (String::from_utf8_lossy(&bytes).as_ref(), found),
                    (&*expected, fault),
                    "{line} by {size}"
                );
            }
        }
        let (bytes, found) = seen(b"GET /\xff?\xc3 HTTP/1.1\r\n\r\n\xff", 1000);
        assert_eq!(
            (&*bytes, found),
            (&b"GET /_?_ HTTP/1.1\r\n\r\n\xff"[..], character)
        );
    }
}
