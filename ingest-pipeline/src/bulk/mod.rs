//! The bulk channel: an export of a server into the store.

mod close;
mod feed;
mod heartbeat;
mod job;
mod outcomes;
mod plan;
mod request;
mod run;
mod summary;
mod transfer;

pub use outcomes::ServerIssues;
pub use plan::Since;
pub use run::{Bulk, BulkOptions};
pub use summary::BulkSummary;
