use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Tells the time and lets it pass. An argument wherever either matters, so
/// that tests decide both and never wait.
pub trait Clock: Send + Sync {
    /// The instant now.
    fn now(&self) -> SystemTime;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration);
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// Asks whoever waits or retries to stop. Clones ask the same.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// How long a waiter may go on after it was asked to stop.
    const SLICE: Duration = Duration::from_millis(250);

    /// Nothing asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is asked for by setting `flag`, such as a signal handler's.
    #[must_use]
    pub const fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// The flag behind it: true asks to stop.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Asks to stop.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets `duration` pass on `clock`; `false` when asked to stop before it
    /// was over.
    #[must_use]
    pub fn sleep(&self, clock: &dyn Clock, duration: Duration) -> bool {
        let mut left = duration;
        while !left.is_zero() {
            if self.is_interrupted() {
                return false;
            }
            let slice = left.min(Self::SLICE);
            clock.sleep(slice);
            left -= slice;
        }
        !self.is_interrupted()
    }
}
