//! What the tests share: inputs, runs and comparable contents.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ingest_pipeline::store::{InMemoryStore, ResourceStore, Store};
use ingest_pipeline::{
    Clock, Input, Load, LoadOptions, Result, RunSummary, Settings, inputs, run_id,
};

/// A clock that stands.
pub(crate) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn sleep(&self, _: Duration) {}
}

/// Files of NDJSON in a folder of their own.
pub(crate) struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("room for a file");
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn inputs(&self) -> Vec<Input> {
        inputs(&[self.path().to_owned()]).expect("files")
    }

    /// The files in this order instead of that of their names.
    pub(crate) fn inputs_in(&self, order: &[&str]) -> Vec<Input> {
        let paths: Vec<PathBuf> = order.iter().map(|name| self.path().join(name)).collect();
        inputs(&paths).expect("files")
    }
}

pub(crate) fn options(folder: &Folder, threads: usize) -> LoadOptions {
    // Runs of one instant need ids of their own.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&RUNS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let run = run_id(&Stopped, random);
    LoadOptions {
        threads,
        ..LoadOptions::new(Settings::new("urn:test"), run, folder.path())
    }
}

pub(crate) fn load(store: &mut dyn Store, folder: &Folder) -> RunSummary {
    try_load(store, folder, &folder.inputs(), 2).expect("a load")
}

pub(crate) fn try_load(
    store: &mut dyn Store,
    folder: &Folder,
    inputs: &[Input],
    threads: usize,
) -> Result<RunSummary> {
    Load::new(options(folder, threads), inputs).run(store, &Stopped, &mut ())
}

/// All versions of all resources: type, id, version, deleted, body.
pub(crate) fn content(store: &mut dyn ResourceStore) -> Vec<(String, String, u64, bool, String)> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let slice = store.scan(None, after, 1 << 20).expect("a scan");
        let Some(last) = slice.last() else { break };
        after = last.sequence;
        for current in slice {
            for stored in store
                .history(&current.resource_type, &current.id)
                .expect("a history")
            {
                let body = stored.body.unwrap_or_default();
                all.push((
                    stored.resource_type,
                    stored.id,
                    stored.version,
                    stored.deleted,
                    body,
                ));
            }
        }
    }
    all.sort();
    all
}

pub(crate) fn loaded(folder: &Folder) -> InMemoryStore {
    let mut store = InMemoryStore::new();
    load(&mut store, folder);
    store
}
