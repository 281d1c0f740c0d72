//! A store of your own: run the conformance suite over it, then load into it
//! and watch. The store in memory stands in for yours.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;

use fhir_store::{InMemoryStore, ResourceStore, conformance};
use ingest_pipeline::{Event, Load, LoadOptions, Observer, Settings, SystemClock, inputs, run_id};

/// Prints what was refused. Events hold nothing of a record's content.
struct Refusals;

impl Observer for Refusals {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Quarantined { line, reason, .. } = event {
            println!("line {}: {reason}", line.unwrap_or_default());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    conformance::run_all(&mut || Box::new(InMemoryStore::new()));
    println!("the store keeps its promises");

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("Patient.ndjson");
    let lines = [
        r#"{"resourceType":"Patient","id":"p1","gender":"male"}"#,
        r#"{"resourceType":"Patient","#,
        r#"{"resourceType":"Patient","id":"p1","gender":"female"}"#,
    ];
    std::fs::write(&file, lines.join("\n"))?;
    let run = run_id(&SystemClock, [7; 10]);
    let options = LoadOptions::new(Settings::new("urn:example:memorial"), run, folder.path());
    let mut store = InMemoryStore::new();
    Load::new(options, &inputs(&[file])?).run(&mut store, &SystemClock, &mut Refusals)?;

    for stored in store.history("Patient", "p1")? {
        let body = stored.body.unwrap_or_default();
        println!("version {}: {body}", stored.version);
    }
    Ok(())
}
