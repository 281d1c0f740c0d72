//! Loads files of FHIR resources into an SQLite file, twice: the second time
//! there is nothing new.
//!
//! `cargo run --example load_folder [FOLDER [STORE]]`; without arguments the
//! sample data goes into a store that is thrown away.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::path::{Path, PathBuf};

use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Load, LoadOptions, Settings, SystemClock, inputs, run_id};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let folder = arguments.next().unwrap_or(sample);
    let temporary = tempfile::tempdir()?;
    let file = temporary.path().join("example.db");
    let mut store = SqliteStore::open(arguments.next().unwrap_or(file))?;

    let inputs = inputs(&[folder])?;
    for attempt in 1..=2 {
        // The run id is made of the time and 80 bits; a program would take
        // random ones.
        let run = run_id(&SystemClock, [attempt; 10]);
        let settings = Settings::new("urn:example:memorial");
        let options = LoadOptions {
            organization: "Acme Health".to_owned(),
            threads: 2,
            ..LoadOptions::new(settings, run, temporary.path())
        };
        let summary = Load::new(options, &inputs).run(&mut store, &SystemClock, &mut ())?;
        println!(
            "load {attempt}: {} resources, {} created, {} updated, {} unchanged, {} quarantined",
            summary.resources,
            summary.created,
            summary.updated,
            summary.unchanged,
            summary.quarantined
        );
        for (resource_type, counts) in &summary.by_type {
            println!("  {resource_type}: {}", counts.resources);
        }
    }
    Ok(())
}
