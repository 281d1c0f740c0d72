//! The views as anybody with an SQLite shell sees them.

use fhir_store::{
    Counts, Delete, Message, NewRun, Put, Refused, Remediation, ResourceStore as _, RunState,
    RunStore as _, SqliteStore,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{context, patient, put, store_path};

#[test]
fn columns_are_those_promised() {
    let (_folder, raw) = filled();
    let views = [
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
    for (view, columns) in views {
        let select = raw
            .prepare(&format!("SELECT * FROM {view}"))
            .expect("prepare");
        assert!(select.column_names().eq(columns.split(',')), "{view}");
    }
}

#[test]
fn rows_say_what_was_written() {
    let (_folder, raw) = filled();
    let hash = |body: &str| {
        format!(
            "{:0<64}",
            body.bytes().map(|b| format!("{b:02x}")).collect::<String>()
        )
    };
    assert_eq!(
        rows(&raw, "SELECT * FROM resources"),
        [
            format!(
                "Patient|q|1|{}|urn:test:a|q|2026-01-02T03:04:05.678Z|0|\"q\"",
                hash("\"q\"")
            ),
            format!(
                "Patient|p|3|{}|urn:test:a|source p|1969-12-31T23:59:59.999Z|1|-",
                hash("\"b\"")
            ),
        ]
    );
    assert_eq!(
        rows(
            &raw,
            "SELECT type, id, version, source_id, deleted, body FROM resource_versions"
        ),
        [
            "Patient|p|1|p|0|\"a\"",
            "Patient|q|1|q|0|\"q\"",
            "Patient|p|2|source p|0|\"b\"",
            "Patient|p|3|source p|1|-",
        ]
    );
    assert_eq!(
        rows(
            &raw,
            "SELECT length(id), target_type, target_id, target_version, activity, recorded, remediations, \
             json_extract(body, '$.recorded') = recorded, json_array_length(body, '$.extension') FROM provenances"
        ),
        [
            "64|Patient|p|1|CREATE|2026-01-02T03:04:05.678Z|0|1|1",
            "64|Patient|q|1|CREATE|2026-01-02T03:04:05.678Z|0|1|1",
            "64|Patient|p|2|UPDATE|2026-01-02T03:04:05.678Z|2|1|3",
            "64|Patient|p|3|DELETE|1969-12-31T23:59:59.999Z|0|1|1",
        ]
    );
    assert_eq!(
        rows(&raw, "SELECT * FROM runs"),
        [
            "01A|memorial|load|partial|1970-01-01T00:00:00.000Z|1970-01-01T00:00:01.001Z|9|1|2|3|0|3|5|cut short",
            "01B|-|fetch|running|1970-01-01T00:00:02.000Z|-|0|0|0|0|0|0|0|-",
        ]
    );
    assert_eq!(
        rows(
            &raw,
            "SELECT id, run, line, reason, typeof(body), length(body) FROM quarantine"
        ),
        ["1|01A|7|invalid-json|text|2", "2|01A|-|invalid-utf8|blob|2"]
    );
    assert!(rows(&raw, "SELECT * FROM dead_letters").is_empty());
}

#[test]
fn look_ups_use_an_index_and_scans_run_in_order() {
    let (_folder, raw) = filled();
    let look_ups = [
        "resources WHERE type = 'Patient' AND id = 'x'",
        "resource_versions WHERE type = 'Patient' AND id = 'x'",
        "provenances WHERE target_type = 'Patient' AND target_id = 'x'",
        "provenances WHERE target_type = 'Patient' AND target_id = 'x' AND target_version = 1",
        "resources WHERE id = 'x' AND type IN ('Patient', 'Device')",
    ];
    for look_up in look_ups {
        let plan = plan(&raw, look_up);
        assert!(
            plan.contains("SEARCH v USING INDEX version_key (type=? AND id=?"),
            "{look_up}: {plan}"
        );
        assert!(!plan.contains("SCAN v"), "{look_up}: {plan}");
    }
    for scan in [
        "resources",
        "resource_versions",
        "provenances",
        "resources WHERE deleted = 0",
    ] {
        let plan = plan(&raw, scan);
        assert!(plan.starts_with("SCAN v\n"), "{scan}: {plan}");
        assert!(!plan.contains("SCAN v USING"), "{scan}: {plan}");
        assert!(!plan.contains("SCAN t"), "{scan}: {plan}");
    }
}

/// Statistics that somebody gathered must not turn the plans.
#[test]
fn plans_survive_analyze() {
    let (_folder, raw) = filled();
    raw.execute_batch("ANALYZE").expect("analyze");
    assert!(plan(&raw, "resources").starts_with("SCAN v\n"));
}

fn filled() -> (TempDir, Connection) {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    put(&mut store, &[patient("p", "\"a\""), patient("q", "\"q\"")]);
    let mended = Remediation {
        path: "Patient.gender",
        rule: "unknown",
    };
    put(
        &mut store,
        &[Put {
            source_id: "source p",
            remediations: &[mended, mended],
            message: Some(Message {
                control_id: "M1",
                raw_key: "k",
            }),
            ..patient("p", "\"b\"")
        }],
    );
    let mut outcomes = Vec::new();
    let mut later = context();
    later.recorded = -1;
    let gone = Delete {
        resource_type: "Patient",
        id: "p",
        source_id: "source p",
        message: None,
    };
    store
        .delete(&later, &[gone], &mut outcomes)
        .expect("delete");

    let run = NewRun {
        id: "01A",
        connection: Some("memorial"),
        kind: "load",
        source_system: "urn:test:a",
        started: 0,
    };
    store.start_run(&run).expect("start_run");
    let bad = Refused {
        file: "a.ndjson",
        line: Some(7),
        byte_offset: Some(9),
        reason: "invalid-json",
        detail: "",
        body: "{é".as_bytes(),
    };
    store.quarantine("01A", &bad).expect("quarantine");
    let worse = Refused {
        line: None,
        reason: "invalid-utf8",
        body: b"{\xff",
        ..bad
    };
    store.quarantine("01A", &worse).expect("quarantine");
    let counts = Counts {
        resources: 9,
        created: 1,
        updated: 2,
        unchanged: 3,
        deleted: 0,
        quarantined: 3,
        remediated: 5,
        provenance: 3,
        bytes: 100,
    };
    store
        .finish_run(
            "01A",
            RunState::Partial,
            1_001,
            &counts,
            Some("cut short"),
            None,
        )
        .expect("finish_run");
    let second = NewRun {
        id: "01B",
        connection: None,
        kind: "fetch",
        started: 2_000,
        ..run
    };
    store.start_run(&second).expect("start_run");
    store.flush().expect("flush");
    drop(store);
    (folder, Connection::open(path).expect("open"))
}

/// Rows with their values joined by `|`, and `-` for NULL.
fn rows(raw: &Connection, sql: &str) -> Vec<String> {
    use rusqlite::types::ValueRef;

    let mut select = raw.prepare(sql).expect("prepare");
    let columns = select.column_count();
    let mut rows = select.query([]).expect("query");
    let mut all = Vec::new();
    while let Some(row) = rows.next().expect("row") {
        let values: Vec<String> = (0..columns)
            .map(|index| match row.get_ref(index).expect("value") {
                ValueRef::Null => "-".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        all.push(values.join("|"));
    }
    all
}

fn plan(raw: &Connection, from: &str) -> String {
    let mut explain = raw
        .prepare(&format!("EXPLAIN QUERY PLAN SELECT * FROM {from}"))
        .expect("prepare");
    let steps = explain
        .query_map([], |row| row.get::<_, String>(3))
        .expect("query");
    steps.map(|step| step.expect("step") + "\n").collect()
}
