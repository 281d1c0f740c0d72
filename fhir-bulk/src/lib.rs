#![doc = include_str!("../README.md")]

mod client;
mod download;
mod error;
mod instant;
mod job;
mod manifest;
mod ndjson;
mod request;

pub use client::{BulkClient, Event};
pub use download::{Download, Downloaded, Downloads, Fault, OutputReader};
pub use error::{Error, Result};
pub use instant::Instant;
pub use job::{ExportJob, PollPolicy, Progress, Step};
pub use manifest::{ExportManifest, FileId, FileKind, OutputFile};
pub use ndjson::{Deletion, Deletions, Line, NdjsonReader};
pub use request::{ExportLevel, ExportRequest, KickOffMethod, ListSyntax};
