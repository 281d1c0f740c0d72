//! The hot paths, each on the same input every time, for `benches/guard` to
//! count the instructions of.
//!
//! ```text
//! hot NAME ROUNDS
//! ```
//!
//! Everything else is done before: the difference between one round and none is
//! what the path itself takes. One thread parses, and the clock stands still, so
//! that no run depends on how long it takes.

// A bench is a process of its own, and its arguments are how it's told what to do.
#![allow(clippy::disallowed_methods)]

#[path = "whole/generate.rs"]
mod generate;
#[path = "hot/keys.rs"]
mod keys;
#[path = "hot/server.rs"]
mod server;
#[path = "support/input.rs"]
mod support;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fhir_json::{Edits, Emitter, Tape};
use fhir_normalize::{IdMode, Normalizer, Settings};
use hl7v2_adt::{
    Ack, AckCode, AdtMessage, Header, Message, Messages, PatientIdentifierRule, Timestamp,
};
use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Clock, Input as File, Load, LoadOptions, inputs, run_id};
use sha2::{Digest, Sha256};
use support::Input;

/// After as many rounds all shapes are known, and what is made for them too.
const KNOWN: usize = 4;

/// What a load takes: some three thousand resources.
const LOAD_BYTES: u64 = 4_000_000;
const SOURCE: &str = "urn:ingest:bench";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [name, rounds] = arguments[..] else {
        return Err("expected NAME ROUNDS".into());
    };
    let rounds: usize = rounds.parse()?;
    match name {
        "parse" => parse(0..rounds),
        "parse-known" => parse(0..KNOWN + rounds),
        "canonical-hash" => canonical_hash(0..rounds),
        "canonical-hash-known" => canonical_hash(0..KNOWN + rounds),
        "normalize" => normalize(0..rounds, IdMode::Preserve),
        "normalize-known" => normalize(0..KNOWN + rounds, IdMode::Preserve),
        "normalize-hashed-ids" => normalize(0..rounds, IdMode::Hash),
        "first-load" => load(rounds, false)?,
        "reload" => load(rounds, true)?,
        "adt-acknowledge" => acknowledge(rounds)?,
        "client-assertion" => keys::assertions(rounds)?,
        "key-set" => keys::key_sets(rounds)?,
        "server-bundle" => server::bundles(rounds)?,
        _ => return Err(format!("no hot path {name}").into()),
    }
    Ok(())
}

fn parse(rounds: Range<usize>) {
    let (input, mut tape) = (Input::load(), Tape::new());
    for line in rounds.flat_map(|_| input.lines()) {
        black_box(tape.parse(line).expect("JSON"));
    }
}

fn canonical_hash(rounds: Range<usize>) {
    let (input, mut tape, mut emitter) = (Input::load(), Tape::new(), Emitter::new());
    let (edits, mut canonical) = (Edits::new(), Vec::new());
    for line in rounds.flat_map(|_| input.lines()) {
        let document = tape.parse(line).expect("JSON");
        canonical.clear();
        emitter.canonical(document.root(), &edits, &mut canonical);
        black_box(Sha256::digest(&canonical));
    }
}

fn normalize(rounds: Range<usize>, id_mode: IdMode) {
    let input = Input::load();
    let mut normalizer = Normalizer::new(Settings {
        id_mode,
        ..Settings::new(SOURCE)
    });
    for line in rounds.flat_map(|_| input.lines()) {
        normalizer.records(line, &mut |_, record| {
            black_box(record.expect("a resource that is stored"));
        });
    }
}

/// Each round of a first load begins with an empty store; a reload finds
/// everything there.
fn load(rounds: usize, again: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    generate::write(LOAD_BYTES, &data, false)?;
    let files = inputs(&[data])?;
    let open = |number: usize| SqliteStore::open(folder.path().join(format!("{number}.db")));
    let mut store = open(0)?;
    if again {
        load_into(&mut store, &files, folder.path(), 0)?;
    }
    for round in 1..=rounds {
        if !again {
            store = open(round)?;
        }
        load_into(&mut store, &files, folder.path(), round)?;
    }
    Ok(())
}

fn load_into(store: &mut SqliteStore, files: &[File], spool: &Path, run: usize) -> Result<()> {
    let random = [[0; 2].as_slice(), &run.to_be_bytes()].concat();
    let run = run_id(&Standing, random.as_slice().try_into()?);
    let options = LoadOptions::new(Settings::new(SOURCE), run, spool);
    let summary = Load::new(options, files).run(store, &Standing, &mut ())?;
    assert_eq!(summary.quarantined, 0, "all of it is good");
    Ok(())
}

/// A clock that always shows the same time.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn sleep(&self, _: Duration) {}
}

/// From the bytes of a message to its patient's identifier and the answer.
fn acknowledge(rounds: usize) -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hl7v2-adt/tests/data/adt");
    let (mut folders, mut texts) = (vec![corpus], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                texts.push(fs::read(path)?);
            }
        }
    }
    // The order of a folder's entries is the file system's.
    texts.sort();
    let rule = PatientIdentifierRule::default();
    let time = Timestamp::from_unix(1_700_000_000);
    for part in (0..rounds).flat_map(|_| texts.iter().flat_map(|text| Messages::new(text))) {
        let Ok(message) = Message::parse(part.bytes) else {
            continue;
        };
        let adt = AdtMessage::new(&message);
        black_box((adt.trigger(), adt.control_id(), adt.event_time()));
        for patient in adt.patients() {
            black_box(rule.select(&patient, None).map(|chosen| chosen.text()));
        }
        let header = Header::scan(part.bytes).expect("the header of a message");
        black_box(Ack::new(&header, AckCode::Aa, "1", time).to_bytes());
    }
    Ok(())
}
