//! Normalized resources into SQLite: a first write, and the same again.

mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fhir_normalize::{Normalizer, Record, Settings};
use fhir_store::{
    Identifier, Put, PutOutcome, ResourceStore, Sha256Ids, SqliteStore, WriteContext,
};
use support::{Input, group};

/// A resource as the normalizer gives it, kept.
struct Resource {
    resource_type: &'static str,
    id: String,
    source_id: String,
    content_hash: [u8; 32],
    body: String,
    identifiers: Vec<(String, String)>,
}

fn store(criterion: &mut Criterion) {
    let input = Input::load();
    let resources = normalized(&input);
    let mut group = group(criterion, "store", &input);
    group.bench_function("first write", |bencher| {
        let new = || {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let store = SqliteStore::open(folder.path().join("bench.db")).expect("a new store");
            (folder, store)
        };
        bencher.iter_batched_ref(
            new,
            |(_, store)| write(store, &resources),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("unchanged", |bencher| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut store = SqliteStore::open(folder.path().join("bench.db")).expect("a new store");
        write(&mut store, &resources);
        bencher.iter(|| write(&mut store, &resources));
    });
    group.finish();
}

/// Puts everything, a few hundred at a time as the pipeline does, and commits.
fn write(store: &mut SqliteStore, resources: &[Resource]) {
    let context = WriteContext {
        source_system: "urn:ingest:bench",
        organization: "bench",
        run: None,
        recorded: 1_700_000_000_000,
        ids: &Sha256Ids,
    };
    let mut outcomes: Vec<PutOutcome> = Vec::new();
    for batch in resources.chunks(500) {
        let identifiers: Vec<Vec<_>> = batch
            .iter()
            .map(|resource| {
                let pairs = resource.identifiers.iter();
                pairs
                    .map(|(system, value)| Identifier { system, value })
                    .collect()
            })
            .collect();
        let puts: Vec<_> = batch
            .iter()
            .zip(&identifiers)
            .map(|(resource, identifiers)| Put {
                resource_type: resource.resource_type,
                id: &resource.id,
                source_id: &resource.source_id,
                content_hash: resource.content_hash,
                body: &resource.body,
                identifiers,
                remediations: &[],
                message: None,
                revert: false,
                line: None,
            })
            .collect();
        outcomes.clear();
        store
            .put(&context, &puts, &mut outcomes)
            .expect("room in the store");
    }
    store.flush().expect("a commit");
}

fn normalized(input: &Input) -> Vec<Resource> {
    let mut normalizer = Normalizer::new(Settings::new("urn:ingest:bench"));
    let mut resources = Vec::new();
    for line in input.lines() {
        normalizer.records(line, &mut |_, record| {
            let Ok(Record::Resource(resource)) = record else {
                panic!("a resource that is stored");
            };
            let pairs = resource.identifiers.iter();
            resources.push(Resource {
                resource_type: resource.resource_type,
                id: resource.id.to_owned(),
                source_id: resource.source_id.to_owned(),
                content_hash: resource.content_hash,
                body: resource.body.to_owned(),
                identifiers: pairs
                    .map(|own| (own.system.clone(), own.value.clone()))
                    .collect(),
            });
        });
    }
    resources
}

criterion_group!(benches, store);
criterion_main!(benches);
