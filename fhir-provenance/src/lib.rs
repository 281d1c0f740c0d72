#![doc = include_str!("../README.md")]

mod ids;
mod instant;
mod json;
mod record;

pub use ids::{ProvenanceIds, Sha256Ids};
pub use instant::{EARLIEST, LATEST, write_instant};
pub use record::{Activity, Message, Record, Remediation};
