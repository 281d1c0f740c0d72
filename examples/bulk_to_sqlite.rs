//! Exports a configured connection into an SQLite file: everything the first
//! time, and from then on what has changed.
//!
//! `cargo run --example bulk_to_sqlite INGEST_TOML CONNECTION STORE`
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::path::Path;

use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::bulk::{Bulk, BulkOptions};
use ingest_pipeline::config::Config;
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::State;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [config, connection, store] = &arguments[..] else {
        return Err("arguments: INGEST_TOML CONNECTION STORE".into());
    };
    let settings = Config::read(Path::new(config))?.connection(connection)?;
    let store = SqliteFile(store.into());
    // Leases, the export that runs, and up to when everything is there.
    let mut state = State::open(&State::path_beside(&store.0))?;

    // `around.interrupt` stops both the waiting and the loading.
    let around = Surroundings::system(|name| std::env::var(name).ok());
    let holder = format!("process {}", std::process::id());
    let options = BulkOptions::new(around.run_id(), holder);
    let summary = Bulk::new(&settings, options, &around).run(&store, &mut state, &mut ())?;

    println!("{}: {} files", summary.run.state.as_str(), summary.files);
    println!("since {}", summary.since.as_deref().unwrap_or("ever"));
    println!(
        "{} created, {} updated, {} unchanged, {} deleted, {} quarantined",
        summary.run.created,
        summary.run.updated,
        summary.run.unchanged,
        summary.run.deleted,
        summary.run.quarantined
    );
    Ok(())
}
