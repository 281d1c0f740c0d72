//! The behaviour of `fhir-json` at its public seam.

mod corpus;
#[cfg(feature = "digest")]
mod digest;
mod edits;
mod errors;
mod exhaustive;
mod large;
mod oracle;
mod properties;
mod reading;
mod strategies;
mod suite;
mod tree;
