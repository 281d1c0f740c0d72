//! Integration tests of `fhir-normalize`.

mod tables;
mod vectors;
