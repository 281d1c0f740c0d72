//! What the crate promises, as its users meet it.

mod conditional;
mod directory;
mod export;
mod lifecycle;
mod publisher;
mod reload;
mod secrecy;
#[cfg(feature = "serve")]
mod serve;
mod signer;
mod support;
