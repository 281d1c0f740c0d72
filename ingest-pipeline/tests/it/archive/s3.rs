//! The archive in object storage.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use fhir_http::testing::{FakeClock, FakeRandom, Replay};
use fhir_http::{Client, SystemRandom};
use http::Response;
use ingest_pipeline::archive::{
    RawArchive, RawKey, S3Archive, S3Credentials, S3Settings, ServerSideEncryption,
};
use ingest_pipeline::{Error, ErrorKind, causes};
use jiff::civil::date;

use super::storage::{BUCKET, REGION, SECRET, State, Storage, credentials, verify};
use super::{MESSAGE, archive_key, kept, name_of};

pub(crate) fn sealed(settings: &S3Settings, client: Client) -> S3Archive {
    S3Archive::new(settings, &archive_key(), Arc::new(SystemRandom), client).unwrap()
}

fn archive(storage: &Storage) -> S3Archive {
    sealed(&storage.settings(), storage.client())
}

#[test]
fn messages_come_back_as_they_went() {
    let storage = Storage::new();
    let archive = archive(&storage);
    assert!(archive.get(&name_of(MESSAGE)).unwrap().is_none());
    for message in [MESSAGE, b"", &[b'x'; 1_000_000]] {
        archive.put(&name_of(message), message).unwrap();
        assert!(kept(&archive, message));
        let object = storage.object(name_of(message).as_str()).unwrap();
        assert_eq!(object.headers["content-type"], "text/plain");
        assert_eq!(object.headers["x-amz-server-side-encryption"], "AES256");
        assert!(object.body.starts_with(b"hl7-raw\x01"));
        let part = message.get(..16).unwrap_or(b"hl7-raw\x02");
        assert!(!object.body.windows(part.len()).any(|window| window == part));
    }
    // A name with escapes, which are escaped in the address.
    let key = RawKey::new(
        "a b",
        date(2026, 3, 9),
        b"../%",
        "ü&?#+".as_bytes(),
        MESSAGE,
    );
    archive.put(&key, MESSAGE).unwrap();
    assert!(storage.object(key.as_str()).is_some());
    assert_eq!(archive.get(&key).unwrap().unwrap().as_slice(), MESSAGE);
    archive.put(&key, b"another").unwrap_err();
}

#[test]
fn a_second_time_changes_nothing() {
    let storage = Storage::new();
    let archive = archive(&storage);
    let name = name_of(MESSAGE);
    archive.put(&name, MESSAGE).unwrap();
    let first = storage.object(name.as_str()).unwrap().body;
    archive.put(&name, MESSAGE).unwrap();
    assert_eq!(storage.object(name.as_str()).unwrap().body, first);
    let path = format!("/{BUCKET}/{name}");
    let expected = [
        format!("PUT {path} 200"),
        format!("PUT {path} 412"),
        format!("GET {path} 200"),
    ];
    assert_eq!(storage.log(), expected);

    // Where the storage can't do that, the same message is written again.
    let simple = sealed(&storage.settings().may_replace(true), storage.client());
    simple.put(&name, MESSAGE).unwrap();
    assert_ne!(storage.object(name.as_str()).unwrap().body, first);
    assert_eq!(storage.log(), [format!("PUT {path} 200")]);
    assert!(kept(&archive, MESSAGE));
}

#[test]
fn whatever_is_changed_is_noticed() {
    let storage = Storage::new();
    let unsealed = S3Archive::unsealed(&storage.settings(), storage.client()).unwrap();
    for (archive, problem) in [
        (archive(&storage), "the archive key is not the one"),
        (unsealed, "it holds another message"),
    ] {
        storage.state.objects.lock().unwrap().clear();
        archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
        assert!(kept(&archive, MESSAGE));
        let mut objects = storage.state.objects.lock().unwrap();
        let object = objects.get_mut(name_of(MESSAGE).as_str()).unwrap();
        *object.body.last_mut().unwrap() ^= 1;
        drop(objects);
        for result in [
            archive.get(&name_of(MESSAGE)).map(drop),
            archive.put(&name_of(MESSAGE), MESSAGE),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Store);
            let text = causes(&error);
            assert!(text.contains(problem) && text.contains(BUCKET), "{text}");
            assert!(!text.contains("PID"), "{text}");
        }
    }
}

#[test]
fn the_server_encrypts_as_it_is_told() {
    let key = |key_id: Option<&str>| ServerSideEncryption::Kms {
        key_id: key_id.map(str::to_owned),
    };
    let cases = [
        (ServerSideEncryption::Aes256, Some("AES256"), None),
        (key(None), Some("aws:kms"), None),
        (
            key(Some("arn:aws:kms:1")),
            Some("aws:kms"),
            Some("arn:aws:kms:1"),
        ),
        (ServerSideEncryption::None, None, None),
    ];
    for (encryption, algorithm, key_id) in cases {
        let storage = Storage::new();
        let settings = storage
            .settings()
            .server_side_encryption(encryption.clone());
        sealed(&settings, storage.client())
            .put(&name_of(MESSAGE), MESSAGE)
            .unwrap();
        let headers = storage.object(name_of(MESSAGE).as_str()).unwrap().headers;
        let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value("x-amz-server-side-encryption"), algorithm);
        assert_eq!(value("x-amz-server-side-encryption-aws-kms-key-id"), key_id);
        if encryption == ServerSideEncryption::None {
            let error = S3Archive::unsealed(&settings, storage.client()).unwrap_err();
            assert!(matches!(error, Error::ArchiveSettings { .. }), "{error:?}");
        }
    }
}

#[test]
fn an_unsealed_message_needs_a_server_that_says_it_encrypts() {
    let storage = Storage::new();
    let archive = S3Archive::unsealed(&storage.settings(), storage.client()).unwrap();
    archive.check().unwrap();
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    assert_eq!(
        storage.object(name_of(MESSAGE).as_str()).unwrap().body,
        MESSAGE
    );

    let simple = Storage::with(State {
        is_simple: true,
        ..State::default()
    });
    let archive = S3Archive::unsealed(&simple.settings(), simple.client()).unwrap();
    for result in [archive.check(), archive.put(&name_of(MESSAGE), MESSAGE)] {
        let text = causes(&result.unwrap_err());
        assert!(
            text.contains("without the server-side encryption"),
            "{text}"
        );
    }
    // What is sealed does not need it.
    sealed(&simple.settings(), simple.client()).check().unwrap();
}

#[test]
fn a_check_writes_an_object() {
    let storage = Storage::new();
    let archive = archive(&storage);
    for _ in 0..2 {
        archive.check().unwrap();
    }
    assert_eq!(storage.object(".check").unwrap().body, b"check");
}

#[test]
fn a_bucket_can_be_part_of_the_host() {
    let written = Response::builder()
        .header("etag", "\"0\"")
        .body("")
        .unwrap();
    let replay = Arc::new(Replay::new().answer(written));
    let clock = Arc::new(FakeClock::new(UNIX_EPOCH));
    let client = Client::new(replay.clone(), clock).random(Arc::new(FakeRandom::new(0)));
    let credentials = credentials().session_token("token/+".to_owned());
    let settings = S3Settings::new("https://s3.example", REGION, BUCKET, credentials);
    sealed(&settings, client)
        .put(&name_of(MESSAGE), MESSAGE)
        .unwrap();
    let request = &replay.requests()[0];
    let (uri, host) = (request.uri(), format!("{BUCKET}.s3.example"));
    assert_eq!(uri.host(), Some(&*host));
    assert!(
        uri.path()
            .starts_with("/acme/2026/03/09/GOOD%2520HEALTH/MSG00001-")
    );
    let query = uri.query().unwrap();
    assert!(
        query.contains("X-Amz-Security-Token=token%2F%2B&"),
        "{query}"
    );
    assert!(query.contains("SignedHeaders=content-type%3Bhost%3Bx-amz-server-side-encryption&"));
    assert_eq!(
        verify(request.method(), uri, request.headers(), &host, UNIX_EPOCH),
        Ok(())
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let (https, bucket) = ("https://s3.example", BUCKET);
    let kms = |key_id: &str| ServerSideEncryption::Kms {
        key_id: Some(key_id.to_owned()),
    };
    let cases = [
        ("http://s3.example", REGION, bucket, None),
        ("s3.example", REGION, bucket, None),
        ("", REGION, bucket, None),
        ("ftp://s3.example", REGION, bucket, None),
        (
            "https://user:kanarienvogel@s3.example",
            REGION,
            bucket,
            None,
        ),
        ("https://s3.example/?x=kanarienvogel", REGION, bucket, None),
        // No host has a bucket in front of an address.
        ("https://192.0.2.1", REGION, bucket, None),
        (https, "", bucket, None),
        (https, REGION, "", None),
        (https, REGION, "ab", None),
        (https, REGION, "a/b", None),
        (https, REGION, "Abc", None),
        (https, REGION, "-abc", None),
        (https, REGION, "a..b", None),
        (https, REGION, "abc@evil.example/", None),
        (https, REGION, bucket, Some(kms("a\nb"))),
        (https, REGION, bucket, Some(kms("ü"))),
    ];
    let client = || {
        let clock = Arc::new(FakeClock::new(UNIX_EPOCH));
        Client::new(Arc::new(Replay::new()), clock)
    };
    for (endpoint, region, bucket, encryption) in cases {
        let settings = S3Settings::new(endpoint, region, bucket, credentials())
            .server_side_encryption(encryption.unwrap_or_default());
        let random = Arc::new(SystemRandom);
        let error = S3Archive::new(&settings, &archive_key(), random, client()).unwrap_err();
        assert!(matches!(error, Error::ArchiveSettings { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!causes(&error).contains("kanarienvogel"), "{error}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let storage = Storage::new();
    let credentials =
        S3Credentials::new("AKID", SECRET.to_owned()).session_token(SECRET.to_owned());
    let settings = S3Settings::new("https://s3.example", REGION, BUCKET, credentials);
    let archive = sealed(&settings, storage.client());
    for shown in [format!("{settings:?}"), format!("{archive:?}")] {
        assert!(
            shown.contains(BUCKET) && !shown.contains("kanarienvogel"),
            "{shown}"
        );
    }
}
