use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jwks_publisher::{
    Algorithm, DirectoryStore, Error, KeyStore, NewKey, PrivateKey, RingSecret, RingSigner, Secret,
    Signer as _,
};
use serde_json::Value;

use crate::support::{DAY, at, key, kid, policy, secret};

fn open(folder: &Path) -> DirectoryStore {
    DirectoryStore::new(folder, Some(secret()))
}

#[test]
fn a_ring_is_there_for_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("deep/ring");
    assert!(open(&folder).load().unwrap().keys().is_empty());
    assert!(!folder.exists(), "reading makes nothing");
    {
        let store = open(&folder);
        store.generate("anna", at(0), key(0)).unwrap();
        store
            .rotate("anna", at(60), key(1), &policy(DAY, Duration::ZERO))
            .unwrap();
    }
    let store = open(&folder);
    let ring = store.load().unwrap();
    assert_eq!(ring.keys().len(), 2);
    assert_eq!(ring.active(Algorithm::Es384, at(61)).unwrap().kid(), kid(1));
    for index in [0, 1] {
        let private = store.private_key(&kid(index)).unwrap();
        assert_eq!(private.expose_der(), key(index).private.expose_der());
    }
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let with = |secret| DirectoryStore::new(folder.path(), secret);
    let phrase = |text: &str| RingSecret::passphrase(Secret::new(text)).unwrap();
    let right = with(Some(phrase("correct horse battery")));
    right.generate("anna", at(0), key(0)).unwrap();
    assert!(right.private_key(&kid(0)).is_ok());

    let wrong = with(Some(phrase("incorrect horse battery")));
    assert!(matches!(
        wrong.private_key(&kid(0)),
        Err(Error::WrongSecret { .. })
    ));
    let error = wrong.rotate("anna", at(1), key(1), &policy(DAY, Duration::ZERO));
    assert!(
        matches!(error, Err(Error::WrongSecret { .. })),
        "no ring is sealed with two secrets"
    );
    let other = with(Some(secret()));
    assert!(matches!(
        other.private_key(&kid(0)),
        Err(Error::OtherSecret {
            expected: "passphrase",
            given: "key",
            ..
        })
    ));
    let none = with(None);
    assert!(matches!(
        none.private_key(&kid(0)),
        Err(Error::NoSecret { .. })
    ));
    assert_eq!(
        none.load().unwrap().keys().len(),
        1,
        "the public part takes none"
    );
    assert!(
        none.retire("anna", at(1), &kid(0), Duration::ZERO, true)
            .is_ok(),
        "nor does an emergency"
    );
    assert!(none.load().unwrap().keys().is_empty());
    // Of a ring without keys nothing is left that another secret would open.
    other.generate("anna", at(2), key(1)).unwrap();
    assert!(other.private_key(&kid(1)).is_ok());
}

#[test]
fn secrets_that_are_none_are_refused() {
    assert!(RingSecret::passphrase(Secret::new("short")).is_err());
    for text in [
        "",
        "ab",
        &"g".repeat(64),
        &"a".repeat(63),
        &"a".repeat(65),
        "é",
    ] {
        assert!(RingSecret::key_file(&Secret::new(text)).is_err(), "{text}");
    }
    assert!(RingSecret::key_file(&Secret::new(format!(" {}\n", "Ab".repeat(32)))).is_ok());
}

#[test]
fn what_was_sealed_for_one_key_opens_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.generate("anna", at(0), key(0)).unwrap();
    store
        .rotate("anna", at(1), key(1), &policy(DAY, Duration::ZERO))
        .unwrap();
    let path = folder.path().join("ring.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut ring: Value = serde_json::from_str(&text).unwrap();
    let first = ring["keys"][0]["sealed"].clone();
    ring["keys"][1]["sealed"] = first;
    fs::write(&path, ring.to_string()).unwrap();
    assert!(store.private_key(&kid(0)).is_ok());
    assert!(matches!(
        store.private_key(&kid(1)),
        Err(Error::WrongSecret { .. })
    ));
    // A key under another name.
    let text = text.replace(&kid(0), "another-name");
    fs::write(&path, text).unwrap();
    assert!(matches!(store.load(), Err(Error::Format { .. })));
}

#[test]
fn damaged_files_are_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring.json");
    for (text, says) in [
        ("", "damaged"),
        ("{", "damaged"),
        ("{\"format\":\"key ring 2\"}", "another version"),
        ("{\"format\":\"key ring 1\"}", "damaged"),
        (
            "{\"format\":\"key ring 1\",\"keys\":[{\"d\":\"canary\"}]}",
            "damaged",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let store = open(folder.path());
        for error in [
            store.load().unwrap_err(),
            store.generate("anna", at(0), key(0)).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(
                error.contains(says) && !error.contains("canary"),
                "{text}: {error}"
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("ring");
    let store = open(&folder);
    store.generate("anna", at(0), key(0)).unwrap();
    // What a crash left may have another mode.
    fs::write(folder.join("ring.json.new"), "x").unwrap();
    fs::set_permissions(
        folder.join("ring.json.new"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    store
        .rotate("anna", at(1), key(1), &policy(DAY, Duration::ZERO))
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for path in names {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn links_in_place_of_its_files_are_replaced() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let (ring, outside) = (folder.path().join("ring"), folder.path().join("outside"));
    open(&ring).generate("anna", at(0), key(0)).unwrap();
    fs::rename(ring.join("ring.json"), &outside).unwrap();
    let before = fs::read(&outside).unwrap();
    for name in ["ring.json", "ring.json.new"] {
        symlink(&outside, ring.join(name)).unwrap();
    }
    open(&ring)
        .rotate("anna", at(1), key(1), &policy(DAY, Duration::ZERO))
        .unwrap();
    assert_eq!(fs::read(&outside).unwrap(), before);
    let found = fs::symlink_metadata(ring.join("ring.json")).unwrap();
    assert!(found.is_file());
    assert!(!ring.join("ring.json.new").exists());
    assert_eq!(open(&ring).load().unwrap().keys().len(), 2);
}

#[test]
fn every_change_is_a_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.generate("anna", at(0), key(0)).unwrap();
    store
        .rotate(
            "cron",
            at(60),
            key(1),
            &policy(Duration::from_secs(10), Duration::ZERO),
        )
        .unwrap();
    store.prune("cron", at(70)).unwrap();
    store.prune("cron", at(71)).unwrap();
    let log = fs::read_to_string(folder.path().join("audit.log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["actor"].as_str().unwrap(),
                line["action"].as_str().unwrap(),
                line["keys"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("anna", "generate", 1),
            ("cron", "rotate", 2),
            ("cron", "prune", 1)
        ]
    );
    assert_eq!(lines[1]["time"], "2027-01-15T08:01:00Z");
    assert_eq!(lines[1]["kid"], kid(1));
    assert_eq!(lines[1]["active"], serde_json::json!([kid(1)]));
    assert_eq!(lines[2]["pruned"], serde_json::json!([kid(0)]));
}

#[test]
fn rotations_at_once_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    first.generate("test", at(0), key(0)).unwrap();
    std::thread::scope(|scope| {
        for index in 1..9 {
            let folder = folder.path();
            scope.spawn(move || {
                let store = open(folder);
                store
                    .rotate("test", at(1), key(index), &policy(DAY, Duration::ZERO))
                    .unwrap();
            });
        }
    });
    let ring = first.load().unwrap();
    assert_eq!(ring.keys().len(), 9);
    let active = ring
        .keys()
        .iter()
        .filter(|key| ring.state(key, at(1)).as_str() == "active");
    assert_eq!(active.count(), 1);
    for key in ring.keys() {
        assert!(first.private_key(key.kid()).is_ok());
    }
}

#[cfg(feature = "rsa-generation")]
#[test]
fn rsa_and_p384_live_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let rsa = PrivateKey::generate_rsa(jose_keys::RsaBits::B2048).unwrap();
    let rsa = NewKey::new(rsa, Algorithm::Rs384).unwrap();
    let rsa_kid = rsa.public.kid().to_owned();
    store.generate("anna", at(0), rsa).unwrap();
    store.generate("anna", at(0), key(0)).unwrap();
    let wanted = |algorithms: &[Algorithm]| {
        let signer = RingSigner::new(store.clone(), algorithms.to_vec());
        signer.active(at(1)).map(|key| key.kid().to_owned())
    };
    assert_eq!(
        wanted(&[Algorithm::Rs384, Algorithm::Es384]).unwrap(),
        rsa_kid
    );
    assert_eq!(
        wanted(&[Algorithm::Es384, Algorithm::Rs384]).unwrap(),
        kid(0)
    );
    assert_eq!(
        wanted(&[Algorithm::Rs256, Algorithm::Es384]).unwrap(),
        kid(0)
    );
    let error = wanted(&[Algorithm::Rs256]).unwrap_err();
    assert_eq!(error.to_string(), "the ring has no active key for RS256");
}
