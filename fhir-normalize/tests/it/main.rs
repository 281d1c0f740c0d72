//! Integration tests of `fhir-normalize`.

mod bundles;
mod content_hash;
mod depth;
mod fingerprint;
mod ids;
mod oracle;
mod pair;
mod properties;
mod references;
mod remediation;
mod required;
mod samples;
mod support;
mod tables;
mod tree;
mod vectors;
