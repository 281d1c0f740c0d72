//! What a connection says about fetches and patients in messages.

use crate::config::{MEMORIAL, read};
use crate::connections::settings;

#[test]
fn what_is_left_out_is_as_documented() {
    let adt = settings("types = [\"Binary\"]").adt;
    assert_eq!(
        adt.types,
        ["Encounter", "Observation", "Condition", "MedicationRequest"]
    );
    assert_eq!(
        adt.follow,
        [
            "Practitioner",
            "PractitionerRole",
            "Organization",
            "Location",
            "Medication",
            "DocumentReference"
        ]
    );
    assert_eq!((adt.depth, adt.page_size, adt.concurrency), (2, 100, 4));
    assert_eq!(adt.last_updated, None);
    assert_eq!(adt.identifier_types, ["MR"]);
    assert_eq!(adt.assigning_authority, None);
    assert_eq!((adt.fallback_pid2, adt.fallback_pid4), (false, false));
    assert_eq!(adt.message_bytes, 16 << 20);
    let epic = settings("vendor = \"epic\"\nclient_id = \"x\"").adt;
    assert_eq!(epic.last_updated, Some(false));
}

#[test]
fn what_is_said_counts() {
    let adt = settings(
        "vendor = \"epic\"\nclient_id = \"x\"\n[connections.memorial.adt]\n\
         types = [\"Patient\", \"Procedure\"]\nfollow = []\ndepth = 0\nlast_updated = true\n\
         identifier_types = [\"EPI\", \"MR\"]\nassigning_authority = \"GHH OLD\"\n\
         fallback_pid2 = true\nmessage_bytes = 1024",
    )
    .adt;
    assert_eq!(adt.types, ["Procedure"], "the Patient comes anyhow");
    assert!(adt.follow.is_empty() && adt.depth == 0);
    assert_eq!(adt.last_updated, Some(true));
    assert_eq!(adt.identifier_types, ["EPI", "MR"]);
    assert_eq!(adt.assigning_authority.as_deref(), Some("GHH OLD"));
    assert!(adt.fallback_pid2 && !adt.fallback_pid4);
}

#[test]
fn the_system_of_an_identifier_follows_from_its_authority() {
    let plain = settings("").adt;
    let mapped = settings(
        "[connections.memorial.adt]\n\
         authority_systems = { GHH = \"urn:x:ghh\", \"1.2.3\" = \"urn:x:oid\" }",
    )
    .adt;
    let mrn = settings(
        "mrn_system = \"urn:mrn\"\n[connections.memorial.adt]\n\
         authority_systems = { GHH = \"urn:x:ghh\" }",
    )
    .adt;
    for (adt, hd, expected) in [
        (&plain, ("GHH", "", ""), None),
        (&plain, ("", "1.2.3", "ISO"), Some("urn:oid:1.2.3")),
        (&plain, ("", "1.2.3", "iso"), Some("urn:oid:1.2.3")),
        (
            &plain,
            ("", "0C3151BD-1CBF-4D64-B04D-CD9187A4C6E0", "UUID"),
            Some("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        ),
        (&plain, ("", "http://x/y", "URI"), Some("http://x/y")),
        (&plain, ("", "x", "DNS"), None),
        (&plain, ("", "", "ISO"), None),
        (&mapped, ("GHH", "", ""), Some("urn:x:ghh")),
        (&mapped, ("GHH", "1.2.3", "ISO"), Some("urn:x:oid")),
        (&mapped, ("ghh", "1.2.4", "ISO"), Some("urn:oid:1.2.4")),
        (&mrn, ("GHH", "", ""), Some("urn:x:ghh")),
        (&mrn, ("OTHER", "1.2.3", "ISO"), Some("urn:mrn")),
        (&mrn, ("", "", ""), Some("urn:mrn")),
    ] {
        let system = adt.identifier_system(hd.0, hd.1, hd.2);
        assert_eq!(system.as_deref(), expected, "{hd:?}");
    }
}

#[test]
fn values_that_can_t_be_used_are_refused_with_their_line() {
    for (line, expected) in [
        ("types = [\"encounter\"]", "did you mean `Encounter`?"),
        ("follow = [\"Docter\"]", "is no FHIR R4 resource type"),
        (
            "follow = [\"Patient\"]",
            "records of other patients are not read",
        ),
        ("depth = 6", "it is 5 at most"),
        ("page_size = 0", "it is from 1 to 10000"),
        ("concurrency = 33", "it is from 1 to 32"),
        ("identifier_types = []", "name at least one"),
        ("identifier_types = [\"M R\"]", "name at least one"),
        ("assigning_authority = \" x\"", "without spaces around it"),
        (
            "authority_systems = { \"\" = \"urn:x\" }",
            "without spaces around it",
        ),
        (
            "authority_systems = { X = \"a b\" }",
            "is empty or has spaces",
        ),
        ("message_bytes = 10", "from 1024 to 1073741824"),
        ("depht = 1", "did you mean `depth`?"),
    ] {
        let text = format!("{MEMORIAL}[connections.memorial.adt]\n{line}\n");
        let error = read(&text).expect_err(line).to_string();
        assert!(error.contains(expected), "{line}: {error}");
        let key = line.split(' ').next().unwrap();
        assert!(
            error.contains("ingest.toml:7:") && error.contains(key),
            "{line}: {error}"
        );
        assert!(error.contains("[connections.memorial.adt]"), "{error}");
    }
}
