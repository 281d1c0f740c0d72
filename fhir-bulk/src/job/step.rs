use std::time::Duration;

use crate::ExportManifest;

/// What to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Send this now.
    Send(http::Request<Vec<u8>>),
    /// Let this much time pass, then send [`ExportJob::request`](crate::ExportJob::request).
    Wait(Duration, Progress),
    /// The export is finished, with all pages of its manifest.
    Complete(Box<ExportManifest>),
}

/// How an export is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What the server says (`X-Progress`): at most 100 characters, without
    /// control characters. Free text of the server's.
    pub message: Option<String>,
    /// The last status; `None` where there was no response.
    pub status: Option<u16>,
    /// Requests so far.
    pub requests: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Since the first response.
    pub elapsed: Duration,
    /// Until the next request.
    pub wait: Duration,
}
