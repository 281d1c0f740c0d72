//! Connections that break, and files that are resumed.

use std::fs;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use fhir_bulk::{Error, OutputFile};
use fhir_http::{Body, HttpClient, RetryPolicy, TransportError};
use http::{Request, Response};
use proptest::prelude::*;

use crate::download::{fetch, names, patients};
use crate::support::{Ranges, Shelf, gzip, lines};

#[test]
fn broken_connections() {
    let text = lines("Patient", 100);
    for (ranges, asked) in [
        (
            Ranges::Etag,
            vec![None, Some("bytes=1000-"), Some("bytes=1500-")],
        ),
        (
            Ranges::Date,
            vec![None, Some("bytes=1000-"), Some("bytes=1500-")],
        ),
        (Ranges::None, vec![None, None, None]),
        (
            Ranges::Changing,
            vec![None, Some("bytes=1000-"), Some("bytes=500-")],
        ),
        (
            Ranges::Wrong,
            vec![None, Some("bytes=1000-"), None, Some("bytes=500-"), None],
        ),
    ] {
        for bytes in [text.clone().into_bytes(), gzip(text.repeat(20).as_bytes())] {
            let folder = tempfile::tempdir().unwrap();
            let cuts = match ranges {
                // One is used up by the answer with the wrong part.
                Ranges::Wrong => vec![usize::MAX, 0, 500, 0, 1000],
                _ => vec![500, 1000],
            };
            let shelf = Shelf::new(bytes.clone(), ranges, cuts);
            let done = fetch(shelf.clone(), &patients(), folder.path()).unwrap();
            assert_eq!(fs::read(&done.path).unwrap(), bytes, "{ranges:?}");
            let found = shelf.asked();
            let found: Vec<_> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, asked, "{ranges:?}");
            assert_eq!(done.faults, []);
        }
    }
}

#[test]
fn a_connection_that_always_breaks() {
    let bytes = lines("Patient", 100).into_bytes();
    let attempts = RetryPolicy::default().attempts as usize;
    for (ranges, left) in [
        (Ranges::Etag, vec!["1.ndjson.part", "1.ndjson.part.json"]),
        (Ranges::None, vec![]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(bytes.clone(), ranges, vec![100; attempts]);
        let error = fetch(shelf.clone(), &patients(), folder.path()).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }) && error.is_transient());
        assert_eq!(shelf.asked().len(), attempts);
        assert_eq!(names(folder.path()), left);

        // Another run goes on where it can.
        let shelf = Shelf::new(bytes.clone(), ranges, vec![]);
        let done = fetch(shelf.clone(), &patients(), folder.path()).unwrap();
        assert_eq!(fs::read(&done.path).unwrap(), bytes);
        assert_eq!(done.lines, 100);
        let sum = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
        assert_eq!(done.sha256[..], sum[..]);
        assert_eq!(names(folder.path()), ["1.ndjson"]);
        let resumed = shelf.asked()[0].is_some();
        assert_eq!(resumed, ranges == Ranges::Etag);
    }
}

#[test]
fn what_an_earlier_run_left_is_checked() {
    let bytes = lines("Patient", 50).into_bytes();
    let leave = |folder: &Path| {
        let attempts = RetryPolicy::default().attempts as usize;
        let shelf = Shelf::new(bytes.clone(), Ranges::Etag, vec![100; attempts]);
        fetch(shelf, &patients(), folder).unwrap_err();
    };
    let damage: [fn(&Path); 4] = [
        |folder| fs::write(folder.join("1.ndjson.part.json"), "{").unwrap(),
        |folder| fs::remove_file(folder.join("1.ndjson.part")).unwrap(),
        |folder| fs::write(folder.join("1.ndjson.part"), vec![b'x'; 10_000]).unwrap(),
        |folder| fs::write(folder.join("1.ndjson.part"), "").unwrap(),
    ];
    for damage in damage {
        let folder = tempfile::tempdir().unwrap();
        leave(folder.path());
        damage(folder.path());
        let shelf = Shelf::new(bytes.clone(), Ranges::Etag, vec![]);
        let done = fetch(shelf, &patients(), folder.path()).unwrap();
        assert_eq!(fs::read(&done.path).unwrap(), bytes);
    }
    // Another file of the same validator.
    let folder = tempfile::tempdir().unwrap();
    leave(folder.path());
    let shelf = Shelf::new(bytes.clone(), Ranges::Etag, vec![]);
    let other = OutputFile::new("https://ehr.example/files/2", Some("Patient"));
    fetch(shelf.clone(), &other, folder.path()).unwrap();
    assert_eq!(shelf.asked(), [None]);
}

/// A server in whose answer, after so many bytes, the process ends. A panic is
/// as near to that as a test of the library comes: nobody is told of a fault.
struct Killer(Vec<u8>, usize);

impl HttpClient for Killer {
    fn send(&self, _: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        struct End;
        impl Read for End {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                std::panic::resume_unwind(Box::new("killed"));
            }
        }
        let body = Body::new(io::Cursor::new(self.0[..self.1].to_vec()).chain(End));
        let response = Response::builder().header("etag", "\"v\"");
        Ok(response.body(body).unwrap())
    }
}

#[test]
fn what_a_killed_process_leaves_is_gone_on_with_from_four_mebibytes_on() {
    let bytes = lines("Patient", 150_000).into_bytes();
    assert!(bytes.len() > 5 << 20);
    for (at, from) in [(4 << 20, Some(4 << 20)), ((4 << 20) - 1, None), (0, None)] {
        let folder = tempfile::tempdir().unwrap();
        let killer = Arc::new(Killer(bytes.clone(), at));
        let download = || fetch(killer, &patients(), folder.path());
        catch_unwind(AssertUnwindSafe(download)).unwrap_err();

        let shelf = Shelf::new(bytes.clone(), Ranges::Etag, vec![]);
        let done = fetch(shelf.clone(), &patients(), folder.path()).unwrap();
        assert_eq!(shelf.asked(), [from.map(|from| format!("bytes={from}-"))]);
        assert!(fs::read(&done.path).unwrap() == bytes);
        assert_eq!(names(folder.path()), ["1.ndjson"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn cuts_never_change_the_bytes(
        count in 0_usize..60,
        zipped: bool,
        ranges in prop::sample::select(vec![Ranges::Etag, Ranges::Date, Ranges::None, Ranges::Changing]),
        cuts in prop::collection::vec(0_usize..2500, 0..5),
    ) {
        let text = lines("Patient", count);
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(bytes.clone(), ranges, cuts);
        let done = fetch(shelf, &patients(), folder.path()).unwrap();
        prop_assert_eq!(fs::read(&done.path).unwrap(), bytes);
        prop_assert_eq!(done.lines, count as u64);
        prop_assert_eq!(done.faults, vec![]);
    }
}
