use serde::Serialize;

use super::ServerIssues;
use crate::RunSummary;

/// What a run of the bulk channel did.
#[derive(Clone, Debug, Serialize)]
pub struct BulkSummary {
    /// What was done with the resources.
    #[serde(flatten)]
    pub run: RunSummary,
    /// Name of the connection.
    pub connection: String,
    /// The `_since` of the export; `None` for an export of everything.
    pub since: Option<String>,
    /// The server's time of the export: where the next run begins, if this
    /// one is completed.
    pub transaction_time: String,
    /// Files of resources and deletions in the manifest.
    pub files: usize,
    /// Bytes of them as they were sent.
    pub downloaded_bytes: u64,
    /// What the server reported about the export.
    pub server_issues: ServerIssues,
    /// What is worth knowing about the run.
    pub notices: Vec<String>,
}
