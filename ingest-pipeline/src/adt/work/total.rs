use fhir_store::RunState;

use crate::RunSummary;

/// What all runs did together.
pub(super) struct Total {
    summary: RunSummary,
    /// When the first fetch began.
    pub(super) started: Option<i64>,
}

impl Total {
    pub(super) fn new(id: &str) -> Self {
        Self {
            summary: RunSummary::empty(id),
            started: None,
        }
    }

    pub(super) fn add(&mut self, run: &RunSummary) {
        self.summary.add(run);
    }

    pub(super) fn finish(mut self, elapsed: i64, interrupted: bool) -> RunSummary {
        self.summary.elapsed_ms = u64::try_from(elapsed).unwrap_or_default();
        if interrupted {
            self.summary.state = RunState::Interrupted;
        }
        self.summary
    }
}
