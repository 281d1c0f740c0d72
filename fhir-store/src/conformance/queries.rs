use super::{delete, found, has_content, identifier, put, resource};
use crate::{Put, Store, Stored};

/// A scan goes on where it stopped, past writes made in between.
pub fn scans_while_writing(store: &mut dyn Store) {
    assert_eq!(store.scan(None, 0, usize::MAX).expect("scan"), []);
    for id in ["a", "b", "c", "d"] {
        put(store, &[resource("Patient", id, "1234")]);
    }
    put(store, &[resource("Device", "e", "1234")]);

    let two = 2 * resource("Patient", "a", "1234").body.len();
    let page = store.scan(None, 0, two).expect("scan");
    assert_eq!(ids(&page), ["a", "b"], "stops at the bytes of two bodies");
    let after = page[1].sequence;
    put(store, &[resource("Patient", "a", "5678")]);
    put(store, &[resource("Patient", "d", "5678")]);
    delete(store, "Patient", "c");
    let page = store.scan(None, after, usize::MAX).expect("scan");
    assert_eq!(ids(&page), ["e", "a", "d", "c"]);
    assert!(page[3].deleted, "a delete is a current version");
    assert!(has_content(page[1].body.as_deref(), "5678"));

    let last = page[3].sequence;
    assert_eq!(store.scan(None, last, usize::MAX).expect("scan"), []);
    assert_eq!(store.scan(None, u64::MAX, 1).expect("scan"), []);
    assert_eq!(ids(&store.scan(None, 0, 0).expect("scan")), ["b"]);
    let patients = store.scan(Some("Patient"), 0, usize::MAX).expect("scan");
    assert_eq!(ids(&patients), ["b", "a", "d", "c"]);
    assert_eq!(store.scan(Some("Group"), 0, 1).expect("scan"), []);
}

/// An identifier finds the current versions that have it, and only those.
pub fn finds_by_identifier(store: &mut dyn Store) {
    let both = [
        identifier("urn:mrn", "1"),
        identifier("", "1"),
        identifier("urn:mrn", "1"),
    ];
    let old = Put {
        identifiers: &both,
        ..resource("Patient", "p", "old")
    };
    let twin = Put {
        identifiers: &both[..1],
        ..resource("Patient", "twin", "twin")
    };
    let device = Put {
        identifiers: &both[..1],
        ..resource("Device", "d", "device")
    };
    put(store, &[old, twin, device]);
    assert_eq!(found(store, "urn:mrn", "1"), ["p", "twin"]);
    assert_eq!(found(store, "", "1"), ["p"]);
    assert_eq!(found(store, "urn:other", "1"), [""; 0]);
    assert_eq!(found(store, "urn:mrn", "2"), [""; 0]);
    let one = store.find_by_identifier("Patient", "urn:mrn", "1", 1);
    assert_eq!(one.expect("find"), ["p"]);
    let devices = store.find_by_identifier("Device", "urn:mrn", "1", 9);
    assert_eq!(devices.expect("find"), ["d"]);

    let new = Put {
        identifiers: &[identifier("urn:mrn", "2")],
        ..resource("Patient", "p", "new")
    };
    put(store, &[new]);
    assert_eq!(found(store, "urn:mrn", "1"), ["twin"]);
    assert_eq!(found(store, "urn:mrn", "2"), ["p"]);
    delete(store, "Patient", "p");
    assert_eq!(found(store, "urn:mrn", "2"), [""; 0]);
}

/// Types are listed once each, sorted.
pub fn lists_types(store: &mut dyn Store) {
    assert_eq!(store.types().expect("types"), [""; 0]);
    put(
        store,
        &[
            resource("Patient", "p", "a"),
            resource("Device", "p", "a"),
            resource("Patient", "q", "a"),
        ],
    );
    assert_eq!(store.types().expect("types"), ["Device", "Patient"]);
}

fn ids(page: &[Stored]) -> Vec<&str> {
    page.iter().map(|stored| stored.id.as_str()).collect()
}
