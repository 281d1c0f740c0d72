//! Which patients a message leads to.

use ingest_pipeline::adt::Received;
use ingest_pipeline::fetch::PatientKey;

use super::site::{Site, message};

/// `system|value` of the patients that are queued, with those merged into them.
fn queued(site: &Site) -> Vec<String> {
    let mut state = site.state();
    let worker = state.worker("test").unwrap();
    let fetches = state
        .take_fetches(&worker, None, i64::MAX / 2, 100)
        .unwrap();
    let name = |patient: &ingest_pipeline::state::inbox::PatientIdentifier| {
        format!("{}|{}", patient.system, patient.value)
    };
    fetches
        .iter()
        .map(|fetch| {
            let merged: Vec<_> = fetch.wanted.merged.iter().map(name).collect();
            let mut text = name(&fetch.wanted.patient);
            if !merged.is_empty() {
                text.push_str(&format!(" <- {}", merged.join(", ")));
            }
            text
        })
        .collect()
}

fn text(trigger: &str, segments: &[&str]) -> Vec<u8> {
    let head = format!("MSH|^~\\&|A|B|C|D|20270101||ADT^{trigger}|1|P|2.5.1");
    let mut all = vec![head.as_str(), "EVN||20270101"];
    all.extend(segments);
    all.join("\r").into_bytes()
}

#[test]
fn patients_are_named_by_event() {
    const ONE: &str = "PID|||1^^^GHH&1.2.3&ISO^MR";
    const TWO: &str = "PID|||2^^^GHH&1.2.3&ISO^MR";
    const MRG: &str = "MRG|2^^^GHH&1.2.3&ISO^MR";
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("A01", &[ONE], &["urn:oid:1.2.3|1"]),
        ("A08", &[ONE, TWO], &["urn:oid:1.2.3|1", "urn:oid:1.2.3|2"]),
        (
            "A17",
            &[ONE, "PV1||I", TWO, "PV1||I"],
            &["urn:oid:1.2.3|1", "urn:oid:1.2.3|2"],
        ),
        ("A24", &[ONE, TWO], &["urn:oid:1.2.3|1", "urn:oid:1.2.3|2"]),
        ("A37", &[ONE, TWO], &["urn:oid:1.2.3|1", "urn:oid:1.2.3|2"]),
        ("A20", &["NPU|bed"], &[]),
        ("A40", &[ONE, MRG], &["urn:oid:1.2.3|1 <- urn:oid:1.2.3|2"]),
        ("A18", &[ONE, MRG], &["urn:oid:1.2.3|1 <- urn:oid:1.2.3|2"]),
        ("A34", &[ONE, MRG], &["urn:oid:1.2.3|1 <- urn:oid:1.2.3|2"]),
        // Two merges in one message.
        (
            "A39",
            &[
                ONE,
                MRG,
                "PID|||3^^^GHH&1.2.3&ISO^MR",
                "MRG|4^^^GHH&1.2.3&ISO^MR",
            ],
            &[
                "urn:oid:1.2.3|1 <- urn:oid:1.2.3|2",
                "urn:oid:1.2.3|3 <- urn:oid:1.2.3|4",
            ],
        ),
        // Accounts of one patient, and of two.
        (
            "A35",
            &[ONE, "MRG|1^^^GHH&1.2.3&ISO^MR||ACC"],
            &["urn:oid:1.2.3|1"],
        ),
        ("A41", &[ONE, MRG], &["urn:oid:1.2.3|1 <- urn:oid:1.2.3|2"]),
        // What moved away has changed as well, and nobody is replaced.
        ("A43", &[ONE, MRG], &["urn:oid:1.2.3|1", "urn:oid:1.2.3|2"]),
        ("A45", &[ONE, MRG], &["urn:oid:1.2.3|1", "urn:oid:1.2.3|2"]),
        // The old number is nobody's any more.
        ("A47", &[ONE, MRG], &["urn:oid:1.2.3|1"]),
        // The same patient twice is one fetch.
        ("A24", &[ONE, ONE], &["urn:oid:1.2.3|1"]),
    ];
    for (trigger, segments, wanted) in cases {
        let site = Site::new("");
        let (received, code) = site.take(&text(trigger, segments));
        let queues = wanted.len() as u64;
        assert_eq!(received, Received::Accepted { queued: queues }, "{trigger}");
        assert_eq!(code.as_deref(), Some("AA"), "{trigger}");
        let mut found = queued(&site);
        found.sort();
        assert_eq!(found, *wanted, "{trigger} {segments:?}");
    }
}

#[test]
fn what_can_not_be_worked_on_is_dead_with_its_reason() {
    const ONE: &str = "PID|||1^^^GHH^MR";
    for (trigger, segments, reason) in [
        ("A01", &[][..], "no-patient-identifier"),
        ("A01", &["PID|||\"\""], "no-patient-identifier"),
        ("A24", &[ONE, "PID|||"], "no-patient-identifier"),
        ("A40", &[ONE], "merge-incomplete"),
        ("A40", &[ONE, "MRG|\"\""], "merge-incomplete"),
        ("A34", &[ONE, "MRG|"], "merge-incomplete"),
        ("A40", &[ONE, "MRG|1^^^GHH^MR"], "merge-circular"),
    ] {
        let site = Site::new("");
        let (received, code) = site.take(&text(trigger, segments));
        assert_eq!(
            received,
            Received::Dead { reason },
            "{trigger} {segments:?}"
        );
        assert_eq!(code.as_deref(), Some("AE"), "{trigger}");
        let letters = site.state().dead_letters().unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!((&*letters[0].reason, letters[0].is_fetch), (reason, false));
        // Sent again it is the same dead letter, and the same answer.
        let (again, code) = site.take(&text(trigger, segments));
        assert_eq!(
            (again, code.as_deref()),
            (received, Some("AE")),
            "{trigger}"
        );
        assert_eq!(site.state().dead_letters().unwrap().len(), 1);
    }
    for nonsense in [
        &b""[..],
        b"GET / HTTP/1.1\r\n",
        b"MSH",
        b"\xFF\xFE",
        b"MSH|^~\\&|A|B|C|D|||||P|2.5\rPID|||1",
    ] {
        let site = Site::new("");
        let (received, code) = site.take(nonsense);
        assert!(matches!(received, Received::Dead { .. }), "{nonsense:?}");
        assert_eq!(code.as_deref(), Some("AR"), "{nonsense:?}");
        let letter = &site.state().dead_letters().unwrap()[0];
        assert_eq!(site.archived(&letter.raw_key), nonsense);
    }
}

#[test]
fn identifiers_are_chosen_as_configured() {
    const MANY: &str = "PID|9|8^^^OLD|7^^^LAB&9.9&ISO^PI~6^^^GHH&1.2.3&ISO^MR~5^^^OTHER^MR~4|3";
    for (lines, wanted) in [
        ("", "urn:oid:1.2.3|6"),
        ("mrn_system = \"urn:mrn\"", "urn:mrn|6"),
        (
            "[connections.c.adt]\nidentifier_types = [\"PI\", \"MR\"]",
            "urn:oid:9.9|7",
        ),
        ("[connections.c.adt]\nassigning_authority = \"OTHER\"", "|5"),
        ("[connections.c.adt]\nidentifier_types = [\"XX\"]", "|4"),
        (
            "[connections.c.adt]\nauthority_systems = { GHH = \"urn:ghh\" }",
            "urn:ghh|6",
        ),
        (
            "[connections.c.adt]\nauthority_systems = { \"1.2.3\" = \"urn:by-oid\" }",
            "urn:by-oid|6",
        ),
    ] {
        let site = Site::new(lines);
        site.take(&text("A01", &[MANY]));
        assert_eq!(queued(&site), [wanted], "{lines}");
    }
    // Another authority's number may be another patient's.
    let site = Site::new("[connections.c.adt]\nassigning_authority = \"NOBODY\"");
    assert!(matches!(
        site.take(&text("A01", &[MANY])).0,
        Received::Dead { .. }
    ));
    let old = "PID||8^^^OLD||4^^^OLDER|";
    for (lines, wanted) in [
        ("", None),
        ("[connections.c.adt]\nfallback_pid2 = true", Some("|8")),
        ("[connections.c.adt]\nfallback_pid4 = true", Some("|4")),
    ] {
        let site = Site::new(lines);
        site.take(&text("A01", &[old]));
        assert_eq!(queued(&site).first().map(String::as_str), wanted, "{lines}");
    }
    // Nothing of it shows in a log.
    let key = PatientKey::Identifier {
        system: None,
        value: "canary".into(),
    };
    assert!(!format!("{key:?}").contains("canary"));
}

#[test]
fn triggers_outside_of_the_list_are_acknowledged_and_discarded() {
    let oru = String::from_utf8(message("R01", "1", "1"))
        .unwrap()
        .replace("ADT^R01", "ORU^R01");
    for (lines, trigger, taken) in [
        ("triggers = [\"A01\"]", "A01", true),
        ("triggers = [\"A01\"]", "A02", false),
        ("triggers = [\"*\"]", "A62", true),
        ("triggers = [\"ORU^R01\"]", "A01", false),
        ("", "A31", true),
    ] {
        let site = Site::new(lines);
        let (received, code) = site.take(&message(trigger, "1", "1"));
        assert_eq!(received != Received::Ignored, taken, "{lines} {trigger}");
        assert_eq!(code.as_deref(), Some("AA"));
        // Nothing of what is discarded is kept.
        assert_eq!(site.folder.path().join("state.db.archive").exists(), taken);
    }
    for (lines, taken) in [
        ("", false),
        ("triggers = [\"*\"]", false),
        ("triggers = [\"ORU^R01\"]", true),
    ] {
        let received = Site::new(lines).take(oru.as_bytes()).0;
        assert_eq!(received != Received::Ignored, taken, "{lines}");
    }
}

#[test]
fn acknowledgements_follow_the_mode() {
    let asks = |accept: &str, application: &str| {
        format!("MSH|^~\\&|A|B|C|D|20270101||ADT^A01|1|P|2.5.1|||{accept}|{application}\rPID|||1")
    };
    for (lines, accept, application, wanted) in [
        ("", "", "", &["AA"][..]),
        ("", "AL", "NE", &["CA"]),
        ("", "NE", "NE", &[]),
        ("", "AL", "AL", &["CA", "AA"]),
        ("", "ER", "AL", &["AA"]),
        ("ack_mode = \"original\"", "AL", "NE", &["AA"]),
        ("ack_mode = \"original\"", "NE", "NE", &["AA"]),
        ("ack_mode = \"enhanced\"", "", "", &["CA"]),
    ] {
        let site = Site::new(lines);
        let (_, replies) = site.receiver().take(asks(accept, application).as_bytes());
        let codes: Vec<_> = replies
            .iter()
            .map(|reply| super::site::code(reply))
            .collect();
        assert_eq!(codes, wanted, "{lines} {accept} {application}");
    }
    // An acknowledgement is never acknowledged.
    let ack = b"MSH|^~\\&|A|B|C|D|20270101||ACK^A01|1|P|2.5.1\rMSA|AA|7";
    let (received, replies) = Site::new("").receiver().take(ack);
    assert_eq!(received, [Received::Ignored]);
    assert!(replies.is_empty());
}
