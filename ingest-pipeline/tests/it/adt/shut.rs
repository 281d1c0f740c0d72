//! Workers beside a first load that has the store for itself.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use ingest_pipeline::Result;
use ingest_pipeline::access::{SqliteFile, StoreAccess};
use ingest_pipeline::store::{Error, ResourceStore as _, SqliteStore, Store};

use super::work::{Site, message};

/// A store that can't be read so many times.
struct Shut {
    file: SqliteFile,
    times: AtomicU32,
}

impl StoreAccess for Shut {
    fn open(&self) -> Result<Box<dyn Store>> {
        self.file.open()
    }

    fn read(&self) -> Result<Box<dyn Store>> {
        self.file.read()
    }

    fn file(&self) -> &Path {
        self.file.file()
    }

    fn is_file(&self) -> bool {
        true
    }

    fn records(&self) -> Result<Option<SqliteStore>> {
        let left = self.times.load(Ordering::Relaxed);
        if left == 0 {
            return self.file.records();
        }
        self.times.store(left - 1, Ordering::Relaxed);
        let path = self.file.0.clone();
        Err(Error::Busy { path }.into())
    }
}

#[test]
fn a_fetch_waits_for_it_and_is_not_given_up() {
    let site = Site::new(|builder| builder);
    let receiver = site.receiver();
    let (id, mrn) = site.mrn(0);
    receiver.take_one(&message("A08", "1", &mrn, ""));
    // More often than a fetch is tried that fails.
    let shut = Shut {
        file: SqliteFile(site.own.db()),
        times: AtomicU32::new(30),
    };
    let summary = site.drain_into(&shut);
    assert_eq!(shut.times.into_inner(), 0);
    assert!(summary.created > 0);
    assert!(site.store().get("Patient", &id).unwrap().is_some());
    assert!(site.own.state().dead_letters().unwrap().is_empty());
}
