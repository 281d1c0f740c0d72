//! Tests of the pipeline over its public API, with stores in memory.

mod bulk;
mod config;
mod config_errors;
mod connections;
mod faults;
mod init;
mod order;
mod replay;
mod support;
mod vendors;
