//! Tests of the crate at its public seams.

mod download;
mod export;
mod job;
mod manifest;
mod ndjson;
mod reader;
mod request;
mod resume;
mod support;
