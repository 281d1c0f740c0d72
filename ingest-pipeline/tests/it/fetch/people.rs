//! Who is meant.

use ehr_sandbox::{IdentifierSearch, SearchSettings};
use ingest_pipeline::fetch::{FetchError, FetchRequest, PatientKey};
use ingest_pipeline::{Error, ErrorKind};

use super::site::{Site, by_id, by_mrn, encounter, patient};

fn link(to: &str) -> String {
    format!(
        r#","active":false,"link":[{{"other":{{"reference":"Patient/{to}"}},"type":"replaced-by"}}]"#
    )
}

/// The error, which has to be permanent and an answer of the server.
fn refused(site: &Site, request: &FetchRequest) -> FetchError {
    let error = site.gather(request).unwrap_err();
    assert!(!error.is_transient() && !error.is_interrupted(), "{error}");
    error
}

#[test]
fn nobody_is_told_with_a_hint_and_without_the_number() {
    let site = Site::new("");
    for request in [
        by_mrn("MRN999999"),
        FetchRequest::new(PatientKey::Identifier {
            system: Some("urn:other".to_owned()),
            value: "MRN000001".to_owned(),
        }),
        by_id("p999999"),
        by_id(".."),
    ] {
        let error = refused(&site, &request);
        assert!(matches!(error, FetchError::NoPatient { .. }), "{error}");
        let hint = error.hint().unwrap();
        match request.patient {
            PatientKey::Id(_) => assert!(hint.contains("--mrn"), "{hint}"),
            _ => assert!(
                hint.contains("system of the identifier may differ"),
                "{hint}"
            ),
        }
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Server);
        let shown = format!("{error:?} {error}");
        assert!(
            !shown.contains("999999") && !shown.contains("000001"),
            "{shown}"
        );
    }
}

#[test]
fn an_identifier_without_a_system_is_enough_where_one_patient_has_it() {
    let site = Site::new("");
    let request = FetchRequest::new(PatientKey::Identifier {
        system: None,
        value: "MRN000004".to_owned(),
    });
    assert_eq!(site.gather(&request).unwrap().patient(), "p4");
}

#[test]
fn two_patients_with_one_number_are_nobody() {
    let lines = [
        patient("a", "1", ""),
        patient("b", "1", r#","active":true"#),
    ];
    let site = Site::of(&lines, "");
    let error = refused(&site, &by_mrn("1"));
    assert!(
        matches!(error, FetchError::Ambiguous { patients: 2, .. }),
        "{error}"
    );
}

#[test]
fn of_several_records_with_one_number_the_active_one_counts() {
    let lines = [
        patient("a", "1", r#","active":false"#),
        patient("b", "1", ""),
        patient("c", "1", &link("b")),
        encounter("e", "b", ""),
    ];
    let site = Site::of(&lines, "");
    let gathered = site.gather(&by_mrn("1")).unwrap();
    assert_eq!(gathered.patient(), "b");
    let summary = site.load(&[gathered]);
    assert_eq!(summary.by_type["Patient"].created, 3, "all are stored");
    assert_eq!(summary.by_type["Encounter"].created, 1);
}

#[test]
fn who_was_replaced_leads_to_who_remains() {
    let lines = [
        patient("a", "1", &link("b")),
        patient("b", "2", &link("c/_history/2")),
        patient("c", "3", ""),
        encounter("e", "c", ""),
    ];
    let site = Site::of(&lines, "");
    for request in [by_id("a"), by_mrn("1"), by_id("b"), by_mrn("3")] {
        assert_eq!(site.gather(&request).unwrap().patient(), "c");
    }
    let summary = site.fetch(&by_mrn("1"));
    assert_eq!(summary.by_type["Patient"].created, 3);
    assert!(site.stored("Encounter", "e").is_some());
}

#[test]
fn an_absolute_link_under_the_base_is_followed_too() {
    let base = "http://127.0.0.1:1/fhir";
    let absolute = link("b").replace("Patient/b", &format!("{base}/Patient/b"));
    let site = Site::of(&[patient("a", "1", &absolute), patient("b", "2", "")], "");
    assert_eq!(site.sandbox.base(), base);
    assert_eq!(site.gather(&by_id("a")).unwrap().patient(), "b");
}

#[test]
fn circles_and_endless_chains_come_to_an_end() {
    let circle = [
        patient("a", "1", &link("b")),
        patient("b", "2", &link("a")),
        patient("self", "3", &link("self")),
    ];
    let site = Site::of(&circle, "");
    for request in [by_id("a"), by_mrn("2"), by_id("self")] {
        let error = refused(&site, &request);
        assert!(matches!(error, FetchError::Links { .. }), "{error}");
    }
    let chain: Vec<_> = (0..100)
        .map(|number| {
            patient(
                &format!("n{number}"),
                "9",
                &link(&format!("n{}", number + 1)),
            )
        })
        .collect();
    let site = Site::of(&chain, "");
    let error = refused(&site, &by_id("n0"));
    assert!(matches!(error, FetchError::Links { .. }), "{error}");
    assert!(site.sandbox.requests().len() < 25);
    // The last link leads nowhere: what there is, is taken.
    assert_eq!(site.gather(&by_id("n95")).unwrap().patient(), "n99");
}

#[test]
fn servers_that_find_others_are_seen_through() {
    for (search, expected) in [
        (IdentifierSearch::Twice, Some("p2")),
        (IdentifierSearch::Nobody, None),
        (IdentifierSearch::Everybody, None),
    ] {
        let mut settings = SearchSettings::default();
        settings.identifier = search;
        let site = Site::with(|builder| builder.search(settings), "");
        let result = site.gather(&by_mrn("MRN000002"));
        match expected {
            Some(id) => assert_eq!(result.unwrap().patient(), id, "{search:?}"),
            None => {
                let error = result.unwrap_err();
                let is_ignored = matches!(
                    &error,
                    FetchError::Unfiltered {
                        parameter: "identifier",
                        ..
                    }
                );
                assert_eq!(is_ignored, search == IdentifierSearch::Everybody, "{error}");
                assert!(!error.is_transient());
            }
        }
    }
}
