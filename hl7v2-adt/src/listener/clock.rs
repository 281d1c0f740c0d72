//! The clock of the system's socket timeouts, which the deadlines are made of.

use std::time::{Duration, Instant};

/// An instant by which something has to be done.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// `None` is never: a duration too long to be added.
    #[expect(
        clippy::disallowed_methods,
        reason = "socket timeouts can't be told another time"
    )]
    pub(super) fn after(duration: Duration) -> Option<Self> {
        Instant::now().checked_add(duration).map(Self)
    }

    /// The time until then; `None` when it has passed.
    #[expect(
        clippy::disallowed_methods,
        reason = "socket timeouts can't be told another time"
    )]
    pub(super) fn remaining(self) -> Option<Duration> {
        let remaining = self.0.saturating_duration_since(Instant::now());
        (!remaining.is_zero()).then_some(remaining)
    }
}
