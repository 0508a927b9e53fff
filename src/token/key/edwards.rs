//! Whether 32 bytes are a public key for Ed25519. The cryptography looks at the point with each signature only, and takes
//! points of small order, for which anybody can make signatures.

use simple_asn1::BigUint;

/// Whether the bytes are a point (RFC 8032, section 5.1.3), and one of more than eight multiples.
///
/// On the curve `-x² + y² = 1 + dx²y²` the bytes give `y` (and the sign of `x`), so `x² = (y² - 1) / (dy² + 1)` must be
/// a square. The eight points of small order have `y = 0`, `y² = 1` or, where their double has `y = 0`, `dy⁴ + 2y² = 1`.
pub(super) fn is_public_key(bytes: &[u8]) -> bool {
    let Ok(mut bytes) = <[u8; 32]>::try_from(bytes) else {
        return false;
    };
    bytes[31] &= 0x7f;
    let number = |value: u32| BigUint::from(value);
    let one = number(1);
    let prime = (&one << 255) - number(19);
    let y = BigUint::from_bytes_le(&bytes);
    if y >= prime {
        return false;
    }
    let minus_one = &prime - &one;
    // by Fermat the inverse of `a` is `a^(p - 2)`
    let inverse = number(121_666).modpow(&(&prime - number(2)), &prime);
    let d = (&prime - number(121_665)) * inverse % &prime;
    let square = &y * &y % &prime;
    let (above, below) = (&square + &minus_one, &d * &square + &one);
    // Euler's criterion, of the product instead of the quotient: one is a square where the other is
    let criterion = (above * below).modpow(&(&minus_one >> 1), &prime);
    let is_point = criterion == one;
    let has_small_order = (&d * &square % &prime * &square + number(2) * &square) % &prime == one;
    // a criterion of 0 is `y² = 1`, of small order as well
    is_point && y != number(0) && !has_small_order
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

    use super::is_public_key;

    /// A signature that holds under a point of small order for one message of eight: `R` is the neutral point, `S` is 0.
    fn holds_for_anybody(key: &[u8]) -> bool {
        let mut signature = [0; 64];
        signature[0] = 1;
        let key = UnparsedPublicKey::new(&ED25519, key);
        (0_u8..=255).any(|message| key.verify(&[message], &signature).is_ok())
    }

    #[test]
    fn keys_that_were_made_are_keys() {
        for _ in 0..32 {
            let pair = Ed25519KeyPair::generate().unwrap();
            assert!(is_public_key(pair.public_key().as_ref()));
        }
    }

    #[test]
    fn points_of_small_order_are_refused_and_would_hold_for_anybody() {
        let order_8 = [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ];
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one, minus_one, order_8] {
            assert!(holds_for_anybody(&point), "{point:x?}");
            assert!(!is_public_key(&point), "{point:x?}");
            let mut other_sign = point;
            other_sign[31] |= 0x80;
            assert!(!is_public_key(&other_sign), "{other_sign:x?}");
        }
    }

    #[test]
    fn half_of_all_numbers_are_no_point_and_none_beyond_the_prime() {
        let points = (2_u8..=201).filter(|first| {
            let mut bytes = [0; 32];
            bytes[0] = *first;
            is_public_key(&bytes)
        });
        assert!((60..140).contains(&points.count()));
        // RFC 8032: y = 2 is no point, y = 3 is
        let with =
            |first: u8| std::array::from_fn::<u8, 32, _>(|at| if at == 0 { first } else { 0 });
        assert_eq!(
            [2, 3].map(|first| is_public_key(&with(first))),
            [false, true]
        );
        let mut beyond = [0xff; 32];
        (beyond[0], beyond[31]) = (0xf0, 0x7f);
        assert!(
            !is_public_key(&beyond),
            "y = p + 3 is a second spelling of 3"
        );
        assert!(!is_public_key(&[3; 31]) && !is_public_key(&[3; 33]) && !is_public_key(&[]));
    }
}
