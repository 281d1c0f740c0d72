//! `ingest`
fn main() {}
