//! Messages of Protocol Buffers, read in place: what a field holds stays a part of the bytes.
//!
//! The format is that of <https://protobuf.dev/programming-guides/encoding/>. What is refused is what prost refuses: the tests
//! of the messages compare both.

use super::grpc::GrpcError;

/// How deep messages and groups may stand in each other.
pub(super) const DEPTH: u8 = 100;

/// How a field is written: the three lowest bits of its key.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const DELIMITED: u8 = 2;
const GROUP: u8 = 3;
const END_OF_GROUP: u8 = 4;
const FOUR_BYTES: u8 = 5;

/// A message that is being read.
pub(super) struct MessageReader<'m> {
    rest: &'m [u8],
    depth: u8,
}

/// What a field of a message holds.
pub(super) struct Field<'m> {
    /// `None`: a number, or a group.
    content: Option<&'m [u8]>,
    depth: u8,
}

impl<'m> MessageReader<'m> {
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self {
            rest: message,
            depth: DEPTH,
        }
    }

    /// Hands over each field, with its number.
    ///
    /// # Errors
    /// [`GrpcError::Malformed`] where these are no fields, and what `read` says.
    pub(super) fn each(
        mut self,
        mut read: impl FnMut(u32, Field<'m>) -> Result<(), GrpcError>,
    ) -> Result<(), GrpcError> {
        while !self.rest.is_empty() {
            let (number, kind) = self.key()?;
            let content = if kind == DELIMITED {
                Some(self.delimited()?)
            } else {
                self.skip(number, kind, self.depth)?;
                None
            };
            let depth = self.depth;
            read(number, Field { content, depth })?;
        }
        Ok(())
    }

    /// The number of a field, and how it is written.
    fn key(&mut self) -> Result<(u32, u8), GrpcError> {
        let key = u32::try_from(self.varint()?).map_err(|_| GrpcError::Malformed)?;
        match key >> 3 {
            0 => Err(GrpcError::Malformed),
            number => Ok((number, (key & 7) as u8)),
        }
    }

    fn skip(&mut self, number: u32, kind: u8, depth: u8) -> Result<(), GrpcError> {
        let within = depth.checked_sub(1).ok_or(GrpcError::Malformed)?;
        match kind {
            VARINT => self.varint().map(drop),
            EIGHT_BYTES => self.take(8).map(drop),
            DELIMITED => self.delimited().map(drop),
            FOUR_BYTES => self.take(4).map(drop),
            GROUP => loop {
                match self.key()? {
                    (begun, END_OF_GROUP) if begun == number => return Ok(()),
                    (number, kind) => self.skip(number, kind, within)?,
                }
            },
            _ => Err(GrpcError::Malformed),
        }
    }

    fn delimited(&mut self) -> Result<&'m [u8], GrpcError> {
        let length = usize::try_from(self.varint()?).map_err(|_| GrpcError::Malformed)?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'m [u8], GrpcError> {
        let taken = self.rest.split_at_checked(length);
        let (taken, rest) = taken.ok_or(GrpcError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, GrpcError> {
        match self.rest {
            // as nearly all keys and lengths are
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok((*byte).into())
            }
            _ => self.long_varint(),
        }
    }

    /// Seven bits a byte, the lowest first; all but the last byte have the eighth.
    fn long_varint(&mut self) -> Result<u64, GrpcError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(GrpcError::Malformed)?;
            self.rest = rest;
            // of the tenth byte one bit is left
            if shift + 1 == u64::BITS && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(GrpcError::Malformed)
    }
}

impl<'m> Field<'m> {
    /// # Errors
    /// [`GrpcError::Malformed`] for a number or a group.
    pub(super) fn bytes(self) -> Result<&'m [u8], GrpcError> {
        self.content.ok_or(GrpcError::Malformed)
    }

    /// # Errors
    /// [`GrpcError::Malformed`] for a number or a group, and for what is no UTF-8.
    pub(super) fn text(self) -> Result<&'m str, GrpcError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| GrpcError::Malformed)
    }

    /// # Errors
    /// [`GrpcError::Malformed`] for a number or a group.
    pub(super) fn message(self) -> Result<MessageReader<'m>, GrpcError> {
        let depth = self.depth.checked_sub(1).ok_or(GrpcError::Malformed)?;
        let rest = self.bytes()?;
        Ok(MessageReader { rest, depth })
    }
}
