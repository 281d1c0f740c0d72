//! A store that fails, and a person who has had enough.

use fhir_store::{
    Amend, Counts, Delete, DeleteOutcome, Error, InMemoryStore, NewRun, Put, PutOutcome,
    QuarantineRecord, Refused, ResourceStore, Result, RunRecord, RunState, RunStore, Stored,
    WriteContext,
};
use ingest_pipeline::{Event, Load, Observer};

use crate::support::{Folder, Stopped, content, load, options, try_load};

/// Lines of about a kilobyte, so that a few thousand make several chunks.
fn lines(count: usize) -> String {
    let padding = "x".repeat(1000);
    (0..count)
        .map(|id| format!("{{\"resourceType\":\"Basic\",\"id\":\"{id}\",\"code\":{{\"text\":\"{padding}\"}}}}\n"))
        .collect()
}

/// Fails in the put of this number, once.
struct Failing {
    inner: InMemoryStore,
    puts: usize,
    fails: usize,
}

#[test]
fn a_store_that_fails_ends_the_run_and_the_next_one_finishes_the_work() {
    let text = lines(4_000);
    let folder = Folder::new(&[("a.ndjson", &text)]);
    let undisturbed = content(&mut crate::support::loaded(&folder));
    for fails in [1, 2, 4] {
        let mut store = Failing {
            inner: InMemoryStore::new(),
            puts: 0,
            fails,
        };
        let error = try_load(&mut store, &folder, &folder.inputs(), 2).expect_err("a failure");
        assert!(matches!(error, ingest_pipeline::Error::Store(_)));
        let run = &store.runs(1).expect("runs")[0];
        assert_eq!(run.state, RunState::Failed);
        assert!(run.error.is_some() && run.finished.is_some());
        let summary = load(&mut store, &folder);
        assert_eq!(
            (summary.state, summary.resources),
            (RunState::Completed, 4_000)
        );
        assert!(content(&mut store) == undisturbed);
    }
}

/// Asks to stop after some progress.
struct Impatient {
    interrupt: ingest_pipeline::Interrupt,
    after: u64,
}

impl Observer for Impatient {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Progress { resources, .. } = event
            && *resources >= self.after
        {
            self.interrupt.interrupt();
        }
    }
}

#[test]
fn an_interrupted_run_keeps_what_it_did_and_the_next_one_finishes_the_work() {
    let text = lines(10_000);
    let folder = Folder::new(&[("a.ndjson", &text)]);
    let inputs = folder.inputs();
    let mut store = InMemoryStore::new();
    let load_some = Load::new(options(&folder, 2), &inputs);
    let mut observer = Impatient {
        interrupt: load_some.interrupt(),
        after: 1_000,
    };
    let summary = load_some
        .run(&mut store, &Stopped, &mut observer)
        .expect("a load");
    assert_eq!(summary.state, RunState::Interrupted);
    assert!(summary.created >= 1_000 && summary.created < 10_000);
    let second = load(&mut store, &folder);
    assert_eq!(second.state, RunState::Completed);
    assert_eq!(second.created + summary.created, 10_000);
    assert_eq!(second.unchanged, summary.created);
}

impl ResourceStore for Failing {
    fn put(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()> {
        self.puts += 1;
        if self.puts == self.fails {
            return Err(Error::ReadOnly);
        }
        self.inner.put(context, batch, outcomes)
    }

    fn delete(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Delete<'_>],
        outcomes: &mut Vec<DeleteOutcome>,
    ) -> Result<()> {
        self.inner.delete(context, batch, outcomes)
    }

    fn amend(&mut self, batch: &[Amend<'_>]) -> Result<()> {
        self.inner.amend(batch)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn get(&mut self, resource_type: &str, id: &str) -> Result<Option<Stored>> {
        self.inner.get(resource_type, id)
    }

    fn history(&mut self, resource_type: &str, id: &str) -> Result<Vec<Stored>> {
        self.inner.history(resource_type, id)
    }

    fn scan(&mut self, only: Option<&str>, after: u64, max_bytes: usize) -> Result<Vec<Stored>> {
        self.inner.scan(only, after, max_bytes)
    }

    fn find_by_identifier(
        &mut self,
        resource_type: &str,
        system: &str,
        value: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.inner
            .find_by_identifier(resource_type, system, value, limit)
    }

    fn provenance(&mut self, name: &str, id: &str, version: u64) -> Result<Option<Vec<u8>>> {
        self.inner.provenance(name, id, version)
    }

    fn types(&mut self) -> Result<Vec<String>> {
        self.inner.types()
    }
}

impl RunStore for Failing {
    fn start_run(&mut self, run: &NewRun<'_>) -> Result<()> {
        self.inner.start_run(run)
    }

    fn update_run(&mut self, id: &str, counts: &Counts) -> Result<()> {
        self.inner.update_run(id, counts)
    }

    fn finish_run(
        &mut self,
        id: &str,
        state: RunState,
        finished: i64,
        counts: &Counts,
        error: Option<&str>,
        summary: Option<&str>,
    ) -> Result<()> {
        self.inner
            .finish_run(id, state, finished, counts, error, summary)
    }

    fn interrupt_stale_runs(&mut self, now: i64) -> Result<u64> {
        self.inner.interrupt_stale_runs(now)
    }

    fn runs(&mut self, limit: usize) -> Result<Vec<RunRecord>> {
        self.inner.runs(limit)
    }

    fn run(&mut self, id: &str) -> Result<Option<RunRecord>> {
        self.inner.run(id)
    }

    fn unfinished_runs(&mut self) -> Result<Vec<String>> {
        self.inner.unfinished_runs()
    }

    fn quarantine(&mut self, run: &str, record: &Refused<'_>) -> Result<bool> {
        self.inner.quarantine(run, record)
    }

    fn quarantined(
        &mut self,
        run: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QuarantineRecord>> {
        self.inner.quarantined(run, after, limit)
    }

    fn quarantine_record(&mut self, id: u64) -> Result<Option<QuarantineRecord>> {
        self.inner.quarantine_record(id)
    }

    fn add_aliases(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        self.inner.add_aliases(source_system, patients)
    }

    fn aliases(&mut self, source_system: &str) -> Result<Vec<String>> {
        self.inner.aliases(source_system)
    }

    fn add_patient_references(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        self.inner.add_patient_references(source_system, patients)
    }

    fn pending_repoints(&mut self, source_system: &str) -> Result<Vec<String>> {
        self.inner.pending_repoints(source_system)
    }

    fn settle_aliases(&mut self, source_system: &str) -> Result<()> {
        self.inner.settle_aliases(source_system)
    }
}
