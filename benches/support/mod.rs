//! Input of the benches, and what they have in common.

// Each bench uses its part of this module.
#![allow(dead_code)]

mod input;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use sha2::{Digest, Sha256};

pub(crate) use input::Input;

/// A group of benches over all of `input`, two seconds each.
pub(crate) fn group<'c>(
    criterion: &'c mut Criterion,
    name: &str,
    input: &Input,
) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .throughput(Throughput::ElementsAndBytes {
            elements: input.lines().count() as u64,
            bytes: input.bytes() as u64,
        })
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    group
}

/// What the normalizer is compared with: the shortest way from a line to a
/// content hash on a document tree, whose maps are sorted by name.
pub(crate) fn value_hash(line: &[u8]) -> [u8; 32] {
    let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
    let canonical = serde_json::to_vec(&value).expect("a tree is representable");
    Sha256::digest(&canonical).into()
}
