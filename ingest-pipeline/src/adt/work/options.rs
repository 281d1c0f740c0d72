use std::time::Duration;

use fhir_http::Random;

/// How fetches are carried out.
#[derive(Clone, Debug)]
pub struct WorkOptions {
    /// Id of the worker, see [`run_id`](crate::run_id).
    pub id: String,
    /// Whether to end when nothing waits any more.
    pub drain: bool,
    /// Threads that parse.
    pub threads: usize,
    /// Fetches that become one run of the store, and are read side by side.
    pub batch: usize,
    /// How often a fetch is tried before it is given up.
    pub attempts: u32,
}

impl WorkOptions {
    /// Batches of eight, twelve attempts over some twenty minutes.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            drain: false,
            threads: 1,
            batch: 8,
            attempts: 12,
        }
    }
}

const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// How long a fetch waits that has failed after so many attempts before: some
/// seconds, and twice as many each time, up to five minutes, half of it by
/// chance.
pub(in crate::adt) fn retry_wait(attempts: u32, random: &dyn Random) -> Duration {
    let most = FIRST_RETRY
        .saturating_mul(1 << attempts.min(16))
        .min(LAST_RETRY);
    let mut bits = [0; 2];
    random.fill(&mut bits);
    let share = u32::from(u16::from_le_bytes(bits)) + 1;
    most / 2 + most / 2 * share / (1 << 16)
}
