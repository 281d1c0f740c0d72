//! The `ingest` command from outside: arguments and files in; exit code,
//! standard output and the views of the store out.

mod adt;
mod binary;
mod bulk;
mod canonical;
mod commands;
mod config;
mod dirty;
mod dump;
mod generate;
mod history;
mod keys;
mod kill;
mod load;
mod mixed;
mod order;
mod paths;
mod pipes;
mod privacy;
mod r4_examples;
#[path = "../campaign/random.rs"]
#[allow(dead_code, reason = "shared with the campaign")]
mod random;
mod sources;
mod store;
mod usability;
mod util;
mod views;
