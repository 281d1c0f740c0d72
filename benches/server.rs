//! Loads into a FHIR server beside a plain loop that posts the same documents
//! to it as transaction Bundles.
//!
//! `cargo bench -p ingest-benches --bench server -- [URL [ROUNDS [RESOURCES]]]`
//!
//! Without a URL the server is the sandbox, in this process. All take turns in
//! one run, each with ids of its own: a server is slower the more it has. A
//! write is one document, a resource or its Provenance.

// A table on standard output, and the time it took, are what this is for.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

mod support;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use ehr_sandbox::{Data, Sandbox};
use fhir_http::{
    Client, FhirClient, Random as _, SystemClock, SystemRandom, UreqClient, UreqConfig,
};
use fhir_store::{InMemoryStore, ResourceStore as _, ServerSettings, ServerStore, Store};
use ingest_pipeline::{IdMode, Load, LoadOptions, RunSummary, Settings, inputs, run_id};

use support::Input;

const ROUNDS: usize = 5;
/// How much of the input is taken.
const RESOURCES: usize = 2000;
/// Documents in a Bundle of the plain loop.
const SIZES: [usize; 3] = [100, 200, 500];
const CLIENTS: [usize; 2] = [1, 4];

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let sandbox = match arguments.first() {
        Some(_) => None,
        None => {
            let builder = Sandbox::builder().open().data(Data::default()).writable();
            Some(builder.start()?)
        }
    };
    let base = match (&sandbox, arguments.first()) {
        (Some(sandbox), _) => sandbox.base(),
        (None, url) => url.cloned().unwrap_or_default(),
    };
    let number = |index: usize, otherwise: usize| {
        let given = arguments.get(index);
        given.map_or(Ok(otherwise), |text| text.parse())
    };
    let (rounds, resources) = (number(1, ROUNDS)?, number(2, RESOURCES)?);
    let transport = UreqClient::new(&UreqConfig::default())?;
    let client = Client::new(Arc::new(transport), Arc::new(SystemClock));
    let server = FhirClient::new(client, &base)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("input.ndjson");
    let mut text = Vec::new();
    for line in Input::load().lines().take(resources) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    std::fs::write(&file, text)?;
    compare(&server, &file, rounds)
}

/// Lets the contenders take turns and prints what they reached.
fn compare(server: &FhirClient, file: &Path, rounds: usize) -> Result<()> {
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    let mut note = |name: &str, writes: u64, began: Instant| {
        let rate = writes as f64 / began.elapsed().as_secs_f64();
        match rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1.push(rate),
            None => rows.push((name.to_owned(), vec![rate])),
        }
    };
    for round in 0..rounds {
        for size in SIZES {
            for clients in CLIENTS {
                let mut store = InMemoryStore::new();
                load(
                    file,
                    &format!("urn:bench:{round}:{size}:{clients}"),
                    &mut store,
                )?;
                let documents = documents(&mut store)?;
                let began = Instant::now();
                post(server, &documents, size, clients)?;
                let name = format!("plain loop, {size} to a Bundle, {clients} at a time");
                note(&name, documents.len() as u64, began);
            }
        }
        let folder = tempfile::tempdir()?;
        for name in ["load", "load again, unchanged"] {
            let state = folder.path().join("state.db");
            let mut store = ServerStore::open(state, server.clone(), ServerSettings::default())?;
            let began = Instant::now();
            let summary = load(file, &format!("urn:bench:{round}:load"), &mut store)?;
            note(name, summary.resources * 2, began);
            let refused = summary.quarantined > 0 || !summary.held.is_empty();
            if refused {
                return Err("the server doesn't take all of the input".into());
            }
        }
    }
    println!("| writes/s | median | least | most |");
    println!("| --- | ---: | ---: | ---: |");
    for (name, mut rates) in rows {
        rates.sort_by(f64::total_cmp);
        let (least, most) = (rates[0], rates[rates.len() - 1]);
        let median = rates[rates.len() / 2];
        println!("| {name} | {median:.0} | {least:.0} | {most:.0} |");
    }
    Ok(())
}

/// Under ids that depend on the source system.
fn load(file: &Path, source_system: &str, store: &mut dyn Store) -> Result<RunSummary> {
    let settings = Settings {
        source_system: source_system.to_owned(),
        id_mode: IdMode::Hash,
        id_key: None,
        mrn_system: None,
        bases: Vec::new(),
    };
    let mut random = [0; 10];
    SystemRandom.fill(&mut random);
    let run = run_id(&SystemClock, random);
    let options = LoadOptions::new(settings, run, std::env::temp_dir());
    let files = inputs(&[file.to_owned()])?;
    Ok(Load::new(options, &files).run(store, &SystemClock, &mut ())?)
}

/// What a store has: entries of a transaction.
fn documents(store: &mut InMemoryStore) -> Result<Vec<String>> {
    let mut documents = Vec::new();
    let entry = |name: &str, body: &str| {
        format!(r#"{{"resource":{body},"request":{{"method":"PUT","url":"{name}"}}}}"#)
    };
    for stored in store.scan(None, 0, usize::MAX)? {
        let (kind, id) = (&stored.resource_type, &stored.id);
        let body = stored.body.as_deref().ok_or("a body")?;
        documents.push(entry(&format!("{kind}/{id}"), body));
        let provenance = store.provenance(kind, id, 1)?.ok_or("a Provenance")?;
        let provenance = String::from_utf8(provenance)?;
        let id: serde_json::Value = serde_json::from_str(&provenance)?;
        let id = id["id"].as_str().ok_or("an id")?;
        documents.push(entry(&format!("Provenance/{id}"), &provenance));
    }
    Ok(documents)
}

/// The plain loop.
fn post(server: &FhirClient, documents: &[String], size: usize, clients: usize) -> Result<()> {
    let bundles: Vec<_> = documents.chunks(size).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(bundle) = bundles.get(next.fetch_add(1, Ordering::Relaxed)) {
            let entries = bundle.join(",");
            let bundle =
                format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
            let answers = server.transaction(bundle.into_bytes())?;
            if answers.len() != entries.matches(r#""request":{"method":"PUT""#).count() {
                return Err("an answer for each".into());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(work)).collect();
        let mut results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.try_for_each(|result| result)
    })
}
