//! From a line to a structure that can be read by name.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhir_json::Tape;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use support::{Input, group};

fn parse(criterion: &mut Criterion) {
    let input = Input::load();
    let text = input.text();
    let mut group = group(criterion, "parse", &input);
    group.bench_function("newline scan", |bencher| {
        bencher.iter(|| memchr::memchr_iter(b'\n', black_box(&text)).count());
    });
    group.bench_function("SHA-256 of the line", |bencher| {
        bencher.iter(|| {
            for line in input.lines() {
                black_box(Sha256::digest(line));
            }
        });
    });
    group.bench_function("fhir_json::Tape", |bencher| {
        let mut tape = Tape::new();
        bencher.iter(|| {
            for line in input.lines() {
                black_box(tape.parse(line).expect("JSON"));
            }
        });
    });
    group.bench_function("serde_json::IgnoredAny", |bencher| {
        bencher.iter(|| {
            for line in input.lines() {
                black_box(serde_json::from_slice::<IgnoredAny>(line).expect("JSON"));
            }
        });
    });
    group.bench_function("serde_json::Value", |bencher| {
        bencher.iter(|| {
            for line in input.lines() {
                black_box(serde_json::from_slice::<serde_json::Value>(line).expect("JSON"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
