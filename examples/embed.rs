//! The example of the README: a folder into a store, in twenty lines.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::path::PathBuf;

use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Load, LoadOptions, Settings, SystemClock, inputs, run_id};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = inputs(&[PathBuf::from("examples/data")])?; // NDJSON, Bundles, folders of them
    let folder = tempfile::tempdir()?; // a real program keeps its store
    let mut store = SqliteStore::open(folder.path().join("acme.db"))?;

    let run = run_id(&SystemClock, [7; 10]); // take these bits from a random generator
    let mut options = LoadOptions::new(Settings::new("urn:acme:ehr"), run, folder.path());
    options.threads = 2;

    let summary = Load::new(options, &files).run(&mut store, &SystemClock, &mut ())?;
    println!(
        "{} created, {} updated, {} refused",
        summary.created, summary.updated, summary.quarantined
    );
    Ok(())
}
