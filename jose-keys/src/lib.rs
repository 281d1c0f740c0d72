#![doc = include_str!("../README.md")]

mod algorithm;
mod der;
mod error;
mod file;
mod generate;
mod numbers;
mod private_key;
mod public_jwk;
mod secret;
mod signer;
mod signing_key;

pub use algorithm::Algorithm;
pub use error::{Error, Result};
#[cfg(feature = "rsa-generation")]
pub use generate::RsaBits;
pub use private_key::{Imported, PrivateKey};
pub use public_jwk::PublicJwk;
pub use secret::Secret;
pub use signer::Signer;
pub use signing_key::SigningKey;
