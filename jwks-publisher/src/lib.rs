#![doc = include_str!("../README.md")]

mod error;
mod export;
mod jwk;
mod publisher;
mod ring;
#[cfg(feature = "serve")]
mod serve;
mod signer;
mod store;

pub use error::{Error, Result};
pub use export::{Export, ExportedFile};
#[cfg(feature = "serve")]
pub use http_serve::Limits;
pub use jwk::{Jwk, JwkSet};
pub use publisher::{Publisher, Reload, Tenant};
pub use ring::{Action, Change, KeyRing, RingKey, RotationPolicy, State};
#[cfg(feature = "serve")]
pub use serve::{Service, TlsFiles, handler, limits};
pub use signer::RingSigner;
pub use store::{DirectoryStore, Edit, KeyStore, MemoryStore, NewKey, RingSecret, Stamp};

#[cfg(feature = "rsa-generation")]
pub use jose_keys::RsaBits;
pub use jose_keys::{Algorithm, Imported, PrivateKey, PublicJwk, Secret, Signer, SigningKey};
