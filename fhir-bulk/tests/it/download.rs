use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use fhir_bulk::{BulkClient, Downloaded, Fault, FileKind, OutputFile, Result};
use fhir_http::testing::Replay;
use fhir_http::{Authorize, Body, BoxError, HttpClient, Origin};
use http::Response;
use http::request::Parts;

use crate::support::{Ranges, Shelf, answer, client, cut_off, gzip, lines, replayed};

pub(crate) fn patients() -> OutputFile {
    OutputFile::new("https://ehr.example/files/1?sig=secret", Some("Patient"))
}

pub(crate) fn fetch(
    transport: Arc<dyn HttpClient>,
    file: &OutputFile,
    folder: &Path,
) -> Result<Downloaded> {
    let (client, _) = client(transport);
    BulkClient::new(client).fetch(file, folder.join("1.ndjson"))
}

/// Names in the folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_whole_file() {
    let text = lines("Patient", 3);
    for (bytes, size) in [
        (text.clone().into_bytes(), text.len()),
        (gzip(text.as_bytes()), text.len()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut file = patients();
        file.count = Some(3);
        file.file_size = Some(size as u64);
        let shelf = Shelf::new(bytes.clone(), Ranges::Etag, vec![]);
        let done = fetch(shelf.clone(), &file, folder.path()).unwrap();
        assert_eq!(
            (done.bytes, done.decoded_bytes, done.lines),
            (bytes.len() as u64, size as u64, 3)
        );
        assert_eq!(done.faults, []);
        assert_eq!(fs::read(&done.path).unwrap(), bytes);
        let sum = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
        assert_eq!(done.sha256[..], sum[..]);
        assert_eq!(names(folder.path()), ["1.ndjson"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&done.path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        let request = &shelf.requests.lock().unwrap()[0];
        assert_eq!(request.headers()["accept"], "application/fhir+ndjson");
        assert_eq!(request.headers()["accept-encoding"], "gzip");
    }
}

#[cfg(unix)]
#[test]
fn links_in_place_of_its_files_are_replaced() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = outside.path().join("kept");
    fs::write(&kept, "kept").unwrap();
    for (name, target) in [
        ("1.ndjson", &kept),
        ("1.ndjson.part", &kept),
        ("1.ndjson.part.json", &outside.path().join("new")),
    ] {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    }
    let text = lines("Patient", 3);
    let shelf = Shelf::new(text.clone().into_bytes(), Ranges::Etag, vec![]);
    let done = fetch(shelf, &patients(), folder.path()).unwrap();
    assert!(fs::symlink_metadata(&done.path).unwrap().is_file());
    assert_eq!(fs::read_to_string(&done.path).unwrap(), text);
    assert_eq!(names(folder.path()), ["1.ndjson"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
    assert_eq!(names(outside.path()), ["kept"]);
}

#[test]
fn what_comes_instead_of_ndjson() {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[]}"#;
    let damaged = {
        let mut bytes = gzip(lines("Patient", 500).as_bytes());
        let at = bytes.len() - 6;
        bytes[at] ^= 1;
        bytes
    };
    let short = gzip(lines("Patient", 500).as_bytes());
    let short = short[..short.len() - 20].to_vec();
    let cases: [(&str, Vec<u8>, &str); 11] = [
        (
            "html",
            b"<!DOCTYPE html><html>login</html>".to_vec(),
            "is an HTML page",
        ),
        (
            "html after blanks",
            b"\xEF\xBB\xBF\r\n <HTML>".to_vec(),
            "is an HTML page",
        ),
        ("gzipped html", gzip(b"<html>"), "is an HTML page"),
        (
            "xml",
            b"<?xml version='1.0'?><Error/>".to_vec(),
            "is an XML document",
        ),
        ("outcome", outcome.into(), "is an OperationOutcome"),
        (
            "error document",
            br#"{"error":"expired"}"#.to_vec(),
            "is JSON that is no resource",
        ),
        (
            "pretty",
            b"{\n \"resourceType\": \"Patient\"\n}".to_vec(),
            "is JSON over several lines",
        ),
        (
            "list",
            b"[{\"resourceType\":\"Patient\"}]".to_vec(),
            "is text that is no JSON",
        ),
        (
            "text",
            b"Service unavailable".to_vec(),
            "is text that is no JSON",
        ),
        ("damaged gzip", damaged, "is damaged"),
        ("short gzip", short, "is damaged"),
    ];
    for (name, bytes, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(bytes, Ranges::Etag, vec![]);
        let error = fetch(shelf.clone(), &patients(), folder.path()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("Patient file 1") && text.contains(message),
            "{name}: {text}"
        );
        assert!(!format!("{error:?}").contains("secret"), "{name}");
        assert_eq!(shelf.asked(), [None, None], "{name}: asked once more");
        assert!(names(folder.path()).is_empty(), "{name}");
    }
}

#[test]
fn what_differs_is_reported_after_another_try() {
    let organized = "{\"resourceType\":\"Parameters\"}\n".to_owned() + &lines("Patient", 2);
    let edit = |edit: fn(&mut OutputFile)| {
        let mut file = patients();
        edit(&mut file);
        file
    };
    let cases = [
        (
            lines("Patient", 2),
            edit(|file| file.count = Some(3)),
            vec![Fault::Count {
                promised: 3,
                found: 2,
            }],
        ),
        (
            String::new(),
            edit(|file| file.count = Some(1)),
            vec![Fault::Count {
                promised: 1,
                found: 0,
            }],
        ),
        (String::new(), edit(|file| file.count = Some(0)), vec![]),
        (
            lines("Patient", 2),
            edit(|file| file.file_size = Some(7)),
            vec![Fault::Size {
                promised: 7,
                raw: 72,
                decoded: 72,
            }],
        ),
        (
            lines("Patient", 2) + &lines("Group", 1),
            patients(),
            vec![Fault::Type { lines: 1 }],
        ),
        (lines("Patient", 2) + "broken\n", patients(), vec![]),
        (
            lines("Patient", 2) + "{\"id\":\"cu",
            patients(),
            vec![Fault::Unfinished],
        ),
        (
            lines("Patient", 2).trim_end().to_owned(),
            patients(),
            vec![],
        ),
        (
            organized.clone(),
            edit(|file| file.count = Some(2)),
            // A header that nobody announced counts as a line.
            vec![
                Fault::Count {
                    promised: 2,
                    found: 3,
                },
                Fault::Type { lines: 1 },
            ],
        ),
        (
            organized.clone(),
            edit(|file| {
                file.organized = true;
                file.count = Some(2)
            }),
            vec![],
        ),
        (
            organized,
            edit(|file| {
                file.resource_type = None;
                file.count = Some(3)
            }),
            vec![],
        ),
        (
            lines("OperationOutcome", 1),
            edit(|file| file.kind = FileKind::Outcome),
            vec![],
        ),
        (
            lines("Bundle", 1),
            edit(|file| file.kind = FileKind::Deleted),
            vec![],
        ),
        (
            "{\"id\":\"x\"}\n".to_owned(),
            edit(|file| file.count = Some(1)),
            vec![],
        ),
    ];
    for (index, (text, file, faults)) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(text.clone().into_bytes(), Ranges::Etag, vec![]);
        let done = fetch(shelf.clone(), &file, folder.path()).unwrap();
        assert_eq!(done.faults, faults, "case {index}");
        assert_eq!(
            fs::read_to_string(&done.path).unwrap(),
            text,
            "case {index}"
        );
        let tries = if faults.is_empty() { 1 } else { 2 };
        assert_eq!(shelf.asked().len(), tries, "case {index}");
    }
}

#[test]
fn a_fault_that_passes_is_forgotten() {
    let replay = Replay::new()
        .answer(answer(200, &[], "<html>"))
        .answer(answer(200, &[], &lines("Patient", 1)));
    let folder = tempfile::tempdir().unwrap();
    let (client, _, _) = replayed(replay);
    let done = BulkClient::new(client)
        .fetch(&patients(), folder.path().join("1.ndjson"))
        .unwrap();
    assert_eq!((done.lines, done.faults), (1, vec![]));
}

#[test]
fn statuses() {
    for status in [400, 401, 403, 404, 410] {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"code":"expired"}]}"#;
        let (client, replay, _) = replayed(Replay::new().answer(answer(status, &[], body)));
        let folder = tempfile::tempdir().unwrap();
        let error = BulkClient::new(client)
            .fetch(&patients(), folder.path().join("1"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Patient file 1 can't be downloaded: status {status} (expired)")
        );
        assert_eq!(replay.requests().len(), 1);
        assert!(names(folder.path()).is_empty());
    }
}

struct Token;

impl Authorize for Token {
    fn authorize(&self, request: &mut Parts) -> std::result::Result<(), BoxError> {
        request
            .headers
            .insert("authorization", "Bearer secret".parse()?);
        Ok(())
    }
}

#[test]
fn tokens_are_sent_where_they_are_asked_for() {
    for requires in [true, false] {
        let mut file = patients();
        file.requires_access_token = requires;
        let shelf = Shelf::new(lines("Patient", 1).into_bytes(), Ranges::None, vec![]);
        let (client, _) = client(shelf.clone());
        let origin = Origin::of(&"https://ehr.example".parse().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        BulkClient::new(client.authorized(origin, Arc::new(Token)))
            .fetch(&file, folder.path().join("1"))
            .unwrap();
        let sent = shelf.requests.lock().unwrap()[0]
            .headers()
            .contains_key("authorization");
        assert_eq!(sent, requires);
    }
}

/// Answers by the path of the request, in any order.
struct Many;

impl HttpClient for Many {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> std::result::Result<Response<Body>, fhir_http::TransportError> {
        let number: usize = request
            .uri()
            .path()
            .trim_start_matches('/')
            .parse()
            .unwrap();
        let text = lines("Patient", number).into_bytes();
        Ok(match number {
            7 => Response::builder().status(404).body(Body::empty()).unwrap(),
            8 => Response::new(cut_off(&text, 20)),
            _ => Response::new(Body::from(text)),
        })
    }
}

#[test]
fn many_files_one_of_which_fails() {
    let files: Vec<_> = (0..40)
        .map(|number| OutputFile::new(format!("https://ehr.example/{number}"), Some("Patient")))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (client, _) = client(Arc::new(Many));
    let bulk = BulkClient::new(client);
    let path = |file: &OutputFile| folder.path().join(file.url.rsplit('/').next().unwrap());
    let mut failed = Vec::new();
    let mut count = 0;
    bulk.downloads().run(&files, path, |file, result| {
        count += 1;
        let number: u64 = file.url.rsplit('/').next().unwrap().parse().unwrap();
        match result {
            Ok(done) => assert_eq!(done.lines, number),
            Err(_) => failed.push(number),
        }
        ControlFlow::Continue(())
    });
    failed.sort_unstable();
    assert_eq!((count, failed), (40, vec![7, 8]));

    let mut seen = 0;
    bulk.downloads()
        .parallel(NonZeroUsize::MIN)
        .run(&files, path, |_, _| {
            seen += 1;
            if seen == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    assert_eq!(seen, 3);
    bulk.downloads()
        .run([], path, |_, _| panic!("there are no files"));
}
