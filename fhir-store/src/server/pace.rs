//! How much goes out at once.

use super::ServerSettings;

/// Sizes of Bundles and the number of requests at the same time: halved where the server complains, grown by steps while it doesn't.
pub(super) struct Pace {
    most: ServerSettings,
    now: ServerSettings,
    /// Requests that went well since the last complaint.
    well: usize,
}

impl Pace {
    pub(super) fn new(most: ServerSettings) -> Self {
        let most = ServerSettings {
            bundle_writes: most.bundle_writes.max(1),
            bundle_bytes: most.bundle_bytes.max(1),
            concurrency: most.concurrency.max(1),
        };
        Self {
            most,
            now: most,
            well: 0,
        }
    }

    pub(super) const fn now(&self) -> ServerSettings {
        self.now
    }

    /// A Bundle of so many writes and bytes was too large, or took too long.
    pub(super) fn too_large(&mut self, writes: usize, bytes: usize) {
        self.well = 0;
        self.now.bundle_writes = (writes / 2).clamp(1, self.now.bundle_writes);
        self.now.bundle_bytes = (bytes / 2).clamp(1, self.now.bundle_bytes);
    }

    /// The server has too much to do.
    pub(super) fn too_many(&mut self) {
        self.well = 0;
        self.now.concurrency = (self.now.concurrency / 2).max(1);
    }

    /// A request went well.
    pub(super) fn well(&mut self) {
        self.well += 1;
        if self.well < PATIENCE {
            return;
        }
        self.well = 0;
        let (now, most) = (&mut self.now, &self.most);
        now.concurrency = (now.concurrency + 1).min(most.concurrency);
        let grown = |now: usize, most: usize| (now + now / 4 + 1).min(most);
        now.bundle_writes = grown(now.bundle_writes, most.bundle_writes);
        now.bundle_bytes = grown(now.bundle_bytes, most.bundle_bytes);
    }
}

/// Requests that have to go well before more is tried.
const PATIENCE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_halve_and_patience_grows() {
        let most = ServerSettings::default().bundle_bytes(1_000);
        let mut pace = Pace::new(most);
        assert_eq!(pace.now(), most);
        pace.too_large(80, 900);
        pace.too_many();
        assert_eq!(
            (
                pace.now().bundle_writes,
                pace.now().bundle_bytes,
                pace.now().concurrency
            ),
            (40, 450, 2)
        );
        for _ in 0..PATIENCE {
            pace.well();
        }
        assert_eq!(
            (
                pace.now().bundle_writes,
                pace.now().bundle_bytes,
                pace.now().concurrency
            ),
            (51, 563, 3)
        );
        for _ in 0..PATIENCE * 20 {
            pace.well();
        }
        assert_eq!(pace.now(), most);
        for _ in 0..20 {
            pace.too_large(1, 1);
            pace.too_many();
        }
        assert_eq!(
            (
                pace.now().bundle_writes,
                pace.now().bundle_bytes,
                pace.now().concurrency
            ),
            (1, 1, 1)
        );
    }
}
