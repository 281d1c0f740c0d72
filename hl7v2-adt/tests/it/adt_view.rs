//! What an ADT message says about patients.

use hl7v2_adt::{
    AdtMessage, Identifier, Message, PatientIdentifierRule, Preference, Timestamp, TriggerEvent,
};

use crate::support::adt;

fn texts<'a>(identifiers: impl Iterator<Item = Identifier<'a>>) -> Vec<String> {
    identifiers.map(|one| one.text().into_owned()).collect()
}

#[test]
fn a_patient_is_read_as_a_whole() {
    let bytes = adt(
        "A01",
        &[
            "PID|1|X2|1^^^NORTHGATE&2.999.1&ISO^MR^^20200101^20301231~2^^^&2.999.2&ISO^NI|Y4|EXAMPLE&VAN^ERIN^Q^JR^DR^^L~ALIAS||19700102|F||||||||||A18",
            "PV1|1|I|||||||||||||||||V7^^^NORTHGATE^VN",
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    let adt = AdtMessage::new(&message);
    assert_eq!(
        [adt.message_code(), adt.trigger_code(), adt.structure()],
        ["ADT", "A01", ""]
    );
    assert_eq!(adt.trigger(), TriggerEvent::A01);
    assert_eq!(adt.control_id(), b"C1");
    assert_eq!(
        [
            adt.sending_application(),
            adt.sending_facility(),
            adt.receiving_application(),
            adt.receiving_facility()
        ],
        ["ADTSYS", "NORTHGATE", "INGEST", "TENANT"]
    );
    assert_eq!([adt.processing_id(), adt.version()], ["P", "2.5.1"]);
    assert_eq!(adt.event_time().unwrap().to_string(), "2024-03-05T10:14:59");

    let patient = adt.patients().next().unwrap();
    let [first, second] = patient
        .identifiers()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!([first.text(), first.type_code()], ["1", "MR"]);
    let authority = first.authority();
    assert_eq!(
        [
            authority.namespace(),
            authority.universal_id(),
            authority.universal_id_type()
        ],
        ["NORTHGATE", "2.999.1", "ISO"]
    );
    assert!(
        authority.is("NORTHGATE")
            && authority.is("2.999.1")
            && !authority.is("")
            && !authority.is("ISO")
    );
    assert!(second.authority().is("2.999.2"));
    assert_eq!(first.expires().unwrap().date(), (2030, 12, 31));
    assert_eq!(patient.external_id().unwrap().text(), "X2");
    assert_eq!(texts(patient.alternate_ids()), ["Y4"]);
    assert_eq!(patient.account().unwrap().text(), "A18");
    let name = patient.names().next().unwrap();
    assert_eq!(
        [
            name.family(),
            name.given(),
            name.middle(),
            name.suffix(),
            name.prefix(),
            name.type_code()
        ],
        ["EXAMPLE", "ERIN", "Q", "JR", "DR", "L"]
    );
    assert_eq!(patient.names().count(), 2);
    assert_eq!(patient.birth_date().unwrap().to_string(), "1970-01-02");
    assert_eq!(patient.sex(), "F");
    let visit = patient.visit().unwrap();
    assert_eq!(
        (visit.class(), visit.number().unwrap().text()),
        ("I".into(), "V7".into())
    );
    assert!(visit.alternate_id().is_none() && patient.priors().next().is_none());
}

#[test]
fn the_trigger_is_that_of_msh_9_and_else_of_evn_1() {
    let cases = [
        ("ADT^A08", "A31", "A08", true),
        ("ADT^A08", "A08", "A08", false),
        ("ADT^A08", "", "A08", false),
        ("ADT", "A31", "A31", false),
        ("ADT^^ADT_A01", "A31", "A31", false),
        ("", "", "", false),
    ];
    for (msh_9, evn_1, expected, disputed) in cases {
        let text = format!("MSH|^~\\&|||||20240305||{msh_9}|C1\rEVN|{evn_1}");
        let message = Message::parse(text.as_bytes()).unwrap();
        let adt = AdtMessage::new(&message);
        assert_eq!(
            (&*adt.trigger_code(), adt.is_trigger_disputed()),
            (expected, disputed),
            "{text}"
        );
        assert_eq!(adt.event_time().unwrap().to_string(), "2024-03-05");
    }
}

#[test]
fn patients_come_with_the_segments_behind_them() {
    let two = adt(
        "A17",
        &[
            "PID|||1",
            "PV1|1|I|||||||||||||||||V1",
            "PID|||2",
            "PV1|1|O|||||||||||||||||V2",
        ],
    );
    let message = Message::parse(&two).unwrap();
    let adt_message = AdtMessage::new(&message);
    let visits: Vec<_> = adt_message
        .patients()
        .map(|patient| {
            (
                texts(patient.identifiers()),
                patient.visit().unwrap().number().unwrap().text(),
            )
        })
        .collect();
    assert_eq!(
        visits,
        [
            (vec!["1".to_owned()], "V1".into()),
            (vec!["2".to_owned()], "V2".into())
        ]
    );
    let none = adt("A20", &["NPU|W1^R2|O"]);
    assert_eq!(
        AdtMessage::new(&Message::parse(&none).unwrap())
            .patients()
            .count(),
        0
    );
}

/// Prior and surviving identifiers of all merges in a message.
fn merges(segments: &[&str]) -> Vec<(String, String, bool)> {
    let bytes = adt("A40", segments);
    let message = Message::parse(&bytes).unwrap();
    let patients = AdtMessage::new(&message).patients();
    let pairs = patients.flat_map(|patient| patient.merges());
    pairs
        .map(|merge| {
            (
                merge.prior.text().into(),
                merge.surviving.text().into(),
                merge.is_circular(),
            )
        })
        .collect()
}

#[test]
fn prior_identifiers_are_paired_with_those_that_stay() {
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&[&str], Pairs<'_>)] = &[
        (&["PID|||1", "MRG|9"], &[("9", "1")]),
        // Several merges in one message.
        (
            &["PID|||1", "MRG|9", "PID|||2", "MRG|8", "PV1|1"],
            &[("9", "1"), ("8", "2")],
        ),
        // By type and authority where both are given, else by position.
        (
            &["PID|||n^^^X^NI~1^^^A^MR", "MRG|9^^^A^MR~m^^^X^NI"],
            &[("9", "1"), ("m", "n")],
        ),
        (
            &["PID|||n^^^X^NI~1^^^A^MR", "MRG|9^^^A&2.9^MR"],
            &[("9", "1")],
        ),
        (
            &["PID|||n^^^X^NI~1^^^A^MR", "MRG|9^^^^MR~8"],
            &[("9", "n"), ("8", "1")],
        ),
        (&["PID|||1^^^A^MR", "MRG|9^^^B^MR"], &[("9", "1")]),
        // Null and empty ones are nobody's.
        (&["PID|||1", "MRG|\"\""], &[]),
        (
            &["PID|||\"\"^^^A^MR~1^^^A^MR", "MRG|9^^^A^MR"],
            &[("9", "1")],
        ),
        (&["PID|||1", "MRG|"], &[]),
        (&["PID|||1", "PV1|1"], &[]),
        (&["PID|||1", "MRG|9~8"], &[("9", "1")]),
        // PID-2 with MRG-4, PID-4 with MRG-2.
        (
            &["PID||2||4~5", "MRG||44~55||22"],
            &[("22", "2"), ("44", "4"), ("55", "5")],
        ),
        // A45: several under one patient.
        (
            &["PID|||1", "MRG|9", "PV1|1", "MRG|8", "PV1|2"],
            &[("9", "1"), ("8", "1")],
        ),
    ];
    for (segments, expected) in cases {
        let found = merges(segments);
        let found: Vec<_> = found.iter().map(|(a, b, _)| (&**a, &**b)).collect();
        assert_eq!(found, *expected, "{segments:?}");
    }
}

#[test]
fn a_merge_with_itself_is_noticed() {
    let circular = |prior: &str| merges(&["PID|||1^^^A^MR", prior])[0].2;
    assert!(circular("MRG|1^^^A^MR"));
    assert!(!circular("MRG|1^^^B^MR"));
    assert!(!circular("MRG|1^^^A^PI"));
    assert!(!circular("MRG|2^^^A^MR"));
}

#[test]
fn a_prior_one_has_account_and_visits() {
    let bytes = adt(
        "A45",
        &[
            "PID|||1",
            "MRG|9||A3||V5|V6",
            "PV1|1|I|||||||||||||||||N1",
            "MRG|8",
            "PID|||2",
            "PV1|1|I|||||||||||||||||N2",
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    let patient = AdtMessage::new(&message).patients().next().unwrap();
    let [first, second] = patient.priors().collect::<Vec<_>>().try_into().unwrap();
    let text = |one: Option<Identifier<'_>>| one.unwrap().text().into_owned();
    assert_eq!(
        [
            text(first.account()),
            text(first.visit_number()),
            text(first.alternate_visit_id())
        ],
        ["A3", "V5", "V6"]
    );
    assert_eq!(text(first.visit().unwrap().number()), "N1");
    assert!(second.visit().is_none());
}

#[test]
fn rules_choose_by_preference_and_skip_what_is_no_identifier() {
    let prefer = |type_code: Option<&str>, authority: Option<&str>| Preference {
        type_code: type_code.map(str::to_owned),
        authority: authority.map(str::to_owned),
    };
    let rule = |preferences: &[Preference]| PatientIdentifierRule {
        preferences: preferences.to_vec(),
        or_first: false,
        ..PatientIdentifierRule::default()
    };
    let usual = PatientIdentifierRule::default();
    let mr_of_a = rule(&[prefer(Some("MR"), Some("A"))]);
    let ordered = rule(&[
        prefer(Some("MR"), Some("A")),
        prefer(Some("PI"), None),
        prefer(Some(""), None),
    ]);
    let mut fallback = rule(&[]);
    let cases: Vec<(&PatientIdentifierRule, &str, Option<&str>)> = vec![
        (&usual, "|1^^^A^PI~2^^^B^MR", Some("2")),
        (&usual, "|1^^^A^PI~2^^^B^NI", Some("1")),
        (&usual, "| 007 ^^^A^MR", Some("007")),
        (&usual, "|1\\T\\2^^^A^MR", Some("1&2")),
        (&usual, "|\"\"^^^A^MR~2^^^A^MR", Some("2")),
        (&usual, "|^^^A^MR~~ ^^^A^MR~2", Some("2")),
        (&usual, "|\"\"", None),
        (&usual, "|", None),
        (&usual, "X|", None),
        (
            &usual,
            "|1^^^A^MR^^^20231231~2^^^A^MR^^^20240101",
            Some("2"),
        ),
        (&usual, "|1^^^A^MR^^^20231231", None),
        (&mr_of_a, "|1^^^B^MR~2^^^A&2.9&ISO^MR", Some("2")),
        (&mr_of_a, "|1^^^B^MR~2^^^A^PI", None),
        (&ordered, "|1~2^^^B^PI~3^^^A^MR", Some("3")),
        (&ordered, "|1~2^^^B^PI", Some("2")),
        (&ordered, "|1^^^B^MR~2", Some("2")),
    ];
    let check = |rule: &PatientIdentifierRule, pid: &str, expected: Option<&str>| {
        let bytes = adt("A08", &[&format!("PID|1|{pid}")]);
        let message = Message::parse(&bytes).unwrap();
        let patient = AdtMessage::new(&message).patients().next().unwrap();
        let on = Timestamp::parse("20240101");
        let chosen = rule
            .select(&patient, on.as_ref())
            .map(|one| one.text().into_owned());
        assert_eq!(chosen.as_deref(), expected, "{rule:?} {pid}");
    };
    for (rule, pid, expected) in cases {
        check(rule, pid, expected);
    }
    check(&fallback, "2||4", None);
    fallback.or_alternate_id = true;
    check(&fallback, "2||4", Some("4"));
    fallback.or_external_id = true;
    check(&fallback, "2||4", Some("2"));
    check(&fallback, "\"\"||4", Some("4"));

    let bytes = adt("A40", &["PID|||1", "MRG|8~9^^^A^MR||||", "MRG||5||7"]);
    let message = Message::parse(&bytes).unwrap();
    let patient = AdtMessage::new(&message).patients().next().unwrap();
    let prior = |rule: &PatientIdentifierRule| -> Vec<_> {
        let chosen = patient
            .priors()
            .map(|prior| rule.select_prior(&prior, None));
        chosen
            .map(|one| one.map(|one| one.text().into_owned()))
            .collect()
    };
    assert_eq!(prior(&mr_of_a), [Some("9".to_owned()), None]);
    assert_eq!(prior(&fallback), [None, Some("7".to_owned())]);
}

#[test]
fn a_million_identifiers_take_no_search_for_each() {
    let many = "1^^^A^MR~\"\"~x~".repeat(60_000);
    let bytes = adt("A40", &[&format!("PID|||{many}"), &format!("MRG|{many}")]);
    let message = Message::parse(&bytes).unwrap();
    let patient = AdtMessage::new(&message).patients().next().unwrap();
    // Of three, the null one has no partner.
    assert_eq!(patient.merges().count(), 120_000);
    let rule = PatientIdentifierRule {
        or_first: false,
        preferences: vec![Preference {
            type_code: Some("PI".to_owned()),
            authority: None,
        }],
        ..PatientIdentifierRule::default()
    };
    assert!(rule.select(&patient, None).is_none());
}
