//! The whole way from files to SQLite: a first load, and the same again.

mod support;

use std::fs;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Input as File, Load, LoadOptions, Settings, SystemClock, inputs, run_id};
use support::{Input, group};

fn load(criterion: &mut Criterion) {
    let input = Input::load();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("bench.ndjson");
    fs::write(&file, input.text()).expect("room for the input");
    let files = inputs(&[file]).expect("the input");
    let mut group = group(criterion, "load", &input);
    let mut runs = 0;
    group.bench_function("first load", |bencher| {
        let new = || {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let store = SqliteStore::open(folder.path().join("bench.db")).expect("a new store");
            (folder, store)
        };
        bencher.iter_batched_ref(
            new,
            |(folder, store)| run(store, &files, folder.path(), &mut runs),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("reload", |bencher| {
        let mut store = SqliteStore::open(folder.path().join("bench.db")).expect("a new store");
        run(&mut store, &files, folder.path(), &mut runs);
        bencher.iter(|| run(&mut store, &files, folder.path(), &mut runs));
    });
    group.finish();
}

fn run(store: &mut SqliteStore, files: &[File], spool: &std::path::Path, runs: &mut u64) {
    *runs += 1;
    let mut random = [0; 10];
    random[2..].copy_from_slice(&runs.to_be_bytes());
    let settings = Settings::new("urn:ingest:bench");
    let options = LoadOptions {
        threads: 2,
        ..LoadOptions::new(settings, run_id(&SystemClock, random), spool)
    };
    let summary = Load::new(options, files)
        .run(store, &SystemClock, &mut ())
        .expect("a load");
    assert_eq!(summary.quarantined, 0);
}

criterion_group!(benches, load);
criterion_main!(benches);
