//! From a line to what is stored: ids, references, missing elements, hash.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhir_normalize::{IdMode, Normalizer, Settings};
use support::{Input, group};

fn normalize(criterion: &mut Criterion) {
    let input = Input::load();
    let without_status: Vec<_> = input.lines().map(rename_status).collect();
    let preserve = || Settings::new("urn:ingest:bench");
    let mut group = group(criterion, "normalize", &input);
    group.bench_function("preserve", |bencher| {
        let mut normalizer = Normalizer::new(preserve());
        bencher.iter(|| all(&mut normalizer, input.lines()));
    });
    group.bench_function("hash", |bencher| {
        let id_mode = IdMode::Hash;
        let mut normalizer = Normalizer::new(Settings {
            id_mode,
            ..preserve()
        });
        bencher.iter(|| all(&mut normalizer, input.lines()));
    });
    group.bench_function("preserve, remediated", |bencher| {
        let mut normalizer = Normalizer::new(preserve());
        bencher.iter(|| all(&mut normalizer, without_status.iter().map(Vec::as_slice)));
    });
    group.finish();
}

fn all<'a>(normalizer: &mut Normalizer, lines: impl Iterator<Item = &'a [u8]>) {
    for line in lines {
        normalizer.records(line, &mut |_, record| {
            black_box(record.expect("a resource that is stored"));
        });
    }
}

/// The line with its first `status` under another name of the same length:
/// for most types a required element is missing then.
fn rename_status(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    if let Some(at) = memchr::memmem::find(&line, br#""status":"#) {
        line[at + 1..at + 7].copy_from_slice(b"statuz");
    }
    line
}

criterion_group!(benches, normalize);
criterion_main!(benches);
