//! Keys in DER: private ones in PKCS#8 (RFC 5958), PKCS#1 (RFC 8017, A.1.2)
//! and SEC 1 (RFC 5915), public ones as SubjectPublicKeyInfo (RFC 5280,
//! 4.1.2.7).

mod read;
mod write;

pub(crate) use read::{OTHER_CURVE, pkcs1, pkcs8, sec1};
pub(crate) use write::{private_key, public_key};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CURVE: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;

/// RFC 3279, 2.3.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// RFC 4055, 1.2.
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// RFC 5480, 2.1.1.
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// RFC 5480, 2.1.1.1.
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
