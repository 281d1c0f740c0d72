//! What `ingest.toml` refuses, and how it says so.

use std::sync::LazyLock;

use ingest_pipeline::config::ConfigError;
use ingest_pipeline::init::TEMPLATE;
use proptest::prelude::*;

use crate::config::{MEMORIAL, read};

/// The message after the folder of the file.
fn refused(text: &str) -> String {
    let error = read(text).expect_err(text).to_string();
    let start = error.find("ingest.toml").unwrap_or_default();
    error[start..].to_owned()
}

/// That of a line added to [`MEMORIAL`], as line 6.
fn refused_line(line: &str) -> String {
    refused(&format!("{MEMORIAL}{line}\n"))
}

#[test]
fn unknown_keys_are_told_with_line_table_and_the_nearest_known_one() {
    for (text, expected) in [
        (
            "[connections.memorial]\nvendor = \"epic\"\n\nfhir_bse = \"https://x\"\n",
            "ingest.toml:4: unknown key `fhir_bse` in [connections.memorial]; did you mean `fhir_base`?",
        ),
        (
            "[conections.memorial]\nfhir_base = \"https://x\"\n",
            "ingest.toml:1: unknown key `conections` at the top level; did you mean `connections`?",
        ),
        (
            "[store]\nsqllite = \"a.db\"\n",
            "ingest.toml:2: unknown key `sqllite` in [store]; did you mean `sqlite`?",
        ),
        (
            "[state]\nfolder = \"a\"\n",
            "ingest.toml:2: unknown key `folder` in [state]; there are `path`",
        ),
        (
            "[tenants.\"a b\"]\norganisation = \"x\"\n",
            "ingest.toml:2: unknown key `organisation` in [tenants.\"a b\"]; did you mean `organization`?",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
    for (line, expected) in [
        (
            "[connections.memorial.bulk]\npoll_maximum = 7",
            "ingest.toml:7: unknown key `poll_maximum` in [connections.memorial.bulk]; did you mean `poll_max`?",
        ),
        (
            "http = { retrys = 1 }",
            "ingest.toml:6: unknown key `retrys` in [connections.memorial.http]; did you mean `retries`?",
        ),
        (
            "http.retrys = 1",
            "ingest.toml:6: unknown key `retrys` in [connections.memorial.http]; did you mean `retries`?",
        ),
        (
            "signing_key = { file = \"k\", algorithm = \"RS384\" }",
            "ingest.toml:6: unknown key `algorithm` in [connections.memorial.signing_key]; did you mean `alg`?",
        ),
    ] {
        assert_eq!(refused_line(line), expected);
    }
}

#[test]
fn values_of_another_type_are_told_with_line_and_place() {
    for (line, expected) in [
        (
            "types = 7",
            "`types` in [connections.memorial]: invalid type: integer `7`, expected a list",
        ),
        (
            "types = [\"Patient\", 7]",
            "`types` in [connections.memorial]: invalid type: integer `7`, expected a string",
        ),
        (
            "group = true",
            "`group` in [connections.memorial]: invalid type: boolean `true`, expected a string",
        ),
        (
            "http = \"x\"",
            "`http` in [connections.memorial]: invalid type: string, expected a table",
        ),
        (
            "level = \"grup\"",
            "`level` in [connections.memorial] is none of `system`, `patient`, `group`; did you mean `group`?",
        ),
        (
            "id_mode = \"keep\"",
            "`id_mode` in [connections.memorial] is none of `preserve`, `hash`",
        ),
        (
            "ack_mode = \"enhance\"",
            "`ack_mode` in [connections.memorial] is none of `auto`, `original`, `enhanced`; did you mean `enhanced`?",
        ),
        (
            "bulk = { kick_off = \"delete\" }",
            "`kick_off` in [connections.memorial.bulk] is none of `get`, `post`",
        ),
        (
            "signing_key = { kid = \"k\" }",
            "[connections.memorial.signing_key] needs `file`",
        ),
        (
            "[connections.other]\nvendor = \"epic\"",
            "[connections.other] needs `fhir_base`",
        ),
        ("vendor = \"epic", "invalid basic string, expected `\"`"),
    ] {
        let message = refused_line(line);
        assert_eq!(message, format!("ingest.toml:6: {expected}"), "{line}");
    }
    let message = refused_line("[connections.memorial.bulk]\npoll_min = \"5 minutes\"");
    assert!(
        message.starts_with("ingest.toml:7: `poll_min` in [connections.memorial.bulk]: a time is"),
        "{message}"
    );
}

#[test]
fn values_that_cannot_be_used_are_told_with_line_and_place() {
    for (line, place, expected) in [
        ("vendor = \"epik\"", "vendor", "did you mean `epic`?"),
        ("vendor = \"zzz\"", "vendor", "`openemr`"),
        ("tenant = \"acne\"", "tenant", "did you mean `acme`?"),
        (
            "scopes = [\"system/Patient.write\"]",
            "scopes",
            "`system/Patient.write` lets this client write",
        ),
        ("scopes = [\"system/*.*\"]", "scopes", "write"),
        (
            "scopes = [\"system/Patient.read\", \"system/Patient.cruds\"]",
            "scopes",
            "write",
        ),
        (
            "scopes = [\"system/Patient.read system/Patient.write\"]",
            "scopes",
            "one scope an entry",
        ),
        (
            "extra_scopes = [\"system/Group.write\"]",
            "extra_scopes",
            "write",
        ),
        (
            "token_endpoint = \"http://ehr.example/token\"",
            "token_endpoint",
            "use https",
        ),
        (
            "token_endpoint = \"/token\"",
            "token_endpoint",
            "not absolute",
        ),
        ("bases = [\"ehr.example\"]", "bases", "absolute"),
        (
            "client_secret = { env = \"S\" }\nsigning_key = { file = \"k\" }",
            "client_secret",
            "not both",
        ),
        (
            "client_secret_method = \"post\"",
            "client_secret_method",
            "no `client_secret`",
        ),
        ("algorithms = []", "algorithms", "name one"),
        (
            "level = \"system\"\ngroup = \"g\"",
            "group",
            "`level` is `system`",
        ),
        ("group = \"Group/g\"", "group", "id alone"),
        ("types = [\"patient\"]", "types", "did you mean `Patient`?"),
        ("types = [\"Pateint\"]", "types", "no FHIR R4 resource type"),
        (
            "types = [\"Patient\"]\nexpected_types = [\"Observation\"]",
            "expected_types",
            "not among `types`",
        ),
        (
            "types = [\"Patient\"]\ntype_filters = [\"Observation?code=x\"]",
            "type_filters",
            "not among `types`",
        ),
        ("type_filters = [\"code=x\"]", "type_filters", "form"),
        (
            "type_filters = [\"Observation?code=x y\"]",
            "type_filters",
            "%20",
        ),
        ("source_system = \"memorial\"", "source_system", "no URI"),
        ("source_system = \"urn:a\\nb\"", "source_system", "no URI"),
        ("mrn_system = \"\"", "mrn_system", "empty"),
        ("triggers = [\"A1\"]", "triggers", "written as"),
        ("triggers = [\"adt^A01\"]", "triggers", "written as"),
    ] {
        let message = refused_line(line);
        let expected_place = format!("`{place}` in [connections.memorial]: ");
        assert!(message.contains(&expected_place), "{line}: {message}");
        assert!(message.contains(expected), "{line}: {message}");
        let number = 6 + line
            .lines()
            .position(|line| line.starts_with(place))
            .expect("it is there");
        assert!(
            message.starts_with(&format!("ingest.toml:{number}: ")),
            "{line}: {message}"
        );
    }
    for (line, key, expected) in [
        ("http.proxy = \"nowhere\"", "proxy", "no URL of a proxy"),
        (
            "http.proxy_credentials = { env = \"P\" }",
            "proxy_credentials",
            "no `proxy`",
        ),
        (
            "http.headers = { Authorization = \"Basic x\" }",
            "headers",
            "not for the configuration to set",
        ),
        (
            "http.headers = { X-Api-Key = \"x\" }",
            "headers",
            "`secret_headers`",
        ),
        (
            "http.headers = { X-Site = \"x\", x-site = \"y\" }",
            "headers",
            "twice",
        ),
        (
            "http.secret_headers = { Authorization = { env = \"A\" } }",
            "secret_headers",
            "not for the configuration to set",
        ),
        (
            "http.secret_headers = { \"a b\" = { env = \"A\" } }",
            "secret_headers",
            "valid",
        ),
        (
            "http = { headers = { X-Site = \"x\" }, secret_headers = { x-site = { env = \"A\" } } }",
            "secret_headers",
            "twice",
        ),
        ("http.headers = { \"a b\" = \"x\" }", "headers", "valid"),
        ("http.headers = { A = \"x\\ny\" }", "headers", "valid"),
        ("http.retries = 1000", "retries", "20"),
        ("http.requests_per_minute = 0", "requests_per_minute", "1"),
        (
            "bulk.base = \"https://ehr.example/bulk?x=y\"",
            "base",
            "neither query",
        ),
        ("bulk.parallel_downloads = 0", "parallel_downloads", "64"),
        ("bulk.max_line = 10", "max_line", "1024"),
        (
            "bulk = { poll_min = 9, poll_max = 8 }",
            "poll_max",
            "shorter",
        ),
    ] {
        let message = refused_line(line);
        assert!(
            message.starts_with(&format!("ingest.toml:6: `{key}` in [connections.memorial.")),
            "{line}: {message}"
        );
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn no_message_repeats_what_may_be_a_secret() {
    const CANARY: &str = "hunter2hunter2";
    for line in [
        "client_secret = \"$\"",
        "client_secret = { value = \"$\" }",
        "client_secret = [\"$\"]",
        "client_secret = { file = [\"$\"] }",
        "signing_key = \"$\"",
        "signing_key = { file = \"k\", alg = \"$\" }",
        "client_secret_method = \"$\"",
        "client_id = [\"$\"]",
        "client_id = \"$ \"",
        "level = \"$\"",
        "http = { proxy = \"http://user:$@proxy.example\" }",
        "http = { proxy = \"$\" }",
        "http = { proxy_credentials = \"user:$\" }",
        "http = { headers = { Authorization = \"Bearer $\" } }",
        "http = { headers = { X = \"$\\n\" } }",
        "http = { secret_headers = { X = \"$\" } }",
        "http = { secret_headers = { X = { value = \"$\" } } }",
        "http = { secret_headers = \"$\" }",
        "http = { connect_timeout = \"$\" }",
        "http = { retries = \"$\" }",
        "token_endpoint = \"https://c:$@ehr.example/token\"",
        "token_endpoint = \"https:// $\"",
        "bases = [\"$\"]",
        "bulk = { base = \"https://ehr.example/?token=$\" }",
        "bulk = \"$\"",
        "source_system = \"$\"",
        "group = \"/$\"",
        "triggers = \"$\"",
        "group = \"$",
        "[tenants.other]\nid_key = \"$\"",
    ] {
        let error = read(&format!("{MEMORIAL}{}\n", line.replace('$', CANARY))).expect_err(line);
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(CANARY), "{line}: {shown}");
        }
    }
    for text in [
        "[connections]\nmemorial = \"$\"",
        "connections = \"$\"",
        "tenants = [\"$\"]",
        "[tenants.a]\nid_key = $",
        "[store]\nsqlite = [\"$\"]",
    ] {
        let error = read(&text.replace('$', CANARY)).expect_err(text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY), "{text}: {shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Slips of the pen anywhere are answered with a line of the file.
    #[test]
    fn a_damaged_file_is_read_or_refused(
        place in 0..FULL.len(),
        length in 0..40_usize,
        inserted in "[a-z0-9=\\[\\]{}\"'., \n#]{0,6}",
    ) {
        // The file is ASCII, so every place is between two characters.
        let end = (place + length).min(FULL.len());
        let text = format!("{}{inserted}{}", &FULL[..place], &FULL[end..]);
        match read(&text) {
            Ok(_) => {}
            Err(ConfigError::Parse { line, .. }) => {
                prop_assert!((1..=text.lines().count() + 1).contains(&line), "{}", line);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// All that can be set.
static FULL: LazyLock<String> = LazyLock::new(|| {
    let lines = TEMPLATE.lines().filter(|line| !line.starts_with("##"));
    lines
        .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
        .collect()
});
