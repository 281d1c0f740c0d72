use std::time::{Duration, SystemTime};

use fhir_http::{Random, retry_after};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// How patiently a job is polled
/// ([status request](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-status-request)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PollPolicy {
    /// Lower limit of every wait, and the first one of our own choosing.
    pub min: Duration,
    /// Upper limit of every wait, whatever `Retry-After` says: servers have
    /// been seen to ask for five hours, and for milliseconds as seconds.
    pub max: Duration,
    /// How long an export may take altogether, from the first response.
    pub deadline: Duration,
    /// How many responses in a row may be gateway errors, HTML pages, or
    /// missing; this many end the polling.
    pub failures: u32,
    /// The same for statuses of 500 and up with an `OperationOutcome`, which
    /// by the specification mean that the export has failed.
    pub soft_failures: u32,
    /// How often the kick-off request is sent at most.
    pub kick_off_attempts: u32,
    /// Sends `Prefer: respond-async` with status requests too, which the
    /// specification does not ask for and some servers do.
    pub prefer: bool,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            min: Duration::from_secs(1),
            max: Duration::from_secs(5 * 60),
            deadline: Duration::from_secs(30 * 24 * 60 * 60),
            failures: 20,
            soft_failures: 5,
            kick_off_attempts: 8,
            prefer: false,
        }
    }
}

impl PollPolicy {
    /// What the server asks to wait, within the limits.
    pub(crate) fn asked(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        let asked = retry_after(headers, now, self.max)?;
        Some(asked.max(self.min).min(self.max))
    }

    /// Wait number `number` (from 1) of our own choosing: half as long again
    /// as the one before, so that little more than a third of an export's time
    /// is waited in vain, less up to a quarter.
    pub(crate) fn backoff(&self, number: u32, random: &dyn Random) -> Duration {
        let exponent = i32::try_from(number.saturating_sub(1))
            .unwrap_or(i32::MAX)
            .min(64);
        let wait = (self.min.as_secs_f64() * 1.5_f64.powi(exponent)).min(self.max.as_secs_f64());
        let mut byte = [0];
        random.fill(&mut byte);
        let wait = wait * (1.0 - f64::from(byte[0]) / 1024.0);
        Duration::from_secs_f64(wait).max(self.min).min(self.max)
    }
}
