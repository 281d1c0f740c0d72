//! The promises of every store, kept on servers of several kinds.

use ehr_sandbox::WriteSettings;
use fhir_store::conformance;
use tempfile::TempDir;

use super::{open, sandbox};

fn conforms(settings: &WriteSettings) {
    let folder = TempDir::new().expect("folder");
    let mut number = 0;
    conformance::run_all(&mut || {
        number += 1;
        let sandbox = sandbox(|builder| builder.writes(settings.clone()));
        Box::new(open(&sandbox, &folder.path().join(format!("{number}.db"))))
    });
}

#[test]
fn with_transactions() {
    conforms(&WriteSettings::default());
}

#[test]
fn with_batches() {
    let mut settings = WriteSettings::default();
    settings.transactions = false;
    conforms(&settings);
}

#[test]
fn without_bundles() {
    let mut settings = WriteSettings::default();
    settings.transactions = false;
    settings.batches = false;
    settings.unsupported = 404;
    conforms(&settings);
}

#[test]
fn where_versions_conflict_with_409() {
    let mut settings = WriteSettings::default();
    settings.mismatch = 409;
    settings.skip_unchanged = true;
    conforms(&settings);
}

#[test]
fn where_lists_of_ids_are_refused() {
    let folder = TempDir::new().expect("folder");
    let mut number = 0;
    conformance::run_all(&mut || {
        number += 1;
        let sandbox = sandbox(|builder| {
            let mut search = ehr_sandbox::SearchSettings::default();
            search.id_lists = false;
            builder.search(search)
        });
        Box::new(open(&sandbox, &folder.path().join(format!("{number}.db"))))
    });
}
