//! What a connection comes to with its tenant and vendor profile.

use std::path::PathBuf;
use std::time::Duration;

use ingest_pipeline::config::{
    AckMode, Algorithm, Auth, Connection, ConnectionSettings, ExportLevel, Secret, SecretMethod,
    Since, Tenant,
};
use ingest_pipeline::vendor::Profile;
use ingest_pipeline::{IdMode, Settings};

use crate::config::read;

pub(crate) fn settings(lines: &str) -> ConnectionSettings {
    let text = format!(
        "[tenants.acme]\nkeys = \"/keys\"\n\
         [connections.memorial]\nfhir_base = \"https://ehr.example/r4/\"\n{lines}\n"
    );
    let config = read(&text).expect(lines);
    config.connection("memorial").expect(lines)
}

pub(crate) const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// The example of the documentation of the configuration.
#[test]
fn a_connection_says_what_it_needs_and_the_profile_the_rest() {
    let config = read(
        r#"
        [store]
        sqlite = "data/acme.db"
        [state]
        path = "data/state.db"
        [tenants.acme]
        organization = "Acme Health"
        keys = "/keys/acme"
        [connections.memorial]
        tenant = "acme"
        site_name = "Memorial Hospital"
        vendor = "epic"
        fhir_base = "https://ehr.example/api/FHIR/R4"
        client_id = "3c5f"
        scopes = ["system/Patient.read", "system/Encounter.read"]
        group = "e3iabhmS8rsueyz7vaimuiaSmfGvi.QwjVXJANlPOgR83"
        types = ["Patient", "Encounter", "Observation", "Condition", "MedicationRequest"]
        source_system = "urn:epic:memorial"
        id_mode = "preserve"
        mrn_system = "urn:oid:1.2.36.146.595.217.0.1"
        triggers = ["A01", "A04", "A08", "A28"]
        accept_server_errors = false
        "#,
    )
    .expect("a configuration");
    let memorial = config.connection("memorial").expect("it is there");
    assert_eq!(memorial.name, "memorial");
    assert_eq!(memorial.tenant.as_deref(), Some("acme"));
    assert_eq!(memorial.organization, "Acme Health");
    assert_eq!(memorial.site_name.as_deref(), Some("Memorial Hospital"));
    assert_eq!(memorial.profile.display_name, "Epic");
    assert_eq!(memorial.base, "https://ehr.example/api/FHIR/R4");
    assert_eq!(memorial.bulk.base, memorial.base);
    assert_eq!(
        memorial.auth,
        Auth::Ring {
            client_id: "3c5f".to_owned(),
            folder: PathBuf::from("/keys/acme"),
            key_file: None,
            algorithms: vec![Algorithm::Rs384, Algorithm::Es384],
        }
    );
    assert_eq!(
        memorial.scopes,
        ["system/Patient.read", "system/Encounter.read"]
    );
    let group = ExportLevel::Group("e3iabhmS8rsueyz7vaimuiaSmfGvi.QwjVXJANlPOgR83".to_owned());
    assert_eq!(memorial.level, Some(group));
    assert_eq!(memorial.types.len(), 5);
    assert_eq!(memorial.triggers.as_deref().map(<[_]>::len), Some(4));
    assert_eq!(memorial.ack_mode, AckMode::Auto);
    assert!(!memorial.accept_server_errors);
    // From the profile.
    assert!(!memorial.bulk.since_supported && memorial.retry_bare_400);
    assert_eq!(memorial.bulk.poll_max, SECONDS(30 * 60));
    assert_eq!(memorial.bulk.job_interval, Some(SECONDS(24 * 3600)));
    assert_eq!(memorial.http.headers["epic-client-id"], "3c5f");
    // From nobody.
    assert_eq!(
        (memorial.bulk.max_line, memorial.http.retries),
        (64 << 20, 5)
    );

    let normalize = memorial.normalize(|_| None).expect("no key to read");
    let Settings {
        source_system,
        id_mode,
        id_key,
        mrn_system,
        bases,
    } = normalize;
    assert_eq!(source_system, "urn:epic:memorial");
    assert_eq!((id_mode, id_key.is_none()), (IdMode::Preserve, true));
    assert_eq!(
        mrn_system.as_deref(),
        Some("urn:oid:1.2.36.146.595.217.0.1")
    );
    assert_eq!(bases, ["https://ehr.example/api/FHIR/R4"]);
}

#[test]
fn without_anything_said_a_server_is_generic_and_open() {
    let generic = settings("");
    assert_eq!(
        (&*generic.base, &generic.auth),
        ("https://ehr.example/r4", &Auth::Anonymous)
    );
    assert_eq!(generic.level, Some(ExportLevel::System));
    assert_eq!(generic.source_system, "urn:ingest:memorial");
    assert_eq!(generic.scopes, ["system/*.read"]);
    assert!(generic.types.is_empty() && generic.http.headers.is_empty());
    assert_eq!(
        (generic.bulk.since, generic.bulk.since_supported),
        (Since::Auto, true)
    );
}

#[test]
fn every_value_of_a_profile_can_be_overridden() {
    type Get = fn(&ConnectionSettings) -> String;
    // Key, its value in two ways, and where it ends up.
    let cases: &[(&str, [&str; 2], Get)] = &[
        ("level", ["\"system\"", "\"patient\""], |s| {
            format!("{:?}", s.level)
        }),
        ("bulk.since_supported", ["true", "false"], |s| {
            s.bulk.since_supported.to_string()
        }),
        ("bulk.type_list", ["\"comma\"", "\"repeat\""], |s| {
            s.bulk.type_list.to_string()
        }),
        ("bulk.kick_off", ["\"get\"", "\"post\""], |s| {
            s.bulk.kick_off.to_string()
        }),
        (
            "algorithms",
            ["[\"RS384\"]", "[\"ES384\", \"RS256\"]"],
            |s| format!("{:?}", s.auth),
        ),
        ("scope_syntax", ["\"v1\"", "\"v2\""], |s| s.scopes.join(" ")),
        ("extra_scopes", ["[]", "[\"system/X.read\"]"], |s| {
            s.scopes.join(" ")
        }),
        ("http.requests_per_minute", ["1", "2"], |s| {
            format!("{:?}", s.http.requests_per_minute)
        }),
        ("bulk.poll_min", ["\"1s\"", "\"2s\""], |s| {
            format!("{:?}", s.bulk.poll_min)
        }),
        ("bulk.poll_max", ["\"2h\"", "\"3h\""], |s| {
            format!("{:?}", s.bulk.poll_max)
        }),
        ("bulk.deadline", ["\"1d\"", "\"2d\""], |s| {
            format!("{:?}", s.bulk.deadline)
        }),
        ("bulk.parallel_downloads", ["1", "2"], |s| {
            s.bulk.parallel_downloads.to_string()
        }),
        ("http.first_byte_timeout", ["1", "2"], |s| {
            format!("{:?}", s.http.first_byte_timeout)
        }),
        ("token_lifetime", ["10", "20"], |s| {
            format!("{:?}", s.token_lifetime)
        }),
        ("retry_bare_400", ["true", "false"], |s| {
            s.retry_bare_400.to_string()
        }),
        ("discovery_at_host_root", ["true", "false"], |s| {
            s.discovery_at_host_root.to_string()
        }),
        ("bulk.job_interval", ["\"1h\"", "\"2h\""], |s| {
            format!("{:?}", s.bulk.job_interval)
        }),
        (
            "http.headers",
            ["{ Epic-Client-ID = \"a\" }", "{ Epic-Client-ID = \"b\" }"],
            |s| format!("{:?}", s.http.headers),
        ),
    ];
    let keys: Vec<_> = cases.iter().map(|(key, ..)| *key).collect();
    let known: Vec<_> = Profile::KEYS.iter().map(|(_, key)| *key).collect();
    assert!(known.iter().all(|key| keys.contains(key)), "{known:?}");
    for vendor in Profile::names() {
        for (key, values, get) in cases {
            let [one, other] = values.map(|value| {
                get(&settings(&format!(
                    "vendor = \"{vendor}\"\nclient_id = \"c\"\n{key} = {value}"
                )))
            });
            assert_ne!(one, other, "{vendor}: {key}");
        }
    }
}

#[test]
fn clients_prove_who_they_are_in_one_way() {
    let id = "client_id = \"c\"\n";
    let key = settings(&format!(
        "{id}signing_key = {{ file = \"/k.pem\", kid = \"k\", alg = \"ES384\" }}"
    ));
    assert_eq!(
        key.auth,
        Auth::Key {
            client_id: "c".to_owned(),
            file: PathBuf::from("/k.pem"),
            kid: Some("k".to_owned()),
            alg: Some(Algorithm::Es384),
        }
    );
    for (method, expected) in [
        ("", SecretMethod::Basic),
        ("client_secret_method = \"basic\"", SecretMethod::Basic),
        ("client_secret_method = \"post\"", SecretMethod::Post),
    ] {
        let secret = settings(&format!("{id}client_secret = {{ env = \"S\" }}\n{method}"));
        assert_eq!(
            secret.auth,
            Auth::Secret {
                client_id: "c".to_owned(),
                place: Secret::Env("S".to_owned()),
                method: expected,
            }
        );
    }
    let connection = Connection {
        client_id: Some("c".to_owned()),
        ..Connection::new("https://ehr.example/r4")
    };
    let error = connection
        .settings("x", &Tenant::default())
        .expect_err("no key");
    assert_eq!(
        error.to_string(),
        "`client_id` in [connections.x]: nothing proves it: set `keys` of the tenant, `signing_key` or `client_secret`"
    );
    // A file may be read before there is a client id, to make keys.
    let config = read("[connections.x]\nvendor = \"epic\"\nfhir_base = \"https://a.example\"\n");
    let error = config
        .expect("it is read")
        .connection("x")
        .expect_err("no client id");
    assert_eq!(
        error.to_string(),
        "`client_id` in [connections.x]: Epic gives no data without one"
    );
    for vendor in Profile::names().filter(|name| *name != "generic") {
        let connection = Connection {
            vendor: vendor.to_owned(),
            ..Connection::new("https://ehr.example/r4")
        };
        let error = connection
            .settings("x", &Tenant::default())
            .expect_err(vendor);
        assert!(
            error.to_string().contains("gives no data without one"),
            "{error}"
        );
    }
}

#[test]
fn the_export_level_is_asked_for_configured_or_the_vendors() {
    let asked = ExportLevel::Patient;
    let group = ExportLevel::Group("g".to_owned());
    for (lines, expected) in [
        ("vendor = \"generic\"", Some(ExportLevel::System)),
        ("group = \"g\"", Some(group.clone())),
        ("level = \"patient\"", Some(ExportLevel::Patient)),
        ("level = \"group\"\ngroup = \"g\"", Some(group.clone())),
        ("level = \"group\"", None),
        ("vendor = \"epic\"\nclient_id = \"c\"", None),
        (
            "vendor = \"epic\"\nclient_id = \"c\"\ngroup = \"g\"",
            Some(group.clone()),
        ),
        (
            "vendor = \"epic\"\nclient_id = \"c\"\nlevel = \"patient\"",
            Some(ExportLevel::Patient),
        ),
    ] {
        let settings = settings(lines);
        assert_eq!(settings.export_level(None).ok(), expected, "{lines}");
        assert_eq!(
            settings.export_level(Some(asked.clone())).ok(),
            Some(asked.clone()),
            "{lines}"
        );
    }
    let epic = settings("vendor = \"epic\"\nclient_id = \"c\"");
    let error = epic.export_level(None).expect_err("no group");
    assert_eq!(
        error.to_string(),
        "connection `memorial`: Epic exports by group only; set `group` or name one with --group"
    );
}

#[test]
fn scopes_are_listed_or_made_from_types() {
    for (lines, expected) in [
        (
            "types = [\"Patient\", \"Group\"]",
            "system/Patient.read system/Group.read",
        ),
        (
            "types = [\"Patient\"]\nscope_syntax = \"v2\"",
            "system/Patient.rs",
        ),
        ("scope_syntax = \"v2\"", "system/*.rs"),
        (
            "vendor = \"eclinicalworks\"\nclient_id = \"c\"\ntypes = [\"Patient\"]",
            "system/Patient.read system/Group.read",
        ),
        (
            "vendor = \"eclinicalworks\"\nclient_id = \"c\"\ntypes = [\"Group\"]",
            "system/Group.read",
        ),
        (
            "vendor = \"eclinicalworks\"\nclient_id = \"c\"\nscopes = [\"system/Patient.read\"]",
            "system/Patient.read",
        ),
        (
            "vendor = \"openemr\"\nclient_id = \"c\"\ntypes = [\"Patient\"]",
            "system/Patient.read system/*.$bulkdata-status system/*.$export system/Binary.read \
             system/Group.$export system/Patient.$export",
        ),
    ] {
        let settings = settings(lines);
        assert_eq!(settings.scopes.join(" "), expected, "{lines}");
    }
    let ecw = settings("vendor = \"eclinicalworks\"\nclient_id = \"c\"\ntypes = [\"Patient\"]");
    let other = ecw.scopes_for(&["Condition".to_owned()]);
    assert_eq!(other, ["system/Condition.read", "system/Group.read"]);
}

#[test]
fn bases_are_all_that_references_may_begin_with() {
    let several = settings(
        "bases = [\"http://old.example/r4/\", \"https://ehr.example/r4\"]\n\
         bulk.base = \"https://ehr.example/bulk/\"",
    );
    assert_eq!(several.bulk.base, "https://ehr.example/bulk");
    assert_eq!(
        several.bases,
        [
            "https://ehr.example/r4",
            "http://old.example/r4",
            "https://ehr.example/bulk"
        ]
    );
}

#[test]
fn one_limit_of_polling_moves_the_other_out_of_its_way() {
    for (lines, expected) in [
        ("", (1, 300)),
        ("bulk.poll_min = \"1h\"", (3600, 3600)),
        ("bulk.poll_max = 1", (1, 1)),
        ("bulk = { poll_min = 3, poll_max = 4 }", (3, 4)),
    ] {
        let bulk = settings(lines).bulk;
        assert_eq!(
            (bulk.poll_min, bulk.poll_max),
            (SECONDS(expected.0), SECONDS(expected.1))
        );
    }
}
