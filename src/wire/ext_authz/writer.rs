//! Messages of Protocol Buffers as bytes: an answer is written in one go, without the structs and texts in between.

/// What a byte of a number holds; the eighth bit says that another byte follows.
const SEVEN_BITS: usize = 0x7f;

/// A message that is being written.
#[derive(Default)]
pub(super) struct MessageWriter(Vec<u8>);

impl MessageWriter {
    /// A message behind these bytes, with room for so many more.
    pub(super) fn behind(prefix: &[u8], bytes: usize) -> Self {
        let mut written = Vec::with_capacity(prefix.len() + bytes);
        written.extend_from_slice(prefix);
        Self(written)
    }

    /// A number; 0 is what a field that is left out reads as.
    pub(super) fn number(&mut self, tag: u8, number: u16) {
        if number != 0 {
            self.0.push(tag << 3);
            self.varint(number.into());
        }
    }

    /// A text.
    pub(super) fn text(&mut self, tag: u8, text: &[u8]) {
        self.0.push(tag << 3 | 2);
        self.varint(text.len());
        self.0.extend_from_slice(text);
    }

    /// A message within this one; it is there even if it is empty.
    pub(super) fn message(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        // most are so short that their length takes one byte
        self.0.extend_from_slice(&[tag << 3 | 2, 0]);
        let start = self.0.len();
        write(self);
        let length = self.0.len() - start;
        if length <= SEVEN_BITS {
            self.0[start - 1] = low_bits(length);
        } else {
            self.0.splice(start - 1..start, varint(length));
        }
    }

    /// The bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, number: usize) {
        if number <= SEVEN_BITS {
            self.0.push(low_bits(number));
        } else {
            self.0.extend(varint(number));
        }
    }
}

fn low_bits(number: usize) -> u8 {
    (number & SEVEN_BITS) as u8
}

/// Seven bits a byte, the lowest first; all but the last byte have the eighth.
fn varint(number: usize) -> impl Iterator<Item = u8> {
    let mut rest = Some(number);
    std::iter::from_fn(move || {
        let number = rest?;
        rest = (number > SEVEN_BITS).then_some(number >> 7);
        Some(low_bits(number) | if rest.is_some() { 0x80 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_take_as_many_bytes_as_they_need() {
        for (number, bytes) in [
            (0, &[0][..]),
            (1, &[1]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (16_384, &[0x80, 0x80, 1]),
        ] {
            assert_eq!(varint(number).collect::<Vec<_>>(), bytes);
        }
        let mut message = MessageWriter::default();
        message.message(1, |_| {});
        message.message(2, |inner| {
            inner.number(1, 0);
            inner.number(3, 300);
            inner.text(2, &[b'x'; 200]);
        });
        let bytes = message.into_bytes();
        assert_eq!(
            bytes[..10],
            [0x0a, 0, 0x12, 0xce, 1, 0x18, 0xac, 2, 0x12, 0xc8]
        );
        assert_eq!(bytes.len(), 2 + 3 + 3 + 203);
    }
}
