//! `ingest test`, and what an export says about a connection that fails.

use ehr_sandbox::{Data, RegisteredClient, Sandbox as Ehr, Where};
use serde_json::Value;

use super::site::{CLIENT, Site, key};

fn site() -> Site {
    Site::new(Data::synthetic(3, 2))
}

/// The report of `ingest test c --json`, which has to end so.
#[track_caller]
fn test(site: &Site, exit: i32) -> Value {
    let report = site.folder.run(["test", "c", "--json"]).exits(exit).json();
    let members = |value: &Value| -> Vec<String> {
        let mut names: Vec<_> = value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    };
    assert_eq!(members(&report), ["connection", "elapsed_ms", "steps"]);
    assert_eq!(report["connection"], "c");
    assert!(report["elapsed_ms"].is_u64());
    let steps = report["steps"].as_array().expect("steps");
    let names: Vec<_> = steps.iter().map(|step| &step["name"]).collect();
    assert_eq!(names, ["discovery", "assertion", "token", "metadata"]);
    for step in steps {
        assert_eq!(
            members(step),
            ["detail", "elapsed_ms", "hint", "name", "status"]
        );
        assert!(step["elapsed_ms"].is_u64() && step["detail"].is_string());
    }
    report
}

#[track_caller]
fn assert_steps(report: &Value, expected: [&str; 4]) {
    let steps = report["steps"].as_array().expect("steps");
    let found: Vec<_> = steps.iter().map(|step| &step["status"]).collect();
    assert_eq!(found, expected, "{report}");
}

fn hint(report: &Value, step: usize) -> &str {
    report["steps"][step]["hint"].as_str().unwrap_or_default()
}

#[test]
fn all_steps_of_a_good_connection_are_ok() {
    let site = site();
    let report = test(&site, 0);
    assert_steps(&report, ["ok"; 4]);
    assert!(
        report["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .all(|step| step["hint"].is_null())
    );
    let text = site.folder.run(["test", "c"]).exits(0).text();
    assert!(
        text.contains("connection c (") && text.contains(" works"),
        "{text}"
    );
}

#[test]
fn a_key_that_the_server_does_not_know() {
    let site = site();
    site.sign_with(&key().0);
    let report = test(&site, 5);
    assert_steps(&report, ["ok", "ok", "failed", "skipped"]);
    for word in ["JWKS", "environment"] {
        assert!(hint(&report, 2).contains(word), "{}", hint(&report, 2));
    }

    let before = site.ehr.count(&Where::Token);
    let ran = site.bulk(&[]).exits(5);
    assert_eq!(ran.error_code(), "authentication");
    let told = ran.json()["error"]["hint"].to_string();
    assert!(told.contains("JWKS"), "{told}");
    assert_eq!(site.ehr.count(&Where::KickOff), 0);
    // A refusal with a reason is final; asking on may lock the client out.
    assert_eq!(site.ehr.count(&Where::Token) - before, 1);
}

#[test]
fn a_server_that_is_not_there() {
    let site = site();
    let file = site.folder.path("ingest.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    // Nothing listens on the port of "tcpmux".
    site.folder.write(
        "ingest.toml",
        text.replace(&site.ehr.base(), "http://127.0.0.1:1/fhir"),
    );
    let report = test(&site, 6);
    assert_steps(&report, ["failed", "skipped", "skipped", "skipped"]);
    assert!(!hint(&report, 0).is_empty());
    let ran = site.bulk(&[]).exits(6);
    assert_eq!(ran.error_code(), "network");
    assert_eq!(site.status()["last"]["state"], "failed");
}

#[test]
fn scopes_that_are_not_granted() {
    let (pem, jwks) = key();
    let client = RegisteredClient::new(CLIENT)
        .jwks(jwks)
        .scopes("system/Patient.rs");
    let ehr = Ehr::builder().data(Data::synthetic(3, 2)).client(client);
    let site = Site::of(ehr.start().expect("an EHR"));
    site.sign_with(&pem);

    let types = r#"types = ["Patient", "Observation"]"#;
    site.configure(
        &format!("{types}\nscopes = [\"system/Patient.rs\", \"system/Observation.rs\"]"),
        "",
    );
    let report = test(&site, 0);
    assert_steps(&report, ["ok", "ok", "warning", "ok"]);
    assert!(hint(&report, 2).contains("Observation"), "{report}");
    assert!(!hint(&report, 2).contains("Patient"), "{report}");

    // The server refuses an export of what was not granted: nothing is missed.
    let ran = site.bulk(&[]).exits(7);
    assert_eq!(ran.error_code(), "server");
    assert_eq!(site.watermark(), None);

    site.configure(
        &format!("{types}\nscopes = [\"system/Observation.rs\"]"),
        "",
    );
    let report = test(&site, 5);
    assert_steps(&report, ["ok", "ok", "failed", "skipped"]);
    assert!(hint(&report, 2).contains("scope"), "{report}");
}

#[test]
fn a_refused_metadata_is_a_warning() {
    let site = site();
    site.faults(&["metadata:every:status=403,body=outcome/forbidden"]);
    let report = test(&site, 0);
    assert_steps(&report, ["ok", "ok", "ok", "warning"]);
    assert!(
        hint(&report, 3).contains("authentication worked"),
        "{report}"
    );
}

#[test]
fn a_login_page_is_no_configuration() {
    let site = site();
    site.faults(&["discovery:every:html"]);
    let report = test(&site, 5);
    assert_steps(&report, ["failed", "skipped", "skipped", "skipped"]);
}

#[test]
fn a_connection_that_is_not_configured() {
    let site = site();
    for arguments in [["test", "d", "--json"], ["bulk", "d", "--json"]] {
        let ran = site.folder.run(arguments).exits(4);
        assert_eq!(ran.error_code(), "configuration");
        let message = ran.json()["error"]["message"].to_string();
        assert!(message.contains("there are: c"), "{message}");
    }
    // A key that is not there.
    std::fs::remove_file(site.folder.path("client.pem")).expect("a key");
    let ran = site.bulk(&[]).exits(4);
    assert_eq!(ran.error_code(), "configuration");
    assert!(
        ran.json()["error"]["message"]
            .to_string()
            .contains("client.pem")
    );
}
