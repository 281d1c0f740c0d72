//! Servers that search otherwise.

use ehr_sandbox::{Data, IdentifierSearch, Sandbox, SearchSettings, Where};
use http::StatusCode;

use crate::util::{get, sandbox, send};

fn with(change: impl FnOnce(&mut SearchSettings)) -> Sandbox {
    let mut settings = SearchSettings::default();
    change(&mut settings);
    sandbox(|builder| builder.search(settings))
}

fn self_link(sandbox: &Sandbox, path: &str) -> String {
    let bundle = get(sandbox, path).json();
    bundle["link"][0]["url"].as_str().expect("a URL").to_owned()
}

#[test]
fn lists_of_ids_can_be_refused() {
    let sandbox = with(|settings| settings.id_lists = false);
    let answer = get(&sandbox, "/Patient?_id=p1,p2");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.issue(), "invalid");
    assert_eq!(get(&sandbox, "/Patient?_id=p1").json()["total"], 1);
}

#[test]
fn last_updated_can_be_unknown() {
    const PATH: &str = "/Patient?_lastUpdated=ge2030-01-01&gender=female,male,other,unknown";
    for known in [true, false] {
        let sandbox = with(|settings| settings.last_updated = known);
        let total = if known { 0 } else { 10 };
        assert_eq!(get(&sandbox, PATH).json()["total"], total);
        assert_eq!(self_link(&sandbox, PATH).contains("_lastUpdated"), known);
        let statement = get(&sandbox, "/metadata");
        assert_eq!(statement.text().contains("_lastUpdated"), known);
        let strict = send(&sandbox, "GET", PATH, &[("prefer", "handling=strict")], "");
        assert_eq!(strict.status == StatusCode::OK, known);
    }
}

#[test]
fn identifiers_can_find_too_few_and_too_many() {
    let system = Data::MRN_SYSTEM;
    let path = format!("/Patient?identifier={system}|MRN000003");
    for (kind, total) in [
        (IdentifierSearch::Right, 1),
        (IdentifierSearch::Nobody, 0),
        (IdentifierSearch::Twice, 2),
        (IdentifierSearch::Everybody, 10),
    ] {
        let sandbox = with(|settings| settings.identifier = kind);
        let found = get(&sandbox, &path);
        assert_eq!(found.json()["total"], total, "{kind:?}");
        let right = found.text().contains("\"value\":\"MRN000003\"");
        assert_eq!(right, total > 0, "{kind:?}");
        let named = self_link(&sandbox, &path).contains("identifier");
        assert_eq!(named, kind != IdentifierSearch::Everybody, "{kind:?}");
        if kind == IdentifierSearch::Twice {
            let none = get(&sandbox, "/Patient?identifier=none&_id=p1").json();
            assert_eq!(none["total"], 1);
        }
    }
}

#[test]
fn requests_are_counted_by_type() {
    let sandbox = sandbox(|builder| builder.page_size(5));
    get(&sandbox, "/Patient?identifier=MRN000001");
    get(&sandbox, "/Observation?patient=p1");
    get(&sandbox, "/Observation?patient=p1&_offset=5");
    get(&sandbox, "/Patient/p1");
    get(&sandbox, "/metadata");
    let types: Vec<_> = sandbox.requests();
    let types: Vec<_> = types
        .iter()
        .map(|request| request.resource_type())
        .collect();
    let [patient, observation] = [Some("Patient"), Some("Observation")];
    assert_eq!(types, [patient, observation, observation, patient, None]);
    assert_eq!(sandbox.count(&Where::Search), 3);
}
