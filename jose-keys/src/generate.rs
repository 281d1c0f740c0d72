use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};

use crate::{Error, PrivateKey, Result};

/// Length of an RSA key.
#[cfg(feature = "rsa-generation")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RsaBits {
    /// 2048 bits, which NIST SP 800-57 allows until the end of 2030.
    B2048,
    /// 3072 bits.
    #[default]
    B3072,
    /// 4096 bits, the most that is read here.
    B4096,
}

impl PrivateKey {
    /// Makes a P-384 key.
    ///
    /// # Errors
    /// [`Error::Generate`] when the system has no randomness to give.
    pub fn generate_p384() -> Result<Self> {
        const NO_RANDOMNESS: Error = Error::Generate {
            problem: "the system gave no random numbers",
        };
        // `ring` leaves its own copy to whatever uses the memory next.
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| NO_RANDOMNESS)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Makes an RSA key. That takes from a tenth of a second to some seconds, by
    /// its length and by luck.
    ///
    /// # Errors
    /// [`Error::Generate`] when the library gave none.
    #[cfg(feature = "rsa-generation")]
    pub fn generate_rsa(bits: RsaBits) -> Result<Self> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        use aws_lc_rs::rsa::{KeyPair, KeySize};

        let size = match bits {
            RsaBits::B2048 => KeySize::Rsa2048,
            RsaBits::B3072 => KeySize::Rsa3072,
            RsaBits::B4096 => KeySize::Rsa4096,
        };
        // Both overwrite their memory when they are dropped.
        let der: Pkcs8V1Der<'_> = KeyPair::generate(size)
            .and_then(|pair| pair.as_der())
            .map_err(|_| Error::Generate {
                problem: "the RSA library gave none",
            })?;
        Self::from_pkcs8(der.as_ref())
    }
}
