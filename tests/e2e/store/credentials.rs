//! A server that wants to know who writes to it.

use ehr_sandbox::{RegisteredClient, Sandbox as Server, WriteSettings};
use serde_json::Value;

use super::site::{Site, assert_alike, synthea};
use crate::bulk::site::key;
use crate::util::Ran;

const CLIENT: &str = "store-writer";
/// It is in no output.
const SECRET: &str = "kanarienvogel";

/// A server that knows this client; it has its secret in a file.
fn site(client: RegisteredClient) -> Site {
    let builder = Server::builder().writes(WriteSettings::default());
    let site = Site::built(builder.client(client));
    site.folder.write("secret", SECRET);
    site.configure(&format!("{BY_SECRET}client_id = \"{CLIENT}\""), "");
    site
}

const BY_SECRET: &str = "client_secret = { file = \"secret\" }\n";

fn writer() -> RegisteredClient {
    RegisteredClient::new(CLIENT)
        .secret(SECRET)
        .scopes("system/*.cruds")
}

/// Neither the secret nor a token is told. A log of everything comes with it.
#[track_caller]
fn run_secretly(site: &Site, arguments: &[&str]) -> Ran {
    let ran = site.folder.run([arguments, &["-vv"]].concat());
    for word in [SECRET, "Bearer ", "Basic ", "eyJ"] {
        let said = format!("{}{}", ran.text(), ran.stderr);
        assert!(!said.contains(word), "{word} in {said}");
    }
    ran
}

fn load(site: &Site) -> Ran {
    let input = synthea();
    run_secretly(site, &["load", "--json", input.to_str().expect("UTF-8")])
}

/// The states of the steps of `ingest test --store`, which has to end so.
#[track_caller]
fn test_store(site: &Site, exit: i32) -> (Vec<String>, Value) {
    let report = run_secretly(site, &["test", "--store", "--json"])
        .exits(exit)
        .json();
    assert_eq!(report["connection"], "store");
    let steps = report["steps"].as_array().expect("steps").iter();
    let states = steps.map(|own| own["status"].as_str().expect("a state").to_owned());
    (states.collect(), report)
}

#[test]
fn the_store_has_a_client_and_scopes_of_its_own() {
    let (pem, jwks) = key();
    let by_key = RegisteredClient::new(CLIENT)
        .jwks(jwks)
        .scopes("system/*.cruds");
    for (client, proof) in [
        (writer(), BY_SECRET),
        (
            writer(),
            "client_secret = { file = \"secret\" }\nscope_syntax = \"v1\"\n",
        ),
        (
            writer(),
            "client_secret = { file = \"secret\" }\nclient_secret_method = \"post\"\n\
             scopes = [\"system/*.rs\", \"system/*.cud\"]\n",
        ),
        (by_key, "signing_key = { file = \"client.pem\" }\n"),
    ] {
        let site = site(client);
        site.folder.write("client.pem", &pem);
        site.configure(&format!("client_id = \"{CLIENT}\"\n{proof}"), "");
        let (states, report) = test_store(&site, 0);
        assert_eq!(states[2..], ["ok", "ok"], "{report}");
        let granted = report["steps"][2]["detail"].as_str().unwrap_or_default();
        assert!(granted.contains("system/*."), "{granted}");
        assert_eq!(site.server.data().resources().count(), 0, "only tried");

        let here = load(&site).exits(0).json();
        assert_alike(&here, &site.twin.load(&[synthea()]), proof);
        site.assert_same(proof);
        let requests = site.server.requests();
        let of_fhir = requests.iter().filter(|own| own.path == "/fhir");
        assert!(of_fhir.clone().count() > 1 && of_fhir.clone().all(|own| own.authorized));
    }
}

#[test]
fn a_wrong_secret_is_told_with_what_to_do() {
    let site = site(writer().secret("another"));
    let (states, report) = test_store(&site, 5);
    assert_eq!(states, ["ok", "ok", "failed", "skipped"]);
    assert!(report["steps"][2]["hint"].is_string(), "{report}");
    let text = run_secretly(&site, &["test", "--store"]).exits(5).text();
    assert!(text.contains("the store does not work"), "{text}");

    let ran = load(&site).exits(10);
    assert_eq!(ran.error_code(), "store");
    let error = &ran.json()["error"];
    assert!(error["message"].to_string().contains("invalid_client"));
    assert!(error["hint"].to_string().contains("ingest test --store"));
    assert_eq!(site.server.data().resources().count(), 0);
    // Nothing is lost: with the right secret the next run finishes the work.
    site.folder.write("secret", "another");
    site.loads(&[synthea()]);
    site.twin.load(&[synthea()]);
    site.assert_same("with the right secret");
}

/// No resource is to blame, so none goes to the quarantine.
#[test]
fn a_client_that_may_only_read_writes_nothing() {
    let site = site(writer().scopes("system/*.rs"));
    let (states, report) = test_store(&site, 0);
    assert_eq!(states[2], "warning", "{report}");
    let hint = report["steps"][2]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("system/*.cruds"), "{hint}");

    let ran = load(&site).exits(10);
    let error = ran.json()["error"]["message"].to_string();
    assert!(error.contains("403"), "{error}");
    assert_eq!(site.server.data().resources().count(), 0);
    let list = ["quarantine", "list", "--json"];
    let list = site.folder.run(list).exits(0).json();
    assert_eq!(list["quarantine"], serde_json::json!([]), "{list}");
}

#[test]
fn the_test_of_a_store_tells_what_is_missing() {
    let site = Site::new();
    let (states, _) = test_store(&site, 0);
    assert_eq!(states, ["skipped", "skipped", "skipped", "ok"]);
    let text = site.folder.run(["test", "--store"]).exits(0).text();
    assert!(text.contains("the store works"), "{text}");

    let ran = site.twin.run(["test", "--store", "--json"]).exits(4);
    assert_eq!(ran.error_code(), "configuration");
    assert!(ran.json()["error"]["hint"].to_string().contains("`fhir`"));

    // Nothing listens on the port of "tcpmux".
    let nowhere = "[store]\nfhir = \"http://127.0.0.1:1/fhir\"\nhttp = { retries = 0 }\n";
    site.folder.write("ingest.toml", nowhere);
    let (states, report) = test_store(&site, 6);
    assert_eq!(states[3], "failed", "{report}");
    let ran = site.load(&[synthea()]).exits(10);
    assert_eq!(ran.error_code(), "store");
    assert!(
        ran.json()["error"]["hint"]
            .to_string()
            .contains("test --store")
    );
}

/// EHRs are only read: refused before anything is sent.
#[test]
fn an_ehr_is_never_written_to() {
    let site = Site::new();
    let base = site.server.base();
    for (tables, key) in [
        (
            "[connections.c]\nfhir_base = \"https://ehr.example/r4\"\n\
             scopes = [\"system/*.cruds\"]\n"
                .to_owned(),
            "scopes",
        ),
        (
            "[connections.c]\nfhir_base = \"https://ehr.example/r4\"\n\
             extra_scopes = [\"system/Patient.write\"]\n"
                .to_owned(),
            "extra_scopes",
        ),
        (
            format!("[connections.c]\nfhir_base = \"{base}/\"\n"),
            "fhir",
        ),
        (
            format!(
                "[connections.c]\nfhir_base = \"https://ehr.example/r4\"\n\
                 bulk = {{ base = \"{base}\" }}\n"
            ),
            "fhir",
        ),
    ] {
        site.configure("", &tables);
        let ran = site.load(&[synthea()]).exits(4);
        assert_eq!(ran.error_code(), "configuration");
        let message = ran.json()["error"]["message"].to_string();
        assert!(message.contains(&format!("`{key}` in [")), "{message}");
        assert!(message.contains("only read"), "{message}");
        assert_eq!(site.server.requests().len(), 0);
    }
}
