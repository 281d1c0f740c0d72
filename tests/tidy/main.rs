//! The invariants of ARCHITECTURE.md and the house rules of CONTRIBUTING.md, as tests.
//!
//! Every rule is a function from what it looks at to a list of [`finding::Finding`]s, so that
//! beside the test that applies it to this workspace there is one that shows it can fail.

mod dependencies;
mod finding;
mod licences;
mod manifests;
mod policy;
mod sources;
mod workspace;
