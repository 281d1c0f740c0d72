//! The views that any SQLite reads, also while a load writes.

use std::io::Write;

use serde_json::{Value, json};

use crate::generate::{deletion, observation, patient};
use crate::util::{Ran, Sandbox, assert_counts, query};

const COLUMNS: &[(&str, &str)] = &[
    (
        "resources",
        "type,id,version,content_hash,source_system,source_id,last_updated,deleted,body",
    ),
    (
        "resource_versions",
        "type,id,version,content_hash,source_system,source_id,last_updated,deleted,body",
    ),
    (
        "provenances",
        "id,target_type,target_id,target_version,activity,recorded,source_system,remediations,body",
    ),
    (
        "runs",
        "id,connection,kind,state,started,finished,resources,created,updated,unchanged,deleted,quarantined,remediated,error",
    ),
    (
        "quarantine",
        "id,run,file,line,byte_offset,reason,detail,body",
    ),
    (
        "dead_letters",
        "id,received,reason,detail,attempts,control_id,body",
    ),
];

/// Attempts to see a change that another process makes. Each takes a query
/// and gives the processor away, so this is minutes.
const ATTEMPTS: u32 = 1_000_000;

/// A store with creates, an update, a delete and a mended resource.
fn store() -> Sandbox {
    let sandbox = Sandbox::new();
    let condition =
        r#"{"resourceType":"Condition","id":"c_1","subject":{"reference":"Patient/p"}}"#;
    let lines = [
        patient("p", ""),
        patient("p", r#","gender":"female""#),
        observation("o", "Patient/p"),
        condition.to_owned(),
        deletion("Observation/o"),
        "{".to_owned(),
    ];
    sandbox.lines("in.ndjson", &lines);
    sandbox.write(
        "ingest.toml",
        "[tenants.acme]\norganization = \"Acme \\\"Health\\\"\"\n",
    );
    let options = ["--source-system", "urn:epic:memorial"];
    sandbox.load_with(&options, &["in.ndjson"], 0);
    sandbox
}

#[test]
fn views_have_the_columns_promised() {
    let sandbox = store();
    for (view, columns) in COLUMNS {
        let found = sandbox.query(&format!("SELECT name FROM pragma_table_info('{view}')"));
        assert_eq!(found.join(","), *columns, "{view}");
    }
    assert_eq!(sandbox.query("PRAGMA journal_mode"), ["wal"]);
    assert_eq!(sandbox.query("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn values_have_the_forms_promised() {
    let sandbox = store();
    let instant = "'____-__-__T__:__:__.___Z'";
    let wrong = sandbox.query(&format!(
        "SELECT 'resource', id FROM resource_versions
           WHERE length(content_hash) <> 64 OR content_hash <> lower(content_hash)
              OR last_updated NOT LIKE {instant} OR deleted NOT IN (0, 1)
              OR (deleted = 0) <> (body IS NOT NULL) OR (body IS NOT NULL AND NOT json_valid(body))
         UNION ALL
         SELECT 'provenance', id FROM provenances
           WHERE recorded NOT LIKE {instant} OR length(id) <> 64 OR NOT json_valid(body)
         UNION ALL
         SELECT 'run', id FROM runs
           WHERE started NOT LIKE {instant} OR finished NOT LIKE {instant} OR length(id) <> 26"
    ));
    assert_eq!(wrong, [""; 0]);
    assert_eq!(
        sandbox.query("SELECT type, source_id, version, deleted FROM resources ORDER BY type"),
        ["Condition|c_1|1|0", "Observation|o|2|1", "Patient|p|2|0"]
    );
    assert_eq!(
        sandbox.query("SELECT count(*), count(DISTINCT run) FROM quarantine"),
        ["1|1"]
    );
}

#[test]
fn every_version_has_one_provenance() {
    let sandbox = store();
    let rows = sandbox.query(
        "SELECT v.type, v.version, p.activity, p.remediations,
                p.recorded = v.last_updated, p.source_system
         FROM resource_versions v LEFT JOIN provenances p
           ON p.target_type = v.type AND p.target_id = v.id AND p.target_version = v.version
         ORDER BY v.type, v.version",
    );
    let system = "urn:epic:memorial";
    assert_eq!(
        rows,
        [
            format!("Condition|1|CREATE|1|1|{system}"),
            format!("Observation|1|CREATE|0|1|{system}"),
            format!("Observation|2|DELETE|0|1|{system}"),
            format!("Patient|1|CREATE|0|1|{system}"),
            format!("Patient|2|UPDATE|0|1|{system}"),
        ]
    );
    assert_eq!(sandbox.query("SELECT count(*) FROM provenances"), ["5"]);
}

#[test]
fn a_provenance_says_what_when_who_and_whence() {
    let sandbox = store();
    let rows = sandbox.query("SELECT body FROM provenances WHERE target_type = 'Condition'");
    let body: Value = serde_json::from_str(&rows[0]).expect("JSON");
    let columns = sandbox
        .query("SELECT target_id, recorded FROM provenances WHERE target_type = 'Condition'");
    let (id, recorded) = columns[0].split_once('|').expect("two columns");
    // SHA-256 of "urn:epic:memorial\nCondition\nc_1".
    assert_eq!(
        id,
        "b793cdeda9f99ce8f2aa131d99a121cee4dd37d239cc387f50b1e69d1ea096a3"
    );
    let expected = json!({
        "resourceType": "Provenance",
        // SHA-256 of "urn:epic:memorial\nProvenance\nCondition/<id>/1".
        "id": "3c4bc779abc3876453734539f2080ff5d12d4232e47755d748476c78685cc4d5",
        "meta": {"tag": [{"system": "urn:ingest:source-system", "code": "urn:epic:memorial"}]},
        "extension": [
            {"url": "urn:ingest:version", "valueInteger": 1},
            {"url": "urn:ingest:remediation", "extension": [
                {"url": "path", "valueString": "Condition.code"},
                {"url": "rule", "valueString": body["extension"][1]["extension"][1]["valueString"]},
            ]},
        ],
        "target": [{"reference": format!("Condition/{id}")}],
        "recorded": recorded,
        "activity": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation",
            "code": "CREATE",
        }]},
        "agent": [{
            "type": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                "code": "assembler",
            }]},
            "who": {"display": "Acme \"Health\""},
        }],
        "entity": [{
            "role": "source",
            "what": {"identifier": {"system": "urn:epic:memorial", "value": "Condition/c_1"}},
        }],
    });
    assert_eq!(body, expected);
    let rule = body["extension"][1]["extension"][1]["valueString"].as_str();
    assert!(rule.is_some_and(|rule| !rule.is_empty()));
}

#[test]
fn readers_see_what_is_committed_while_a_load_runs() {
    let sandbox = Sandbox::new();
    let half = 40_000;
    let lines = |range: std::ops::Range<u32>| -> String {
        range
            .map(|id| patient(&format!("p{id}"), "") + "\n")
            .collect()
    };
    let mut load = sandbox.spawn(["load", "--json", "-"]);
    let mut stdin = load.stdin.take().expect("piped");
    // The load has taken all of this but what fits into its buffers.
    stdin
        .write_all(lines(0..half).as_bytes())
        .expect("it reads");

    let reader = sandbox.reader();
    let count = "SELECT count(*) FROM resources r JOIN provenances p
                 ON p.target_type = r.type AND p.target_id = r.id AND p.target_version = r.version";
    let version = "PRAGMA data_version";
    let mut seen = query(&reader, version);
    let mut committed = query(&reader, "SELECT count(*) FROM resources");
    for _ in 0..ATTEMPTS {
        if committed != ["0"] {
            break;
        }
        std::thread::yield_now();
        let now = query(&reader, version);
        if now != seen {
            seen = now;
            committed = query(&reader, "SELECT count(*) FROM resources");
        }
    }
    assert_ne!(committed, ["0"], "nothing was committed");
    // One snapshot: each resource with its Provenance, the run as it stands.
    reader.execute_batch("BEGIN").expect("a snapshot");
    let resources = query(&reader, "SELECT count(*) FROM resources");
    assert_eq!(query(&reader, count), resources);
    assert_eq!(
        query(&reader, "SELECT state, created FROM runs"),
        [format!("running|{}", resources[0])]
    );
    // A reader in the middle of something doesn't hold the load up.
    stdin
        .write_all(lines(half..2 * half).as_bytes())
        .expect("it reads on");
    drop(stdin);
    let summary = Ran::of(load.wait_with_output().expect("it ends")).exits(0);
    assert_counts(&summary.json(), &[("created", u64::from(2 * half))]);
    assert_eq!(query(&reader, count), resources, "a snapshot stays");
    reader.execute_batch("COMMIT").expect("the end of it");
    assert_eq!(query(&reader, count), [(2 * half).to_string()]);
}
