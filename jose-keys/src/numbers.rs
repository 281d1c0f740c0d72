//! Keys as numbers, big-endian and without leading zeros.

use zeroize::Zeroizing;

/// Bytes of a private key.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// A private key.
pub(crate) enum KeyNumbers {
    Rsa(RsaNumbers),
    P384 {
        /// 48 bytes.
        d: SecretBytes,
        /// The uncompressed point, 97 bytes.
        point: Vec<u8>,
    },
}

impl KeyNumbers {
    pub(crate) fn public(&self) -> PublicNumbers {
        match self {
            Self::Rsa(RsaNumbers { n, e, .. }) => PublicNumbers::Rsa {
                n: n.clone(),
                e: e.clone(),
            },
            Self::P384 { point, .. } => PublicNumbers::P384 {
                point: point.clone(),
            },
        }
    }
}

/// RSA with two primes ([RFC 8017, 3.2](https://www.rfc-editor.org/rfc/rfc8017#section-3.2)).
pub(crate) struct RsaNumbers {
    pub(crate) n: Vec<u8>,
    pub(crate) e: Vec<u8>,
    pub(crate) d: SecretBytes,
    pub(crate) p: SecretBytes,
    pub(crate) q: SecretBytes,
    pub(crate) dp: SecretBytes,
    pub(crate) dq: SecretBytes,
    pub(crate) qi: SecretBytes,
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicNumbers {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    P384 {
        /// The uncompressed point, 97 bytes.
        point: Vec<u8>,
    },
}

impl PublicNumbers {
    /// Both coordinates of an uncompressed point.
    pub(crate) fn coordinates(point: &[u8]) -> (&[u8], &[u8]) {
        let (x, y) = point.split_at(1 + P384_LEN);
        (&x[1..], y)
    }
}

/// Bytes of one coordinate, and of the private number, of P-384.
pub(crate) const P384_LEN: usize = 48;

/// `number` with exactly [`P384_LEN`] bytes; `None` when it is longer.
pub(crate) fn p384_number(number: &[u8]) -> Option<SecretBytes> {
    let number = without_leading_zeros(number);
    let padding = P384_LEN.checked_sub(number.len())?;
    let mut padded = Zeroizing::new(vec![0; P384_LEN]);
    padded[padding..].copy_from_slice(number);
    Some(padded)
}

/// The uncompressed point of two coordinates of [`P384_LEN`] bytes.
pub(crate) fn p384_point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[UNCOMPRESSED], x, y].concat()
}

/// First byte of an uncompressed point (SEC 1, 2.3.3).
pub(crate) const UNCOMPRESSED: u8 = 4;

pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Length of a number without leading zeros.
pub(crate) fn bits(number: &[u8]) -> usize {
    number
        .first()
        .map_or(0, |top| number.len() * 8 - top.leading_zeros() as usize)
}
