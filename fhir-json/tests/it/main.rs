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
mod shapes;
mod strategies;
mod suite;
mod tree;
