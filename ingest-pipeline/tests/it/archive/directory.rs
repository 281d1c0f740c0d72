//! The archive in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhir_http::SystemRandom;
use ingest_pipeline::archive::{ArchiveKey, DirectoryArchive, RawArchive, RawKey};
use ingest_pipeline::{Error, ErrorKind, causes};
use jiff::civil::date;
use proptest::prelude::*;

use super::{MESSAGE, archive_key, directory, kept, name_of};

fn file_of(root: &Path, message: &[u8]) -> PathBuf {
    root.join(name_of(message).as_str())
}

#[test]
fn messages_come_back_as_they_went() {
    let root = tempfile::tempdir().unwrap();
    let archive = directory(root.path());
    assert!(archive.get(&name_of(MESSAGE)).unwrap().is_none());
    for message in [MESSAGE, b"", &[b'x'; 1_000_000]] {
        archive.put(&name_of(message), message).unwrap();
        assert!(kept(&archive, message));
        // And for another process.
        assert!(kept(&directory(root.path()), message));
        let sealed = fs::read(file_of(root.path(), message)).unwrap();
        assert!(sealed.starts_with(b"hl7-raw\x01"));
        assert_eq!(sealed.len(), message.len() + 8 + 12 + 16);
        let part = message.get(..16).unwrap_or(b"hl7-raw\x02");
        assert!(!sealed.windows(part.len()).any(|window| window == part));
    }
    let shown = format!("{archive:?}");
    assert_eq!(
        shown,
        format!("DirectoryArchive {{ root: {:?}, .. }}", root.path())
    );
}

#[test]
fn a_second_time_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (directory(root.path()), directory(root.path()));
    first.put(&name_of(MESSAGE), MESSAGE).unwrap();
    let file = file_of(root.path(), MESSAGE);
    let sealed = fs::read(&file).unwrap();
    for archive in [&first, &second, &first] {
        archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
        assert_eq!(fs::read(&file).unwrap(), sealed);
    }
    // The same message sealed again is another file: no nonce is used twice.
    fs::remove_file(&file).unwrap();
    first.put(&name_of(MESSAGE), MESSAGE).unwrap();
    assert_ne!(fs::read(&file).unwrap(), sealed);
}

#[test]
fn what_is_there_is_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let archive = directory(root.path());
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    let file = file_of(root.path(), MESSAGE);
    let other = DirectoryArchive::new(
        root.path(),
        ArchiveKey::new([8; 32]),
        Arc::new(SystemRandom),
    );
    let sealed = fs::read(&file).unwrap();
    let error = other.put(&name_of(MESSAGE), MESSAGE).unwrap_err();
    assert!(error.to_string().contains("the archive key is not the one"));
    assert_eq!(fs::read(&file).unwrap(), sealed);

    fs::write(&file, b"").unwrap();
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap_err();
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn a_name_is_for_its_message_only() {
    let root = tempfile::tempdir().unwrap();
    let archive = directory(root.path());
    let error = archive.put(&name_of(MESSAGE), b"another").unwrap_err();
    assert!(matches!(error, Error::ArchivedMessage { .. }), "{error:?}");
    assert!(!root.path().join("acme").exists());
}

#[test]
fn whatever_is_changed_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let archive = directory(root.path());
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    let file = file_of(root.path(), MESSAGE);
    let sealed = fs::read(&file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let error = archive.get(&name_of(MESSAGE)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        let text = causes(&error);
        assert!(text.contains(&*file.to_string_lossy()), "{text}");
        assert!(!text.contains("PID"), "{text}");
        text
    };
    for at in 0..sealed.len() {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        let expected = match at {
            0..8 => "it is no sealed message",
            _ => {
                "the archive key is not the one this message was sealed with, or the file is damaged"
            }
        };
        assert!(refused(&bytes).contains(expected), "byte {at}");
        refused(&sealed[..at]);
    }
    refused(&[&*sealed, b"\0"].concat());
    // Under the name of another message.
    let other = RawKey::new(
        "acme",
        date(2026, 3, 10),
        b"GOOD HEALTH",
        b"MSG00001",
        MESSAGE,
    );
    let path = root.path().join(other.as_str());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, &sealed).unwrap();
    archive.get(&other).unwrap_err();
    fs::write(&file, &sealed).unwrap();
    assert!(kept(&archive, MESSAGE));
}

#[test]
fn sixteen_threads_keep_everything() {
    let root = tempfile::tempdir().unwrap();
    let (archive, second) = (directory(root.path()), directory(root.path()));
    let own = |thread: usize, n: usize| format!("MSH|{thread}|{n}").into_bytes();
    let shared = |n: usize| format!("MSH|all|{n}").into_bytes();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let archive = if thread % 2 == 0 { &archive } else { &second };
            scope.spawn(move || {
                for n in 0..8 {
                    for message in [own(thread, n), shared(n)] {
                        archive.put(&name_of(&message), &message).unwrap();
                        assert!(kept(archive, &message));
                    }
                }
            });
        }
    });
    let all = (0..8).flat_map(|n| (0..16).map(move |thread| own(thread, n)).chain([shared(n)]));
    for message in all {
        assert!(kept(&archive, &message));
    }
    let folder = file_of(root.path(), b"").parent().unwrap().to_owned();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 17 * 8);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look() {
    use std::os::unix::fs::PermissionsExt;

    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("new/archive");
    let archive = directory(&root);
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    let mut path = file_of(&root, MESSAGE);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o600);
    while path.pop() && path != outer.path() {
        assert_eq!(mode(&path), 0o700, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;

    let outside = tempfile::tempdir().unwrap();
    directory(outside.path())
        .put(&name_of(MESSAGE), MESSAGE)
        .unwrap();
    let name = name_of(MESSAGE).to_string();
    for depth in 1..=6 {
        let root = tempfile::tempdir().unwrap();
        let part: PathBuf = Path::new(&name).components().take(depth).collect();
        fs::create_dir_all(root.path().join(&part).parent().unwrap()).unwrap();
        symlink(outside.path().join(&part), root.path().join(&part)).unwrap();
        let archive = directory(root.path());
        for result in [
            archive.get(&name_of(MESSAGE)).map(drop),
            archive.put(&name_of(MESSAGE), MESSAGE),
        ] {
            let text = causes(&result.unwrap_err());
            assert!(text.contains("a symbolic link"), "{text}");
        }
        // Nor one that leads to nothing yet.
        fs::remove_file(root.path().join(&part)).unwrap();
        symlink(outside.path().join("nothing"), root.path().join(&part)).unwrap();
        archive.put(&name_of(MESSAGE), MESSAGE).unwrap_err();
        assert!(!outside.path().join("nothing").exists());
    }
    // The archive itself may be one.
    let root = tempfile::tempdir().unwrap();
    let link = root.path().join("archive");
    symlink(outside.path(), &link).unwrap();
    assert!(kept(&directory(&link), MESSAGE));
    directory(&link).put(&name_of(b"x"), b"x").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_message_comes_back(
        facility in prop::collection::vec(any::<u8>(), 0..100),
        control_id in prop::collection::vec(any::<u8>(), 0..100),
        message in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let root = tempfile::tempdir().unwrap();
        let key = RawKey::new("acme", date(2026, 3, 9), &facility, &control_id, &message);
        let archive = DirectoryArchive::new(root.path(), archive_key(), Arc::new(SystemRandom));
        archive.put(&key, &message).unwrap();
        let kept = archive.get(&RawKey::parse(key.as_str()).unwrap()).unwrap();
        prop_assert_eq!(kept.unwrap().to_vec(), message);
    }
}
