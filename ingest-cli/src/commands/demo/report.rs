use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ingest_pipeline::bulk::BulkSummary;
use ingest_pipeline::probe::ProbeReport;
use ingest_pipeline::store::{ResourceStore as _, RunState, SqliteStore};
use serde::Serialize;

use super::adt::AdtReport;
use super::ehr::Ehr;
use crate::commands::{load, test};
use crate::exit::Failure;
use crate::report;

/// What the demo did, and whether it came out right.
#[derive(Serialize)]
pub(super) struct Report {
    ehr: String,
    patients: usize,
    jwks_url: String,
    /// Of the keys that signed, the first and the one after it.
    kids: [String; 2],
    test: Option<ProbeReport>,
    exports: Vec<BulkSummary>,
    adt: Option<AdtReport>,
    /// Resources that the EHR deleted between the exports.
    deleted_at_ehr: usize,
    by_type: BTreeMap<String, Reconciled>,
    passed: bool,
    elapsed_ms: u64,
    kept: Option<String>,
}

/// The EHR and the store, compared.
#[derive(Default, Serialize)]
struct Reconciled {
    in_ehr: u64,
    in_store: u64,
    /// Resources of the EHR that the store does not have.
    missing: u64,
    /// Resources of the store that the EHR does not have.
    surplus: u64,
}

impl Report {
    pub(super) fn new(ehr: &Ehr) -> Self {
        Self {
            ehr: ehr.base(),
            patients: ehr.patients,
            jwks_url: ehr.jwks_url(),
            kids: ehr.kids.clone(),
            test: None,
            exports: Vec::new(),
            adt: None,
            deleted_at_ehr: 0,
            by_type: BTreeMap::new(),
            passed: false,
            elapsed_ms: 0,
            kept: None,
        }
    }

    pub(super) fn tested(&mut self, report: ProbeReport) {
        self.test = Some(report);
    }

    pub(super) fn exported(&mut self, summary: BulkSummary) {
        self.exports.push(summary);
    }

    pub(super) fn sent(&mut self, report: AdtReport) {
        self.adt = Some(report);
    }

    pub(super) const fn changed(&mut self, deleted: usize) {
        self.deleted_at_ehr = deleted;
    }

    /// Compares the store with the EHR, resource by resource.
    pub(super) fn reconcile(&mut self, ehr: &Ehr, store: &mut SqliteStore) -> Result<(), Failure> {
        let data = ehr.data();
        for resource in data.resources() {
            let counts = self
                .by_type
                .entry(resource.resource_type().to_owned())
                .or_default();
            let stored = store.get(resource.resource_type(), resource.id())?;
            counts.in_ehr += 1;
            counts.missing += u64::from(stored.is_none_or(|stored| stored.deleted));
        }
        let mut after = 0;
        loop {
            let page = store.scan(None, after, 1 << 20)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for stored in page.iter().filter(|stored| !stored.deleted) {
                let counts = self
                    .by_type
                    .entry(stored.resource_type.clone())
                    .or_default();
                counts.in_store += 1;
                let known = data.resource(&stored.resource_type, &stored.id);
                counts.surplus += u64::from(known.is_none());
            }
        }
        Ok(())
    }

    /// Whether it came out right.
    pub(super) fn finish(&mut self, elapsed: Duration, kept: Option<&Path>) -> bool {
        self.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.kept = kept.map(|path| path.display().to_string());
        let completed = |summary: &BulkSummary| summary.run.state == RunState::Completed;
        let idle = self
            .exports
            .last()
            .is_some_and(|last| last.run.created + last.run.updated + last.run.deleted == 0);
        let even = |counts: &Reconciled| {
            counts.missing == 0 && counts.surplus == 0 && counts.in_ehr == counts.in_store
        };
        self.passed = self.exports.len() == 3
            && self.exports.iter().all(completed)
            && idle
            && self.adt.as_ref().is_some_and(AdtReport::is_right)
            && self.by_type.values().all(even);
        self.passed
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return report::json(self);
        }
        report::lines(self.text())
    }

    fn text(&self) -> Vec<String> {
        let mut lines = vec![
            format!("EHR   {} patients at {}", self.patients, self.ehr),
            format!("keys  ES384, published at {}", self.jwks_url),
        ];
        let [first, next] = &self.kids;
        lines.extend([
            format!("      {first} signs the first export"),
            format!("      {next} the others, after a rotation"),
            String::new(),
        ]);
        lines.extend(self.test.iter().flat_map(test::text));
        let heads = ["first export", "after changes at the EHR", "once more"];
        for (head, summary) in heads.iter().zip(&self.exports) {
            lines.extend([String::new(), format!("{head}:")]);
            let since = summary.since.as_deref().unwrap_or("the beginning");
            lines.push(format!(
                "changes since {since}, up to {}",
                summary.transaction_time
            ));
            lines.extend(load::text(&summary.run));
        }
        if let Some(adt) = &self.adt {
            let counts = &adt.received;
            lines.extend([
                String::new(),
                "a day of ADT messages over MLLP:".to_owned(),
                format!(
                    "{} messages, {} answered as they should be: accepted {}, ignored {}, duplicates {}, rejected {}",
                    counts.received,
                    adt.answered_right,
                    counts.accepted,
                    counts.ignored,
                    counts.duplicates,
                    counts.rejected
                ),
                format!(
                    "{} fetches; {} dead letters, {} of them meant to be",
                    counts.queued_fetches, adt.dead, adt.expected_dead
                ),
            ]);
            lines.extend(load::text(&adt.fetched));
        }
        if !self.by_type.is_empty() {
            lines.extend([String::new(), "reconciled:".to_owned()]);
            let heads = ["type", "in the EHR", "in the store", "missing", "surplus"];
            let mut rows = vec![heads.map(str::to_owned).to_vec()];
            rows.extend(self.by_type.iter().map(|(name, counts)| {
                vec![
                    name.clone(),
                    counts.in_ehr.to_string(),
                    counts.in_store.to_string(),
                    counts.missing.to_string(),
                    counts.surplus.to_string(),
                ]
            }));
            lines.extend(report::table(&rows));
        }
        let verdict = if self.passed {
            "passed"
        } else {
            "did NOT pass"
        };
        let seconds = self.elapsed_ms as f64 / 1000.0;
        lines.extend([
            String::new(),
            format!("the demo {verdict}, in {seconds:.1} s"),
        ]);
        if let Some(folder) = &self.kept {
            lines.push(format!("store, keys and configuration are in {folder}"));
        }
        lines
    }
}
