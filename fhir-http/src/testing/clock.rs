use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::Clock;

/// A clock that stands still, except that sleeping moves it.
#[derive(Debug)]
pub struct FakeClock {
    state: Mutex<(SystemTime, Vec<Duration>)>,
}

impl FakeClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: SystemTime) -> Self {
        Self {
            state: Mutex::new((now, Vec::new())),
        }
    }

    /// Moves it on.
    pub fn advance(&self, duration: Duration) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 += duration;
    }

    /// Everything that was slept so far, in order.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn sleep(&self, duration: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += duration;
        state.1.push(duration);
    }
}
