//! The time of the runtime, whose timers the deadlines are.

use std::time::Duration;

use tokio::time::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `None` is never: a duration too long to be added.
pub(crate) fn after(duration: Duration) -> Option<Instant> {
    now().checked_add(duration)
}
