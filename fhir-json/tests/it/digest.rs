//! `DigestSink` against a digest over all bytes at once.

use fhir_json::{DigestSink, Edits, Emitter, Sink, Tape};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::strategies::documents;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn canonical_form_is_hashed_whole(documents in vec(documents(), 1..20), padding in 0_usize..3000) {
        let text = format!("[\"{}\",{}]", "p".repeat(padding), documents.join(","));
        let mut tape = Tape::new();
        let document = tape.parse(text.as_bytes()).unwrap();

        let mut canonical = Vec::new();
        let mut emitter = Emitter::new();
        emitter.canonical(document.root(), &Edits::new(), &mut canonical);

        let mut digest = Sha256::new();
        let mut sink = DigestSink::new(&mut digest);
        emitter.canonical(document.root(), &Edits::new(), &mut sink);
        sink.finish();
        prop_assert_eq!(digest.finalize(), Sha256::digest(&canonical));
    }

    #[test]
    fn writes_of_every_length_reach_the_digest_in_order(
        lengths in vec(prop_oneof![0_usize..20, 1000_usize..1050, 0_usize..5000], 0..12),
    ) {
        assert_whole(&lengths);
    }
}

#[test]
fn writes_around_the_buffer_size() {
    for first in [0, 1, 1022, 1023, 1024, 1025, 2048] {
        for second in [0, 1, 2, 1022, 1023, 1024, 1025, 2048] {
            assert_whole(&[first, second]);
            assert_whole(&[first, second, 1]);
        }
    }
}

fn assert_whole(lengths: &[usize]) {
    let mut all = Vec::new();
    let mut digest = Sha256::new();
    let mut sink = DigestSink::new(&mut digest);
    for (at, &length) in lengths.iter().enumerate() {
        let part: Vec<u8> = (0..length).map(|byte| (byte * 7 + at) as u8).collect();
        sink.write(&part);
        all.extend(part);
    }
    sink.finish();
    assert_eq!(digest.finalize(), Sha256::digest(&all), "{lengths:?}");
}
