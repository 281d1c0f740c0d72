//! Nothing clinical and nothing secret where logs are kept.

use crate::generate::{bundle, mr, observation, patient};
use crate::util::Sandbox;

/// What must never be seen: parts of names, ids, identifiers, of a key.
const MARKERS: &[&str] = &["Zebulon", "idmarker", "4711-0815", "c0ffee"];

const KEY: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffee";

/// Records that are refused for every reason there is, and some that are not.
fn records() -> Vec<String> {
    let name = r#","name":[{"family":"Zebulon"}]"#;
    let identifier = format!(",\"identifier\":[{}]", mr("4711-0815"));
    vec![
        patient("idmarker-1", &format!("{name}{identifier}")),
        patient("4711-0815", &format!("{name}{identifier}")),
        observation("idmarker-2", "Patient/idmarker-1"),
        observation("idmarker-3", "Patient?identifier=urn:test:mrn|4711-0815"),
        patient("idmarker-4", r#","name":[{"family":"Zebulon"#),
        format!("{}Zebulon", patient("idmarker-5", "")),
        "Zebulon".to_owned(),
        patient("idmarker-6", r#","Zebulon":1,"Zebulon":2"#),
        patient("idmarker-7", r#","name":[{"family":"Zebulon\ud83d"}]"#),
        patient("idmarker-8", r#","name":[{"family":"Zebulon\x41"}]"#),
        r#"{"resourceType":"Zebulon","id":"idmarker-9"}"#.to_owned(),
        r#"{"id":"idmarker-10","name":"Zebulon"}"#.to_owned(),
        r#"{"resourceType":"Patient","id":["idmarker-11"]}"#.to_owned(),
        r#"{"resourceType":"AllergyIntolerance","id":"idmarker-12","note":[{"text":"Zebulon"}]}"#
            .to_owned(),
        patient("idmarker-13", &format!(",\"a\":{}\"Zebulon\"{}", "[".repeat(200), "]".repeat(200))),
        patient("idmarker-14", &format!(r#","a":"Zebulon{}""#, "x".repeat(5000))),
        bundle(&[patient("idmarker-15", name), "{\"resourceType\":\"Zebulon\"}".to_owned()]),
        r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"Patient?name=Zebulon"}},{"request":{"method":"Zebulon","url":"idmarker"}}]}"#
            .to_owned(),
    ]
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut text = records().join("\n").into_bytes();
    text.extend_from_slice(b"\n{\"resourceType\":\"Patient\",\"id\":\"idmarker-\xFF Zebulon\"}\n");
    sandbox.write("in/records.ndjson", text);
    sandbox.write("in/array.ndjson", "[\n{\"id\":\"idmarker Zebulon\"}]\n");
    sandbox.write("in/pretty.ndjson", "{\n\"id\":\"idmarker Zebulon\"\n}\n");
    sandbox.write("in/page.ndjson", "<p>Zebulon</p>\n");
    sandbox.write("in/cut.ndjson", b"\x1F\x8BZebulon");
    sandbox.write("in/broken.json", "{\"id\":\"idmarker Zebulon");
    sandbox.write("key", KEY);
    sandbox.write(
        "ingest.toml",
        "[tenants.acme]\nid_key = { file = \"key\" }\n",
    );
    sandbox
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for marker in MARKERS {
        let seen = text.to_lowercase().contains(&marker.to_lowercase());
        assert!(!seen, "{what} has {marker}: {text}");
    }
}

#[test]
fn logs_of_loads_hold_no_content() {
    for format in ["text", "json"] {
        let sandbox = sandbox();
        let common = ["--log-format", format, "-vvv"];
        let with =
            |arguments: &[&'static str]| sandbox.run(arguments.iter().chain(&common).copied());
        let load = ["load", "--json", "--max-line", "4000", "in"].as_slice();
        // The same ids from another source: conflicts.
        let other = [load, &["--source-system", "urn:test:other"]].concat();
        for arguments in [load, load, &other] {
            let ran = with(arguments).exits(11);
            assert!(ran.stderr.len() > 500, "{}", ran.stderr);
            assert_clean("the log", &ran.stderr);
            assert_clean("the summary", &ran.text());
        }
        let ran = with(&["normalize", "--hashes", "in"]).exits(11);
        assert_clean("the log", &ran.stderr);
        let ran = with(&["quarantine", "list"]).exits(0);
        assert!(ran.text().lines().count() > 15);
        assert_clean("the list of the quarantine", &ran.text());
        assert_clean("the log", &ran.stderr);
        for arguments in [
            ["runs", "list"].as_slice(),
            &["runs", "list", "--json"],
            &["export", "--out", "out"],
        ] {
            let ran = with(arguments).exits(0);
            assert_clean("a report", &ran.text());
            assert_clean("the log", &ran.stderr);
        }
        let reasons = sandbox.query("SELECT DISTINCT reason FROM quarantine ORDER BY reason");
        assert_eq!(
            reasons,
            [
                "duplicate-key",
                "id-conflict",
                "invalid-json",
                "invalid-utf8",
                "missing-required-reference",
                "missing-resource-type",
                "store-refused",
                "too-deep",
                "too-long",
                "unknown-resource-type",
            ],
            "every path is taken"
        );
        let details = sandbox.query("SELECT detail FROM quarantine");
        assert_clean("the details", &details.join("\n"));
    }
}

#[test]
fn errors_of_the_configuration_hold_no_secret() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.write("key", format!("{KEY}zz"));
    for text in [
        // A key that is no key, and keys where none belongs.
        "[tenants.acme]\nid_key = { file = \"key\" }\n".to_owned(),
        format!("[tenants.acme]\nid_key = \"{KEY}\"\n"),
        format!("[tenants.acme]\nid_key = [\"{KEY}\"]\n"),
        format!("[tenants.acme]\nid_key = {{ hex = \"{KEY}\" }}\n"),
        format!("[tenants.acme]\nid_key = {{ file = [\"{KEY}\"] }}\n"),
        format!("[tenants.acme]\nid_key = \"{KEY}\n"),
        format!("[tenants.acme]\nid_key = {KEY}\n"),
        format!("[tenants]\nacme = \"{KEY}\"\n"),
        format!("tenants = \"{KEY}\"\n"),
        format!("[connections]\nmemorial = \"{KEY}\"\n"),
    ] {
        sandbox.write("ingest.toml", &text);
        for form in ["text", "json"] {
            let arguments = ["load", "a.ndjson", "-vvv", "--log-format", form];
            let ran = sandbox.run(arguments).exits(4);
            assert_clean("an error", &ran.stderr);
            let ran = sandbox.run(arguments.iter().chain(&["--json"])).exits(4);
            assert_eq!(ran.error_code(), "configuration");
            assert_clean("an error", &ran.text());
            assert_clean("an error", &ran.stderr);
        }
    }
}
