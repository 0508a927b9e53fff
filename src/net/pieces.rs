//! Small messages in one piece: hyper hands over a head and its body as a list, which costs the kernel more than a copy of
//! so few bytes costs the gateway.

use std::io::IoSlice;

/// Bytes up to which a list is copied together.
const FLAT: usize = 1024;

/// Hands over the pieces as one; `None` where they are too large to be copied.
#[inline]
pub fn in_one_piece<R>(pieces: &[IoSlice<'_>], take: impl FnOnce(&[u8]) -> R) -> Option<R> {
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    if total > FLAT {
        return None;
    }
    let mut flat = [0; FLAT];
    let mut end = 0;
    for piece in pieces {
        flat[end..end + piece.len()].copy_from_slice(piece);
        end += piece.len();
    }
    Some(take(&flat[..total]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        in_one_piece(&pieces, <[u8]>::to_vec)
    }

    #[test]
    fn small_pieces_become_one_in_their_order() {
        assert_eq!(
            flat(&[b"HTTP/1.1 200 OK\r\n\r\n", b"", b"hi"]).unwrap(),
            b"HTTP/1.1 200 OK\r\n\r\nhi"
        );
        assert_eq!(flat(&[]).unwrap(), b"");
        assert_eq!(flat(&[&[b'a'; FLAT - 1], b"b"]).unwrap().len(), FLAT);
        assert_eq!(flat(&[&[b'a'; FLAT], b"b"]), None);
    }
}
