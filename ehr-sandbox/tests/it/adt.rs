//! A day of messages, and a receiver that knows the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ehr_sandbox::adt::{Day, Event, MergeStyle, Outcome};
use ehr_sandbox::{Data, Level};
use serde_json::{Value, json};

use crate::util::{get, sandbox};

/// A message, split by someone who has never seen the sandbox's code.
struct Read {
    charset: String,
    segments: Vec<Vec<String>>,
}

impl Read {
    fn of(message: &[u8]) -> Self {
        let latin: String = message.iter().map(|byte| char::from(*byte)).collect();
        let charset = latin.split('\r').next().expect("MSH");
        let charset = charset.split('|').nth(17).unwrap_or("").to_owned();
        let text = match charset.as_str() {
            "8859/1" => latin,
            "" => String::from_utf8(message.to_vec()).expect("ASCII"),
            "UNICODE UTF-8" => String::from_utf8(message.to_vec()).expect("UTF-8"),
            other => panic!("{other}"),
        };
        assert!(charset.is_empty() == text.is_ascii());
        assert!(text.ends_with('\r') && !text.contains('\n'));
        let segments = text.trim_end_matches('\r').split('\r');
        let segments = segments.map(|segment| segment.split('|').map(str::to_owned).collect());
        Self {
            charset,
            segments: segments.collect(),
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &[String]> {
        self.segments
            .iter()
            .filter(move |segment| segment[0] == name)
            .map(Vec::as_slice)
    }

    fn field(&self, name: &str, field: usize) -> &str {
        let place = if name == "MSH" { field - 1 } else { field };
        let segment = self.all(name).next().unwrap_or_default();
        segment.get(place).map_or("", String::as_str)
    }
}

/// System and value of the repetition that is a medical record number.
fn mrn(list: &str) -> Option<(String, String)> {
    let mut repetitions = list.split('~').map(|cx| cx.split('^').collect::<Vec<_>>());
    let found = repetitions.find(|cx| cx.get(4) == Some(&"MR"))?;
    let authority: Vec<_> = found[3].split('&').collect();
    let system = match authority[2] {
        "ISO" => format!("urn:oid:{}", authority[1]),
        "URI" => authority[1].to_owned(),
        other => panic!("{other}"),
    };
    Some((system, found[0].to_owned()))
}

/// Outcome, who is to be fetched, and whether a control id was used before.
type Verdict = (Outcome, Vec<(String, String)>, bool);

/// What the rules make of the messages, in their order.
fn received(events: &[Event], allowed: &[&str]) -> Vec<Verdict> {
    let mut seen: BTreeMap<[String; 3], Vec<&[u8]>> = BTreeMap::new();
    let mut verdicts = Vec::new();
    for event in events {
        let read = Read::of(event.message());
        let people: Vec<_> = read.all("PID").filter_map(|pid| mrn(&pid[3])).collect();
        let kind: Vec<_> = read.field("MSH", 9).split('^').collect();
        let kind = format!("{}^{}", kind[0], kind[1]);
        assert_eq!(kind, event.message_type());
        let wanted = |allowed: &&str| kind == format!("ADT^{allowed}") || kind == **allowed;
        if !allowed.iter().any(wanted) {
            verdicts.push((Outcome::Ignored, Vec::new(), false));
            continue;
        }
        let key = [3, 4, 10].map(|field| read.field("MSH", field).to_owned());
        let earlier = seen.entry(key).or_default();
        let reused = !earlier.is_empty();
        if earlier.contains(&event.message()) {
            verdicts.push((Outcome::Duplicate, Vec::new(), false));
            continue;
        }
        earlier.push(event.message());
        let outcome = if people.is_empty() && kind != "ADT^A20" {
            Outcome::Rejected
        } else {
            Outcome::Accepted
        };
        verdicts.push((outcome, people, reused));
    }
    verdicts
}

fn told(events: &[Event]) -> Vec<Verdict> {
    events
        .iter()
        .map(|event| {
            let expected = event.expected();
            let patients = expected.patients.iter();
            let patients = patients.map(|s| (s.system.clone(), s.mrn.clone()));
            let acknowledgement = match expected.outcome {
                Outcome::Rejected => "AE",
                _ => "AA",
            };
            assert_eq!(expected.acknowledgement, acknowledgement);
            (
                expected.outcome,
                patients.collect(),
                expected.reused_control_id,
            )
        })
        .collect()
}

const ALLOWED: [&str; 12] = [
    "A01", "A02", "A03", "A04", "A08", "A11", "A13", "A20", "A24", "A28", "A31", "A40",
];

#[test]
fn a_seed_is_a_day() {
    let data = Data::synthetic(7, 20);
    let bytes = |seed| -> Vec<_> {
        let events = Day::default().events(seed, &data);
        events
            .iter()
            .map(|event| (event.at(), event.message().to_vec()))
            .collect()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_receiver_that_knows_the_rules_agrees() {
    for (seed, patients, stories) in [(1, 20, 12), (2, 3, 30), (3, 2, 12), (4, 1, 12), (5, 0, 12)] {
        let mut day = Day::default();
        day.stories = stories;
        let data = Data::synthetic(seed, patients);
        let events = day.events(seed, &data);
        assert_eq!(told(&events), received(&events, &ALLOWED), "{patients}");
        for allowed in [vec!["A01", "A08"], vec!["ORU^R01", "A40"], vec![]] {
            day.allowed = allowed.iter().map(|&text| text.to_owned()).collect();
            let events = day.events(seed, &data);
            assert_eq!(told(&events), received(&events, &allowed), "{allowed:?}");
        }
    }
    let mut day = Day::default();
    day.allowed = vec!["*".to_owned()];
    for event in day.events(1, &Data::synthetic(1, 20)) {
        let is_adt = event.message_type().starts_with("ADT");
        assert_eq!(event.expected().outcome == Outcome::Ignored, !is_adt);
    }
}

#[test]
fn a_day_has_all_that_days_have() {
    let data = Data::synthetic(7, 20);
    let day = Day::default();
    let events = day.events(1, &data);
    let kinds: BTreeSet<_> = events.iter().map(|event| event.message_type()).collect();
    let wanted = ALLOWED.iter().map(|trigger| format!("ADT^{trigger}"));
    let wanted = wanted.chain(["ADT^A10".into(), "ORU^R01".into()]);
    assert_eq!(
        kinds
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>(),
        wanted.collect()
    );
    let count = |outcome| {
        let own = events.iter().filter(|e| e.expected().outcome == outcome);
        own.count()
    };
    assert_eq!(count(Outcome::Ignored), 2);
    assert_eq!(count(Outcome::Rejected), 1);
    assert_eq!(count(Outcome::Duplicate), 1);
    let reused = |event: &&Event| event.expected().reused_control_id;
    assert_eq!(events.iter().filter(reused).count(), 1);

    assert!(events.iter().map(Event::at).is_sorted());
    let mut versions = BTreeSet::new();
    let mut charsets = BTreeSet::new();
    for event in &events {
        assert!((day.start..day.start + Duration::from_secs(86_400)).contains(&event.at()));
        let read = Read::of(event.message());
        assert_eq!(read.field("MSH", 10), event.control_id());
        versions.insert(read.field("MSH", 12).to_owned());
        charsets.insert(read.charset.clone());
        let sent = read.field("MSH", 7);
        if event.message_type().starts_with("ADT") && event.expected().outcome != Outcome::Duplicate
        {
            assert_eq!(read.field("EVN", 2), sent);
            let at = jiff::Timestamp::try_from(event.at()).expect("a time");
            assert_eq!(sent[..14], at.strftime("%Y%m%d%H%M%S").to_string());
        }
        for subject in &event.expected().patients {
            let Some(id) = &subject.patient else { continue };
            if let Some(patient) = data.resource("Patient", id) {
                assert!(
                    patient
                        .json()
                        .contains(&format!("\"value\":\"{}\"", subject.mrn))
                );
                let value: Value = serde_json::from_str(patient.json()).expect("JSON");
                let names: Vec<_> = read.all("PID").map(|pid| pid[5].clone()).collect();
                let name = &value["name"][0];
                let name = [&name["family"], &name["given"][0]].map(|v| v.as_str().expect("text"));
                assert!(names.contains(&name.join("^")), "{names:?}");
            }
        }
    }
    assert!(versions.into_iter().eq(["2.3", "2.5.1", "2.8"]));
    assert!(charsets.into_iter().eq(["", "8859/1", "UNICODE UTF-8"]));
    let strangers = events.iter().flat_map(|event| &event.expected().patients);
    assert_eq!(strangers.filter(|s| s.patient.is_none()).count(), 1);
    let shown = format!("{events:?}");
    assert!(shown.contains("ADT^A40") && !shown.contains("MRN0"));
}

#[test]
fn events_change_the_data_when_they_happen() {
    let before = Data::synthetic(7, 20);
    let sandbox = sandbox(|builder| builder.data(before.clone()));
    let mut oracle = before.clone();
    for event in Day::default().events(1, &before) {
        let unchanged = sandbox.data();
        sandbox.apply(&event);
        oracle.apply(&event);
        let after = sandbox.data();
        let just_now = after.expected_resources(
            &Level::System,
            &[],
            Some(event.at() - Duration::from_millis(1)),
        );
        let expected = event.expected();
        let known = expected.patients.iter().filter_map(|s| s.patient.as_ref());
        let known: BTreeSet<_> = known.cloned().collect();
        assert_eq!(known.is_empty(), just_now.is_empty(), "{event:?}");
        for resource in &just_now {
            let value: Value = serde_json::from_str(resource.json()).expect("JSON");
            let of = match resource.resource_type() {
                "Patient" => Some(resource.id()),
                _ => value["subject"]["reference"].as_str(),
            };
            let of = of.expect("a patient").trim_start_matches("Patient/");
            let gone = expected.merged.as_ref().and_then(|s| s.patient.as_deref());
            assert!(
                known.contains(of) || gone == Some(of),
                "{}",
                resource.json()
            );
            let version = value["meta"]["versionId"].as_str().expect("a version");
            let earlier = unchanged.resource(resource.resource_type(), resource.id());
            let earlier = earlier.map_or(0, |earlier| {
                let value: Value = serde_json::from_str(earlier.json()).expect("JSON");
                let text = value["meta"]["versionId"].as_str().expect("a version");
                text.parse().expect("a number")
            });
            assert_eq!(version, (earlier + 1_u64).to_string());
        }
    }
    let text = |data: &Data| -> Vec<_> { data.resources().map(|r| r.json().to_owned()).collect() };
    assert_eq!(text(&sandbox.data()), text(&oracle));
    assert_ne!(text(&before), text(&oracle));
    let ids: Vec<_> = oracle
        .resources()
        .map(|r| (r.resource_type(), r.id()))
        .collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    for resource in oracle.resources() {
        for reference in resource.json().split("\"reference\":\"").skip(1) {
            let target = reference.split('"').next().and_then(|r| r.split_once('/'));
            let (resource_type, id) = target.expect("a reference");
            assert!(
                oracle.resource(resource_type, id).is_some(),
                "{resource_type}/{id}"
            );
        }
    }
    // The newcomer and the visits can be searched for.
    let new = get(
        &sandbox,
        "/Patient?_lastUpdated=ge2026-01-01&identifier=MRN92026010106",
    )
    .json();
    assert_eq!(new["total"], 1);
    let visits = get(&sandbox, "/Encounter?status=cancelled").json();
    assert_eq!(visits["total"], 1);
    let open = get(&sandbox, "/Encounter?status=in-progress").json();
    assert_eq!(open["total"], 1);
    assert_eq!(open["entry"][0]["resource"]["period"].get("end"), None);
}

#[test]
fn merges_move_the_record() {
    for style in [MergeStyle::ReplacedBy, MergeStyle::Unmarked] {
        let mut data = Data::synthetic(7, 20);
        let mut day = Day::default();
        day.merge = style;
        let mut merges = 0;
        let events = day.events(1, &data);
        for event in &events {
            let count = data.resources().count();
            let before = data.clone();
            data.apply(event);
            let Some(gone) = &event.expected().merged else {
                continue;
            };
            merges += 1;
            assert_eq!(event.message_type(), "ADT^A40");
            let read = Read::of(event.message());
            let mrg = mrn(read.field("MRG", 1)).expect("an identifier");
            assert_eq!(mrg, (gone.system.clone(), gone.mrn.clone()));
            let gone = gone.patient.as_deref().expect("known");
            let survivor = event.expected().patients[0]
                .patient
                .as_deref()
                .expect("known");
            assert_eq!(data.resources().count(), count);
            let theirs = |data: &Data, id: &str| {
                let reference = format!("\"reference\":\"Patient/{id}\"");
                let own = data.resources().filter(|r| r.resource_type() != "Patient");
                own.filter(|r| r.json().contains(&reference)).count()
            };
            assert_eq!(theirs(&data, gone), 0);
            assert_eq!(
                theirs(&data, survivor),
                theirs(&before, survivor) + theirs(&before, gone)
            );
            let patient = |id| -> Value {
                let patient = data.resource("Patient", id).expect("there");
                serde_json::from_str(patient.json()).expect("JSON")
            };
            let (other, own) = (patient(gone), patient(survivor));
            if style == MergeStyle::ReplacedBy {
                assert_eq!(other["active"], false);
                let link = |id, kind| json!([{"other": {"reference": format!("Patient/{id}")}, "type": kind}]);
                assert_eq!(other["link"], link(survivor, "replaced-by"));
                assert_eq!(own["link"], link(gone, "replaces"));
            } else {
                assert_eq!(other["active"], true);
                assert_eq!((other.get("link"), own.get("link")), (None, None));
            }
            // Nothing names them afterwards.
            let later = events.iter().filter(|later| later.at() > event.at());
            for later in later {
                let mut named = later.expected().patients.iter();
                assert!(named.all(|subject| subject.patient.as_deref() != Some(gone)));
            }
        }
        assert_eq!(merges, 1);
    }
}

#[test]
fn identifiers_of_other_systems_become_authorities() {
    let folder = tempfile::tempdir().expect("a folder");
    let patient = r#"{"resourceType":"Patient","id":"1","identifier":[{"value":"none"},{"system":"https://ehr.example/a&b","value":"X|1"}],"name":[{"family":"A^B"}]}"#;
    std::fs::write(folder.path().join("p.ndjson"), patient).expect("written");
    let data = Data::from_ndjson_folder(folder.path()).expect("data");
    let mut seen = 0;
    for event in Day::default().events(1, &data) {
        let read = Read::of(event.message());
        if event
            .expected()
            .patients
            .first()
            .is_some_and(|s| s.mrn == "X|1")
        {
            seen += 1;
            let own = read.field("PID", 3).split('~').next_back().expect("one");
            assert_eq!(own, r"X\F\1^^^GHH&https://ehr.example/a\T\b&URI^MR");
            assert_eq!(read.field("PID", 5), r"A\S\B^");
        }
    }
    assert!(seen > 5);
}
