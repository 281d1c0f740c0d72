use std::collections::HashSet;

/// Versions that were current when the writer was made and are not any more, or have another body.
#[derive(Default)]
pub(super) struct Changes {
    noted: HashSet<i64>,
    are_unknown: bool,
}

impl Changes {
    /// Of a writer that was made after others had written.
    pub(super) fn unknown() -> Self {
        Self {
            noted: HashSet::new(),
            are_unknown: true,
        }
    }

    pub(super) fn note(&mut self, seq: i64) {
        // Memory stays flat: where so much changes, there is little to recognize.
        self.are_unknown |= self.noted.len() >= MOST;
        if !self.are_unknown {
            self.noted.insert(seq);
        }
    }

    /// Whether it is certain that this version is as it was.
    pub(super) fn lack(&self, seq: i64) -> bool {
        !self.are_unknown && !self.noted.contains(&seq)
    }
}

/// About 24 MiB.
const MOST: usize = 1 << 20;
