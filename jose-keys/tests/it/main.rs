//! Behaviour of jose-keys at its public seams.

mod generated;
mod keys;
mod private_key;
mod properties;
mod public_jwk;
mod secrecy;
mod support;
