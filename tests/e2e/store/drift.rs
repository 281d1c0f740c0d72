//! What others do to the server behind our back.

use ehr_sandbox::Sandbox as Server;
use http::Method;
use serde_json::{Value, json};

use super::content::{Content, Provenances};
use super::site::{Expected, Site, synthea};

/// The first resources of a type on the server.
fn some(server: &Server, resource_type: &str) -> Vec<(String, Value)> {
    let data = server.data();
    let own = data.resources();
    own.filter(|own| own.resource_type() == resource_type)
        .map(|own| {
            let name = format!("{resource_type}/{}", own.id());
            (name, serde_json::from_str(own.json()).expect("JSON"))
        })
        .collect()
}

#[track_caller]
fn verify(site: &Site) -> Value {
    site.folder.run(["verify", "--json"]).exits(0).json()
}

#[test]
fn verify_tells_what_others_did_and_a_load_mends_it() {
    let site = Site::new();
    site.loads(&[synthea()]);
    let expected = Expected::loaded(&[synthea()]);
    let untouched = json!({
        "store": site.server.base(),
        "checked": 2 * 233,
        "changed": 0,
        "deleted": 0,
        "provenance": 0,
    });
    let writes = site.writes();
    assert_eq!(verify(&site), untouched);
    assert_eq!(site.writes(), writes, "nothing was amiss");

    let observations = some(&site.server, "Observation");
    let (changed, mut theirs) = observations[0].clone();
    theirs["status"] = json!("entered-in-error");
    site.meddle(Method::PUT, &changed, &theirs.to_string());
    // The same content once more is a version more, and no change.
    let (same, ours) = &observations[1];
    site.meddle(Method::PUT, same, &ours.to_string());
    let (deleted, _) = &observations[2];
    site.meddle(Method::DELETE, deleted, "");
    let (provenance, _) = &some(&site.server, "Provenance")[0];
    site.meddle(Method::DELETE, provenance, "");

    let told = Provenances::on_server(&site.server, &expected.content);
    assert!(told != expected.provenances, "one is missing");

    let found = verify(&site);
    let numbers = ["changed", "deleted", "provenance"].map(|name| &found[name]);
    assert_eq!(numbers, [1, 1, 1], "{found}");
    let told = Provenances::on_server(&site.server, &expected.content);
    told.assert_eq(&expected.provenances, "the Provenance is there again");
    // What was found is known now.
    let again = verify(&site);
    assert_eq!(
        (&again["changed"], &again["deleted"]),
        (&json!(0), &json!(0))
    );
    let here = Content::exported(&site.folder);
    assert_eq!(here.len(), 232, "an export has what is there");

    let summary = site.loads(&[synthea()]);
    assert_eq!(
        (&summary["updated"], &summary["unchanged"]),
        (&json!(2), &json!(231))
    );
    Content::exported(&site.folder).assert_eq(&expected.content, "mended");
    let told = Provenances::on_server(&site.server, &expected.content);
    assert_eq!(told.ids().len(), 233 + 2);
    let twice: Vec<_> = told
        .by_target()
        .into_iter()
        .filter(|(_, count)| *count == 2)
        .map(|(target, _)| target)
        .collect();
    let mut mended = vec![changed, deleted.clone()];
    mended.sort();
    assert_eq!(twice, mended, "one for each version");
    assert_eq!(verify(&site)["checked"], 233 + 235);
}

#[test]
fn verify_says_in_words_what_to_do() {
    let site = Site::new();
    site.loads(&[synthea()]);
    let text = site.folder.run(["verify"]).exits(0).text();
    assert!(text.starts_with("466 resources and Provenances looked at: 0 changed and 0 deleted"));
    assert!(!text.contains("--since full"), "{text}");
    let (name, _) = &some(&site.server, "Condition")[0];
    site.meddle(Method::DELETE, name, "");
    let text = site.folder.run(["verify"]).exits(0).text();
    assert!(text.contains("0 changed and 1 deleted by others"), "{text}");
    assert!(
        text.contains("ingest bulk CONNECTION --since full"),
        "{text}"
    );

    // Without a state there is nothing that could be compared.
    let new = Site::new();
    let found = verify(&new);
    assert_eq!(found["checked"], 0, "{found}");
}

/// What is newer than what others wrote goes over it, and is told of.
#[test]
fn a_load_tells_how_much_others_had_changed() {
    let site = Site::new();
    let body = |status: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"{status}","code":{{"text":"x"}}}}"#
        )
    };
    site.folder.lines("a.ndjson", &[body("preliminary")]);
    site.loads(&["a.ndjson"]);
    site.meddle(Method::PUT, "Observation/o", &body("cancelled"));
    site.folder.lines("a.ndjson", &[body("final")]);
    let summary = site.loads(&["a.ndjson"]);
    assert_eq!(
        (&summary["updated"], &summary["drifted"]),
        (&json!(1), &json!(1))
    );
    let (_, there) = &some(&site.server, "Observation")[0];
    assert_eq!(there["status"], "final");

    site.meddle(Method::DELETE, "Observation/o", "");
    site.folder.lines("a.ndjson", &[body("amended")]);
    let text = site.folder.run(["load", "a.ndjson"]).exits(0).text();
    assert!(text.contains("1 resources were changed or deleted on the store's server by others"));
    assert_eq!(some(&site.server, "Observation")[0].1["status"], "amended");
}

#[test]
fn a_file_is_nobody_elses() {
    let site = Site::new();
    site.twin.load(&[synthea()]);
    let ran = site.twin.run(["verify", "--json"]).exits(2);
    assert_eq!(ran.error_code(), "usage");
    let error = &ran.json()["error"];
    assert!(
        error["message"].to_string().contains("ingest.db"),
        "{error}"
    );
    assert!(error["hint"].to_string().contains("FHIR server"), "{error}");
}
