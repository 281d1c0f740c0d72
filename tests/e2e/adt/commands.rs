use ehr_sandbox::FaultPlan;
use ehr_sandbox::adt::Day;

use super::site::{Site, eventually, message, state};
use crate::bulk::wait::terminate;
use crate::util::{Ran, assert_balances, until_logged};

#[test]
fn a_message_that_is_sent_becomes_a_patient_in_the_store() {
    let site = Site::new(3);
    let listening = site.listen(&[]);
    let mut sender = listening.sender();
    let mrns = site.mrns();
    for (number, mrn) in mrns.iter().enumerate() {
        let answer = sender
            .send(&message("A01", &format!("M{number}"), mrn))
            .expect("an answer");
        assert_eq!(
            (answer.code(), answer.control_id()),
            ("AA".into(), format!("M{number}"))
        );
    }
    let again = sender
        .send(&message("A01", "M0", &mrns[0]))
        .expect("an answer");
    assert_eq!(again.code(), "AA");
    eventually("the patients", || {
        let path = site.folder.path("ingest.db");
        path.exists() && {
            let reader = crate::util::open(&path);
            reader.prepare("SELECT 1 FROM resources").is_ok()
                && crate::util::query(
                    &reader,
                    "SELECT count(*) FROM resources WHERE type = 'Patient'",
                ) == ["3"]
        }
    });
    eventually("an empty queue", || {
        state(&site, "SELECT count(*) FROM fetch") == ["0"]
    });
    let status = site.folder.run(["status", "--json"]).exits(0).json();
    let adt = &status["connections"][0]["adt"];
    assert_eq!(adt["received"], 4, "{status}");
    assert_eq!(adt["acknowledged"]["AA"], 4, "{status}");
    assert_eq!(
        (&adt["accepted"], &adt["duplicates"]),
        (&3.into(), &1.into())
    );
    assert_eq!(
        (&adt["queued"], &adt["dead_letters"]),
        (&0.into(), &0.into())
    );
    let text = site.folder.run(["status"]).exits(0).text();
    assert!(text.contains("4 messages"), "{text}");

    let (summary, _) = listening.stop();
    assert_eq!(summary["received"], 4);
    assert_eq!(
        (&summary["accepted"], &summary["duplicates"]),
        (&3.into(), &1.into())
    );
    assert_eq!(site.folder.query("SELECT DISTINCT kind FROM runs"), ["adt"]);
}

#[test]
fn a_day_from_files_ends_like_one_over_the_network() {
    let site = Site::with(20, &format!("triggers = {:?}", Day::default().allowed));
    let events = Day::default().events(11, &site.ehr.data());
    let mut framed = Vec::new();
    for (number, event) in events.iter().enumerate() {
        site.ehr.apply(event);
        // Some in files of their own, some in one with frames.
        if number % 2 == 0 {
            site.folder
                .write(&format!("in/{number:03}.hl7"), event.message());
        } else {
            framed.extend_from_slice(b"\x0b");
            framed.extend_from_slice(event.message());
            framed.extend_from_slice(b"\x1c\r");
        }
    }
    site.folder.write("in/zz-framed.mllp", framed);
    let summary = site.adt(&["process", "in"]);
    assert_eq!(summary["received"], events.len());
    let sum: u64 = ["accepted", "ignored", "duplicates", "rejected"]
        .iter()
        .map(|it| summary[it].as_u64().expect("a number"))
        .sum();
    assert_eq!(summary["received"], sum);
    let worked = site.adt(&["work", "--drain"]);
    assert_balances(&worked);
    assert!(worked["created"].as_u64() > Some(0), "{worked}");
    let again = site.adt(&["process", "in"]);
    assert_eq!(
        (&again["accepted"], &again["queued_fetches"]),
        (&0.into(), &0.into()),
        "{again}"
    );
    assert_eq!(site.adt(&["work", "--drain"])["resources"], 0);

    // Dead letters are there for whoever asks, by command or by SQL.
    let letters = site.adt(&["dead-letters", "list"]);
    let letters = letters["dead_letters"].as_array().expect("a list");
    assert!(!letters.is_empty());
    let shown = site.folder.query("SELECT id FROM dead_letters");
    assert_eq!(shown.len(), letters.len());
    let id = letters[0]["id"].to_string();
    let letter = site.adt(&["dead-letters", "show", &id]);
    assert!(letter["body"].as_str().expect("a body").starts_with("MSH|"));
    let key = letter["raw_key"].as_str().expect("a key");
    let raw = site.folder.run(["adt", "raw", "show", key]).exits(0);
    assert_eq!(raw.text(), letter["body"].as_str().expect("a body"));
    let replayed = site.adt(&["dead-letters", "replay", "--all"]);
    let count = |name: &str| replayed[name].as_u64().expect("a number");
    assert_eq!(
        count("replayed") + count("still_dead"),
        letters.len() as u64
    );
    site.adt(&["work", "--drain"]);
    assert_eq!(
        site.adt(&["dead-letters", "list"])["dead_letters"]
            .as_array()
            .map(Vec::len),
        Some(letters.len())
    );
}

#[test]
fn wrong_input_is_told_with_what_to_do() {
    let site = Site::new(1);
    // Makes the state that dead letters are looked for in.
    site.folder.run(["adt", "work", "--drain"]).exits(0);
    for (arguments, exit, says) in [
        (&["adt", "process", "missing.hl7"][..], 2, "missing.hl7"),
        (
            &["adt", "process", "--connection", "nobody", "ingest.toml"],
            4,
            "nobody",
        ),
        (
            &["adt", "dead-letters", "show", "7"],
            2,
            "dead-letters list",
        ),
        (&["adt", "dead-letters", "replay", "7"], 2, "7"),
        (&["adt", "dead-letters", "replay"], 2, "ID"),
        (
            &["adt", "raw", "show", "../../etc/passwd"],
            2,
            "TENANT/YYYY",
        ),
        (
            &[
                "adt",
                "raw",
                "show",
                "acme/2027/01/01/GHH/M1-0123456789abcdef.hl7",
            ],
            2,
            "no message",
        ),
        (
            &[
                "adt",
                "listen",
                "--tls-cert",
                "missing.pem",
                "--tls-key",
                "missing.pem",
            ],
            4,
            "missing.pem",
        ),
        (
            &["adt", "listen", "--listen", "203.0.113.7:2575"],
            4,
            "203.0.113.7",
        ),
    ] {
        let ran = site
            .folder
            .run(arguments.iter().chain(&["--json"]))
            .exits(exit);
        assert!(ran.text().contains(says), "{arguments:?}: {}", ran.text());
    }
    let help = site.folder.run(["adt", "--help"]).exits(0).text();
    assert!(help.contains("Examples:"), "{help}");
}

#[test]
fn messages_come_over_tls_from_those_who_are_known() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    let site = Site::new(1);
    let (authority_key, server_key) = (
        KeyPair::generate().expect("a key"),
        KeyPair::generate().expect("a key"),
    );
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority
        .clone()
        .self_signed(&authority_key)
        .expect("a certificate")
        .pem();
    let issuer = Issuer::new(authority, authority_key);
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server
        .signed_by(&server_key, &issuer)
        .expect("a certificate");
    site.folder.write("ca.pem", authority_pem);
    site.folder.write("server.pem", server.pem());
    site.folder.write("server.key", server_key.serialize_pem());
    let listening = site.listen(&[
        "--tls-cert",
        "server.pem",
        "--tls-key",
        "server.key",
        "--client-ca",
        "ca.pem",
    ]);
    // Whoever speaks no TLS gets no acknowledgement.
    let refused = listening.sender().send(&message("A01", "1", "1"));
    assert!(refused.is_err());
    let (summary, _) = listening.stop();
    assert_eq!(summary["received"], 0);
}

#[test]
fn a_store_that_cannot_be_read_ends_the_draining_and_gives_nothing_up() {
    let site = with_a_fetch();
    let store = site.folder.write("ingest.db", "this is no database");
    let drain = ["adt", "work", "--drain", "--json"];
    let ran = site.folder.run(drain).exits(10);
    assert_eq!(ran.error_code(), "store");
    assert_eq!(state(&site, "SELECT attempts FROM fetch"), ["0"]);
    std::fs::remove_file(store).expect("a file");
    let summary = site.folder.run(drain).exits(0).json();
    assert!(summary["created"].as_u64() > Some(0), "{summary}");
}

#[test]
fn a_draining_that_is_stopped_says_that_something_waits() {
    let site = with_a_fetch();
    let faults = FaultPlan::of(["search:every:status=503"]).expect("a fault");
    site.ehr.set_faults(faults);
    let mut child = site.folder.spawn(["adt", "work", "--drain", "--json"]);
    let log = until_logged(&mut child, "is tried again");
    terminate(&child);
    let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(12);
    assert_eq!(ran.json()["state"], "interrupted");
    drop(log);
    assert_eq!(state(&site, "SELECT count(*) FROM fetch"), ["1"]);
}

/// A site in whose queue is one fetch.
fn with_a_fetch() -> Site {
    let site = Site::new(1);
    let path = site
        .folder
        .write("m.hl7", message("A01", "M1", &site.mrns()[0]));
    site.adt(&["process", &path.to_string_lossy()]);
    site
}
