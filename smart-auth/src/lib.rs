#![doc = include_str!("../README.md")]

mod assertion;
mod backend;
mod bearer;
mod body;
mod cache;
mod discovery;
mod error;
mod oauth;
mod scope;
mod scope_set;
mod signers;
mod token;

pub use assertion::{ClientAssertion, SignedAssertion};
pub use backend::{BackendServices, Builder};
pub use bearer::StaticToken;
pub use discovery::SmartConfiguration;
pub use error::{Error, Result};
pub use jose_keys::{Algorithm, PrivateKey, PublicJwk, Secret, Signer, SigningKey};
pub use oauth::OAuthError;
pub use scope::{Scope, ScopeError, Syntax};
pub use scope_set::ScopeSet;
pub use signers::Signers;
pub use token::{AccessToken, TokenResponse};
