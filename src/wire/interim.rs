//! Interim answers (1xx) on their way to a client of HTTP/1.1 (RFC 9110, section 15.2).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::header::{CONTENT_LENGTH, SET_COOKIE};
use http::{HeaderMap, StatusCode};

use super::field_presence::FieldPresence;
use super::fields::remove_hop_by_hop;

/// Heads that one connection may have waiting, in bytes. A client that does not read misses the rest: what they say is
/// advice.
const MOST_WAITING: usize = 64 * 1024;

/// Interim answers that wait until their connection can write them.
#[derive(Debug, Default)]
pub struct Interim {
    /// Stays until all is written, the piece that [`Interim::take`] has given away included.
    waiting: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    waker: Option<Waker>,
}

impl Interim {
    /// Queues a whole head, from `HTTP/1.1 1xx` to the empty line. It must be pushed before the final answer of its
    /// request begins, and only where the client speaks HTTP/1.1.
    pub fn push(&self, head: &[u8]) {
        let mut queue = self.queue();
        if queue.bytes.len() + head.len() > MOST_WAITING {
            return;
        }
        queue.bytes.extend_from_slice(head);
        self.waiting.store(true, Ordering::Release);
        if let Some(waker) = &queue.waker {
            waker.wake_by_ref();
        }
    }

    /// Queues an interim answer of an upstream, without the fields that are about the upstream's own connection, and
    /// without cookies: those of the final answer are looked through. A length has no place in it either (RFC 9110, section
    /// 8.6): a client could take what follows for a body.
    pub fn push_answer(&self, status: StatusCode, headers: &HeaderMap) {
        let mut headers = headers.clone();
        let present = FieldPresence::of(&headers);
        remove_hop_by_hop(&mut headers, present);
        headers.remove(SET_COOKIE);
        headers.remove(CONTENT_LENGTH);
        let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
        for (name, value) in &headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        self.push(&head);
    }

    /// Whether [`Interim::finish`] has not been called since the last head.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// All that waits, for the connection to write.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.queue().bytes)
    }

    /// Says that what was taken is written; whether that is all.
    pub fn finish(&self) -> bool {
        let queue = self.queue();
        let done = queue.bytes.is_empty();
        self.waiting.store(!done, Ordering::Release);
        done
    }

    /// Names who writes; it is woken at each head.
    pub fn wake_with(&self, waker: &Waker) {
        self.queue().waker = Some(waker.clone());
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // nothing can panic while the lock is held
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interim_answer_has_no_length_and_no_cookie() {
        let fields = [
            ("content-length", "5"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("set-cookie", "a=b"),
            ("link", "</a.css>; rel=preload"),
        ];
        let headers = fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let interim = Interim::default();
        interim.push_answer(StatusCode::EARLY_HINTS, &HeaderMap::from_iter(headers));
        assert_eq!(
            String::from_utf8(interim.take()).unwrap(),
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"
        );
    }

    #[test]
    fn heads_wait_in_order_and_not_without_bound() {
        let interim = Interim::default();
        assert!(!interim.is_waiting());
        interim.push(b"one");
        interim.push(b"two");
        assert_eq!(
            (interim.take().as_slice(), interim.is_waiting()),
            (&b"onetwo"[..], true)
        );
        interim.push(b"three");
        assert!(!interim.finish() && interim.is_waiting());
        assert_eq!(interim.take(), b"three");
        assert!(interim.finish() && !interim.is_waiting());
        interim.push(&vec![b'x'; MOST_WAITING]);
        interim.push(b"y");
        assert_eq!(interim.take().len(), MOST_WAITING);
    }
}
