use zeroize::Zeroizing;

use super::{
    BIT_STRING, ELLIPTIC, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, P384, PUBLIC_KEY, RSA,
    SEQUENCE,
};
use crate::numbers::{KeyNumbers, PublicNumbers, SecretBytes};

/// A private key in PKCS#8, version 1 and without attributes.
pub(crate) fn private_key(key: &KeyNumbers) -> SecretBytes {
    let (algorithm, inner) = match key {
        KeyNumbers::Rsa(rsa) => {
            let (n, e) = (rsa.n.as_slice(), rsa.e.as_slice());
            let numbers = [&[], n, e, &rsa.d, &rsa.p, &rsa.q, &rsa.dp, &rsa.dq, &rsa.qi];
            let numbers = numbers.map(integer);
            let numbers = numbers.each_ref().map(|number| number.as_slice());
            (rsa_algorithm(), element(SEQUENCE, &numbers))
        }
        KeyNumbers::P384 { d, point } => {
            let d = element(OCTET_STRING, &[d]);
            let public = element(PUBLIC_KEY, &[&bit_string(point)]);
            // The curve stands beside it, where everyone looks for it.
            let inner = element(SEQUENCE, &[&integer(&[1]), &d, &public]);
            (p384_algorithm(), inner)
        }
    };
    let inner = element(OCTET_STRING, &[&inner]);
    element(SEQUENCE, &[&integer(&[]), &algorithm, &inner])
}

/// A public key as SubjectPublicKeyInfo.
pub(crate) fn public_key(key: &PublicNumbers) -> Vec<u8> {
    let (algorithm, inner) = match key {
        PublicNumbers::Rsa { n, e } => (
            rsa_algorithm(),
            bit_string(&element(SEQUENCE, &[&integer(n), &integer(e)])),
        ),
        PublicNumbers::P384 { point } => (p384_algorithm(), bit_string(point)),
    };
    std::mem::take(&mut *element(SEQUENCE, &[&algorithm, &inner]))
}

fn rsa_algorithm() -> SecretBytes {
    let oid = element(OBJECT_IDENTIFIER, &[RSA]);
    element(SEQUENCE, &[&oid, &element(NULL, &[])])
}

fn p384_algorithm() -> SecretBytes {
    let kind = element(OBJECT_IDENTIFIER, &[ELLIPTIC]);
    let curve = element(OBJECT_IDENTIFIER, &[P384]);
    element(SEQUENCE, &[&kind, &curve])
}

/// A number that is not negative, given without leading zeros.
fn integer(number: &[u8]) -> SecretBytes {
    let sign: &[u8] = match number.first() {
        Some(0..0x80) => &[],
        _ => &[0],
    };
    element(INTEGER, &[sign, number])
}

/// Whole bytes.
fn bit_string(bytes: &[u8]) -> SecretBytes {
    element(BIT_STRING, &[&[0], bytes])
}

/// Allocates once, so that no copy is left behind.
fn element(tag: u8, content: &[&[u8]]) -> SecretBytes {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let mut element = Zeroizing::new(Vec::with_capacity(length + 2 + size_of::<usize>()));
    element.push(tag);
    let big_endian = length.to_be_bytes();
    match length {
        0..0x80 => element.push(big_endian[big_endian.len() - 1]),
        _ => {
            let zeros = length.leading_zeros() / u8::BITS;
            let digits = &big_endian[zeros as usize..];
            // At most 0x80 + 8.
            element.push(0x80 + digits.len() as u8);
            element.extend_from_slice(digits);
        }
    }
    for part in content {
        element.extend_from_slice(part);
    }
    element
}

#[cfg(test)]
mod tests {
    use super::{element, integer};

    #[test]
    fn lengths_and_signs_are_those_of_der() {
        for (length, head) in [
            (0, &[4, 0][..]),
            (127, &[4, 0x7f]),
            (128, &[4, 0x81, 0x80]),
            (255, &[4, 0x81, 0xff]),
            (256, &[4, 0x82, 1, 0]),
            (65_536, &[4, 0x83, 1, 0, 0]),
        ] {
            let written = element(4, &[&vec![7; length]]);
            assert!(written.starts_with(head), "{length}");
            assert_eq!(written.len(), head.len() + length);
        }
        for (number, written) in [
            (&[][..], &[2, 1, 0][..]),
            (&[1], &[2, 1, 1]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0x80, 1], &[2, 3, 0, 0x80, 1]),
        ] {
            assert_eq!(*integer(number), written);
        }
    }
}
