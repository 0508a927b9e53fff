//! Where a WebSocket is towards its client: a frame of the gateway's own may stand between two frames of the service, and
//! nowhere else (RFC 6455, section 5.2). Only heads of frames are read.

/// The frame that ends a connection which is not allowed any more: 1008, policy violation (RFC 6455, section 7.4.1).
pub(super) const NOT_ALLOWED: &[u8] = b"\x88\x02\x03\xf0";

/// What has been sent to the client.
#[derive(Debug, Default)]
pub(super) struct SentFrames {
    head: [u8; 14],
    head_length: usize,
    /// Bytes of the payload that are still to come.
    payload: u64,
    is_closed: bool,
}

impl SentFrames {
    /// Takes note of further bytes.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let length = usize::try_from(self.payload).unwrap_or(usize::MAX);
                let (payload, rest) = bytes.split_at(length.min(bytes.len()));
                self.payload -= payload.len() as u64;
                bytes = rest;
                continue;
            }
            self.head[self.head_length] = *first;
            self.head_length += 1;
            bytes = rest;
            if let Some(payload) = self.payload_of_head() {
                self.payload = payload;
                self.is_closed |= self.head[0] & 0xf == 8;
                self.head_length = 0;
            }
        }
    }

    /// The length that a complete head announces.
    fn payload_of_head(&self) -> Option<u64> {
        let head = &self.head[..self.head_length];
        let second = *head.get(1)?;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if head.len() < 2 + extended + mask {
            return None;
        }
        let length = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        Some(match extended {
            0 => u64::from(second & 0x7f),
            _ => length(&head[2..2 + extended]),
        })
    }

    /// Whether another frame may come next: none after one that closes.
    pub(super) fn may_be_closed(&self) -> bool {
        self.head_length == 0 && self.payload == 0 && !self.is_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_may_stand_between_two_frames_only() {
        let text = [&[0x81, 5][..], b"hello"].concat();
        let masked = [&[0x82, 0x85, 1, 2, 3, 4][..], b"hello"].concat();
        let medium = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        let large = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65_536]].concat();
        let empty = vec![0x89, 0];
        for frame in [text, masked, medium, large, empty] {
            for size in [1, 3, frame.len()] {
                let mut sent = SentFrames::default();
                assert!(sent.may_be_closed());
                let twice = [&frame[..], &frame].concat();
                let mut length = 0;
                for piece in twice.chunks(size) {
                    sent.sent(piece);
                    length += piece.len();
                    let ends = length % frame.len() == 0;
                    assert_eq!(sent.may_be_closed(), ends, "{length} of {}", frame.len());
                }
            }
        }
        let mut sent = SentFrames::default();
        sent.sent(NOT_ALLOWED);
        assert!(!sent.may_be_closed(), "nothing follows a frame that closes");
    }
}
