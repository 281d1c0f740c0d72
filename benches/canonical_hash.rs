//! From a line to the hash of its canonical form, nothing changed on the way.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhir_json::{DigestSink, Edits, Emitter, Tape};
use sha2::{Digest, Sha256};
use support::{Input, group, value_hash};

fn canonical_hash(criterion: &mut Criterion) {
    let input = Input::load();
    let mut group = group(criterion, "canonical_hash", &input);
    group.bench_function("fhir_json, in memory", |bencher| {
        let (mut tape, mut emitter, mut canonical) = (Tape::new(), Emitter::new(), Vec::new());
        let edits = Edits::new();
        bencher.iter(|| {
            for line in input.lines() {
                let document = tape.parse(line).expect("JSON");
                canonical.clear();
                emitter.canonical(document.root(), &edits, &mut canonical);
                black_box(Sha256::digest(&canonical));
            }
        });
    });
    group.bench_function("fhir_json, into the digest", |bencher| {
        let (mut tape, mut emitter) = (Tape::new(), Emitter::new());
        let edits = Edits::new();
        bencher.iter(|| {
            for line in input.lines() {
                let document = tape.parse(line).expect("JSON");
                let mut digest = Sha256::new();
                let mut sink = DigestSink::new(&mut digest);
                emitter.canonical(document.root(), &edits, &mut sink);
                sink.finish();
                black_box(digest.finalize());
            }
        });
    });
    group.bench_function("serde_json::Value", |bencher| {
        bencher.iter(|| {
            for line in input.lines() {
                black_box(value_hash(line));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, canonical_hash);
criterion_main!(benches);
