use std::io::Read;
use std::sync::Arc;

use fhir_bulk::{Error, Fault, NdjsonReader, OutputFile, OutputReader};
use fhir_http::testing::Replay;
use fhir_http::{Body, HttpClient};
use http::Response;
use proptest::prelude::*;

use crate::support::{Ranges, Shelf, answer, client, cut_off, gzip, lines, replayed};

fn patients() -> OutputFile {
    OutputFile::new("https://ehr.example/files/1", Some("Patient"))
}

fn open(transport: Arc<dyn HttpClient>) -> OutputReader {
    OutputReader::open(client(transport).0, patients()).unwrap()
}

fn cause(error: std::io::Error) -> Error {
    error.downcast().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn each_byte_once(
        count in 0_usize..60,
        zipped: bool,
        ranges in prop::sample::select(vec![Ranges::Etag, Ranges::Date, Ranges::None, Ranges::Changing]),
        cuts in prop::collection::vec(0_usize..2500, 0..5),
    ) {
        let text = lines("Patient", count);
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
        let mut reader = open(Shelf::new(bytes, ranges, cuts));
        let mut found = String::new();
        reader.read_to_string(&mut found).unwrap();
        prop_assert_eq!(found, text);
        prop_assert_eq!(reader.lines(), count as u64);
    }
}

#[test]
fn a_new_start_with_other_bytes_is_refused() {
    let before = lines("Patient", 50);
    for after in [
        lines("Patient", 50).replace("\"3\"", "\"x\""),
        lines("Patient", 2),
    ] {
        let replay = Replay::new()
            .answer_with({
                let before = before.clone();
                move |_| Ok(Response::new(cut_off(before.as_bytes(), 1000)))
            })
            .answer_with(move |_| Ok(Response::new(Body::from(after.into_bytes()))));
        let (client, _, _) = replayed(replay);
        let mut reader = OutputReader::open(client, patients()).unwrap();
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(matches!(cause(error), Error::Changed { .. }));
    }
}

#[test]
fn what_is_no_ndjson_is_an_error_in_place_of_the_end() {
    for body in [
        "<html>login</html>",
        r#"{"resourceType":"OperationOutcome"}"#,
        "no JSON",
    ] {
        let (client, _, _) = replayed(Replay::new().answer(answer(200, &[], body)));
        let reader = OutputReader::open(client, patients()).unwrap();
        let mut lines = NdjsonReader::new(reader);
        let error = loop {
            match lines.next_line() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{body} passed"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::NotNdjson { .. }), "{body}: {error}");
    }
    let zipped = gzip(lines("Patient", 100).as_bytes());
    let short = zipped[..zipped.len() - 4].to_vec();
    let error = open(Shelf::new(short, Ranges::None, vec![])).read_to_end(&mut Vec::new());
    assert!(matches!(cause(error.unwrap_err()), Error::Gzip { .. }));
}

#[test]
fn a_connection_that_always_breaks() {
    let shelf = Shelf::new(lines("Patient", 9).into_bytes(), Ranges::Etag, vec![1; 50]);
    let error = open(shelf).read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(cause(error), Error::Truncated { .. }));
}

#[test]
fn faults_are_known_at_the_end() {
    let mut file = patients();
    file.count = Some(4);
    let (client, _, _) = replayed(Replay::new().answer(answer(200, &[], &lines("Patient", 3))));
    let mut reader = OutputReader::open(client, file).unwrap();
    assert_eq!(reader.faults(), []);
    reader.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(
        reader.faults(),
        [Fault::Count {
            promised: 4,
            found: 3
        }]
    );
}
