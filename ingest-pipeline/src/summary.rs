use std::collections::BTreeMap;

use fhir_store::{Counts, RunState, StoreReport, Unresolved};
use serde::{Serialize, Serializer};

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// Id of the run.
    pub run: String,
    /// How it ended.
    #[serde(serialize_with = "state")]
    pub state: RunState,
    /// Resources dealt with: the sum of created, updated, unchanged, deleted
    /// and quarantined.
    pub resources: u64,
    /// New resources.
    pub created: u64,
    /// Resources with a new version.
    pub updated: u64,
    /// Resources whose content was there already.
    pub unchanged: u64,
    /// Resources deleted.
    pub deleted: u64,
    /// Records refused.
    pub quarantined: u64,
    /// Resources with missing data that was marked as absent.
    pub remediated: u64,
    /// Provenances written: the sum of created, updated and deleted.
    pub provenance: u64,
    /// Conditional references left as they are, for want of exactly one match.
    pub unresolved_references: u64,
    /// Files that could not be read to their end.
    pub refused_files: u64,
    /// Writes that the store's server did not take yet: they are in the state
    /// of the store, and sent again by the next run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// Resources that somebody else had changed or deleted on the store's
    /// server.
    #[serde(skip_serializing_if = "is_zero")]
    pub drifted: u64,
    /// Resources counted as written, by this run or an earlier one, that the
    /// store's server refused in the end. They are in the quarantine.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_late: u64,
    /// Bytes of decoded input.
    pub bytes: u64,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
    /// Why it is partial, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same by resource type; records of no readable type are `Unknown`.
    pub by_type: BTreeMap<&'static str, TypeCounts>,
}

impl RunSummary {
    /// Of nothing.
    #[cfg(feature = "adt")]
    pub(crate) fn empty(run: &str) -> Self {
        Tally::default().summary(run.to_owned(), RunState::Completed, 0)
    }

    /// Notes what happened between the store and its server.
    pub(crate) fn told(&mut self, report: StoreReport) {
        self.drifted = report.drifted;
        self.refused_late = report.refused_late;
        self.held = report.unresolved.into_iter().map(Held::from).collect();
    }

    /// Adds what another run did.
    #[cfg(feature = "adt")]
    pub(crate) fn add(&mut self, other: &Self) {
        self.resources += other.resources;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.quarantined += other.quarantined;
        self.remediated += other.remediated;
        self.provenance += other.provenance;
        self.unresolved_references += other.unresolved_references;
        self.refused_files += other.refused_files;
        self.drifted += other.drifted;
        self.refused_late += other.refused_late;
        // What still waits is told by the last.
        self.held.clone_from(&other.held);
        self.bytes += other.bytes;
        for (name, counts) in &other.by_type {
            let own = self.by_type.entry(name).or_default();
            own.resources += counts.resources;
            own.created += counts.created;
            own.updated += counts.updated;
            own.unchanged += counts.unchanged;
            own.deleted += counts.deleted;
            own.quarantined += counts.quarantined;
            own.remediated += counts.remediated;
        }
    }
}

/// Writes of one type that the store's server did not take yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Type of the resources.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Type of the issue that the server named; empty for what it was not told
    /// yet.
    pub code: String,
    /// How many there are.
    pub writes: u64,
}

impl From<Unresolved> for Held {
    fn from(own: Unresolved) -> Self {
        Self {
            resource_type: own.resource_type,
            code: own.code,
            writes: own.writes,
        }
    }
}

/// What a run did with one resource type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TypeCounts {
    /// Resources dealt with.
    pub resources: u64,
    /// New resources.
    pub created: u64,
    /// Resources with a new version.
    pub updated: u64,
    /// Resources whose content was there already.
    pub unchanged: u64,
    /// Resources deleted.
    pub deleted: u64,
    /// Records refused.
    pub quarantined: u64,
    /// Resources with missing data that was marked as absent.
    pub remediated: u64,
}

impl TypeCounts {
    fn balances(&self) -> bool {
        let Self {
            created,
            updated,
            unchanged,
            deleted,
            quarantined,
            ..
        } = self;
        self.resources == created + updated + unchanged + deleted + quarantined
    }
}

/// Counts as a run goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) by_type: BTreeMap<&'static str, TypeCounts>,
    pub(crate) provenance: u64,
    pub(crate) unresolved_references: u64,
    pub(crate) refused_files: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    /// The counts of a type, where one more resource is dealt with.
    pub(crate) fn resource(&mut self, resource_type: &'static str) -> &mut TypeCounts {
        let counts = self.by_type.entry(resource_type).or_default();
        counts.resources += 1;
        counts
    }

    /// Of a write that was counted and came to nothing.
    pub(crate) fn take_back(&mut self, resource_type: &'static str, created: bool) {
        let counts = self.by_type.entry(resource_type).or_default();
        match created {
            true => counts.created -= 1,
            false => counts.updated -= 1,
        }
        counts.quarantined += 1;
        self.provenance -= 1;
    }

    fn sum(&self, count: impl Fn(&TypeCounts) -> u64) -> u64 {
        self.by_type.values().map(count).sum()
    }

    /// Every record is one of the outcomes, and every write has a Provenance.
    pub(crate) fn balances(&self) -> bool {
        self.by_type.values().all(TypeCounts::balances)
            && self.provenance
                == self.sum(|counts| counts.created + counts.updated + counts.deleted)
    }

    pub(crate) fn resources(&self) -> u64 {
        self.sum(|counts| counts.resources)
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            resources: self.resources(),
            created: self.sum(|counts| counts.created),
            updated: self.sum(|counts| counts.updated),
            unchanged: self.sum(|counts| counts.unchanged),
            deleted: self.sum(|counts| counts.deleted),
            quarantined: self.sum(|counts| counts.quarantined),
            remediated: self.sum(|counts| counts.remediated),
            provenance: self.provenance,
            bytes: self.bytes,
        }
    }

    pub(crate) fn summary(self, run: String, state: RunState, elapsed_ms: u64) -> RunSummary {
        let counts = self.counts();
        RunSummary {
            run,
            state,
            resources: counts.resources,
            created: counts.created,
            updated: counts.updated,
            unchanged: counts.unchanged,
            deleted: counts.deleted,
            quarantined: counts.quarantined,
            remediated: counts.remediated,
            provenance: counts.provenance,
            unresolved_references: self.unresolved_references,
            refused_files: self.refused_files,
            held: Vec::new(),
            drifted: 0,
            refused_late: 0,
            bytes: counts.bytes,
            elapsed_ms,
            error: None,
            by_type: self.by_type,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn state<S: Serializer>(state: &RunState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}
