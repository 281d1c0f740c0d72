use super::{
    BIT_STRING, CURVE, ELLIPTIC, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, P384, PUBLIC_KEY, RSA,
    RSA_PSS, SEQUENCE,
};
use crate::numbers::{
    KeyNumbers, P384_LEN, RsaNumbers, SecretBytes, UNCOMPRESSED, p384_number, without_leading_zeros,
};

/// What is wrong with a key, as [`crate::Error::PrivateKey`] says it.
type Problem = &'static str;

const DAMAGED: Problem = "its DER is damaged; export it again, for example with `openssl pkey`";
pub(crate) const OTHER_CURVE: Problem =
    "its curve is not P-384, the only one SMART names; use P-384 or RSA";

/// A key in PKCS#8.
pub(crate) fn pkcs8(der: &[u8]) -> Result<KeyNumbers, Problem> {
    let mut key = Reader::whole(der)?;
    key.take(INTEGER)?;
    let mut algorithm = Reader(key.take(SEQUENCE)?);
    let oid = algorithm.take(OBJECT_IDENTIFIER)?;
    let inner = key.take(OCTET_STRING)?;
    if oid == RSA {
        return pkcs1(inner);
    }
    if oid == ELLIPTIC {
        return sec1_on(algorithm.take(OBJECT_IDENTIFIER)?, inner);
    }
    Err(if oid == RSA_PSS {
        "it is for RSA-PSS only, which SMART does not use; make an RSA or P-384 key"
    } else {
        "its kind is neither RSA nor P-384"
    })
}

/// An RSA key in PKCS#1.
pub(crate) fn pkcs1(der: &[u8]) -> Result<KeyNumbers, Problem> {
    let mut key = Reader::whole(der)?;
    if without_leading_zeros(key.take(INTEGER)?) != [] as [u8; 0] {
        return Err("it has more than two primes; make a usual RSA key");
    }
    let mut number = || {
        key.take(INTEGER)
            .map(|bytes| without_leading_zeros(bytes).to_vec())
    };
    Ok(KeyNumbers::Rsa(RsaNumbers {
        n: number()?,
        e: number()?,
        d: number()?.into(),
        p: number()?.into(),
        q: number()?.into(),
        dp: number()?.into(),
        dq: number()?.into(),
        qi: number()?.into(),
    }))
}

/// A P-384 key in SEC 1, which names its curve itself.
pub(crate) fn sec1(der: &[u8]) -> Result<KeyNumbers, Problem> {
    let mut key = Reader::whole(der)?;
    key.take(INTEGER)?;
    key.take(OCTET_STRING)?;
    let curve = key
        .take(CURVE)
        .map_err(|_| "it does not name its curve; convert it to PKCS#8")?;
    sec1_on(Reader(curve).take(OBJECT_IDENTIFIER)?, der)
}

fn sec1_on(curve: &[u8], der: &[u8]) -> Result<KeyNumbers, Problem> {
    if curve != P384 {
        return Err(OTHER_CURVE);
    }
    let mut key = Reader::whole(der)?;
    key.take(INTEGER)?;
    let d: SecretBytes = p384_number(key.take(OCTET_STRING)?).ok_or(DAMAGED)?;
    if key.peek() == Some(CURVE) {
        key.take(CURVE)?;
    }
    let public = key
        .take(PUBLIC_KEY)
        .map_err(|_| "its public half is missing; `openssl pkey -in KEY -out NEW` adds it")?;
    match Reader(public).take(BIT_STRING)? {
        [0, point @ ..] if point.len() == 2 * P384_LEN + 1 && point[0] == UNCOMPRESSED => {
            Ok(KeyNumbers::P384 {
                d,
                point: point.to_vec(),
            })
        }
        _ => Err("its public half is compressed; export it with `-conv_form uncompressed`"),
    }
}

/// Takes one element after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the sequence that `der` is.
    fn whole(der: &'a [u8]) -> Result<Self, Problem> {
        Reader(der).take(SEQUENCE).map(Self)
    }

    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn take(&mut self, tag: u8) -> Result<&'a [u8], Problem> {
        self.element(tag).ok_or(DAMAGED)
    }

    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if length & 0x80 != 0 {
            let (bytes, after) = rest.split_at_checked(length & 0x7f)?;
            // No key is longer than three bytes can say.
            if bytes.is_empty() || bytes.len() > 3 {
                return None;
            }
            length = bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }
}
