use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use fhir_http::{FhirClient, RetryPolicy};
use fhir_store::{
    Counts, Delete, NewRun, Put, ResourceStore as _, RunState, RunStore as _, ServerSettings,
    ServerStore, Sha256Ids, WriteContext,
};

use super::exchange::{ANSWERS, BASE, Script};
use super::{Entry, told};
use crate::engine::{Outcome, Target};
use crate::seeds::{Seeds, texts};

/// What a FHIR server that is the store answers to writes and reads.
pub(super) const SERVER: Entry = Entry {
    target: Target {
        name: "server-store",
        check,
        grammar: ANSWERS,
    },
    seeds: Seeds::written(seeds),
    smoke: 400,
};

const METADATA: &str = r#"200

{"resourceType":"CapabilityStatement","rest":[{"mode":"server","interaction":[{"code":"transaction"},{"code":"batch"}],"resource":[{"type":"Patient","updateCreate":true,"conditionalCreate":true,"interaction":[{"code":"update"},{"code":"create"}],"searchParam":[{"name":"_tag"}]}]}]}"#;
const WRITTEN: &str = r#"200
Content-Type: application/fhir+json

{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"201 Created","location":"Patient/p1/_history/1","etag":"W/\"1\""}},{"response":{"status":"201","location":"Provenance/x/_history/1"}},{"response":{"status":"200 OK","location":"https://ehr.example/r4/Patient/p2/_history/7"}},{"response":{"status":"201"}}]}"#;
const REFUSED: &str = r#"422

{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"business-rule","diagnostics":"Patient/p1 Kanarienvogel-7 not found","expression":["Bundle.entry[0].resource.name"]}]}"#;
const READ: &str = r#"200

{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","tag":[{"system":"urn:a","code":"Patient/p1"}]},"name":[{"family":"Kanarienvogel-7"}]}"#;
const FOUND: &str = r#"200

{"resourceType":"Bundle","type":"searchset","total":1,"entry":[{"resource":{"resourceType":"Patient","id":"p1","meta":{"versionId":"2"}}}]}"#;
const EMPTY: &str = r#"200

{"resourceType":"Bundle","type":"searchset","total":0}"#;

fn seeds() -> Vec<Vec<u8>> {
    let scripts: &[&[&str]] = &[
        &[METADATA, EMPTY, WRITTEN, READ, WRITTEN, FOUND],
        &[METADATA, WRITTEN, WRITTEN, WRITTEN, READ],
        &[WRITTEN, READ, READ, READ, READ],
        &[METADATA, REFUSED, REFUSED, WRITTEN, REFUSED, READ],
        &[
            "500\n\n{}",
            "503\nRetry-After: 3\n\n",
            METADATA,
            "413\n\n",
            WRITTEN,
            "404\n\n",
            "409\n\n",
            "412\n\n",
        ],
        &[
            "404\n\n",
            "201\nLocation: Patient/p1/_history/1\nETag: W/\"1\"\n\n",
            "201\n\n",
            READ,
        ],
    ];
    let joined: Vec<_> = scripts
        .iter()
        .map(|script| script.join("\n===\n"))
        .collect();
    let mut seeds = texts(&joined.iter().map(String::as_str).collect::<Vec<_>>());
    seeds.extend(texts(&[METADATA, WRITTEN, REFUSED, READ, FOUND]));
    seeds
}

fn check(input: &[u8]) -> Outcome {
    static EMPTY_STATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let folder = super::folder();
        let state = folder.path().join("state.db");
        drop(store(&state, &Script::new(b"")));
        fs::read(state).expect("a state")
    });
    let folder = super::folder();
    let state = folder.path().join("state.db");
    fs::write(&state, &*EMPTY_STATE).expect("a state");
    let script = Script::new(input);
    let mut store = store(&state, &script);
    let outcome = write(&mut store).unwrap_or_else(|error| Outcome::new().text(&told(&error)));
    let outcome = read(&mut store)
        .map(|count| outcome.clone().size(count))
        .unwrap_or_else(|error| outcome.clone().text(&told(&error)));
    outcome.size(script.check())
}

fn store(state: &Path, script: &Arc<Script>) -> ServerStore {
    let mut policy = RetryPolicy::default();
    policy.attempts = 2;
    let client = FhirClient::new(script.client().retry(policy), BASE).expect("a client");
    let settings = ServerSettings::default().concurrency(1);
    ServerStore::open(state, client, settings).expect("a store")
}

fn write(store: &mut ServerStore) -> fhir_store::Result<Outcome> {
    let run = NewRun {
        id: "01JRUN",
        connection: None,
        kind: "load",
        source_system: "urn:source",
        started: 0,
    };
    store.start_run(&run)?;
    let context = WriteContext {
        source_system: "urn:source",
        organization: "Test",
        run: Some("01JRUN"),
        recorded: 1_767_323_045_678,
        ids: &Sha256Ids,
    };
    let body = |id: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"Kanarienvogel-7"}}]}}"#
        )
    };
    let (one, two) = (body("p1"), body("p2"));
    let put = |id: &'static str, body| Put {
        resource_type: "Patient",
        id,
        source_id: id,
        content_hash: [7; 32],
        body,
        identifiers: &[],
        remediations: &[],
        message: None,
        revert: false,
        line: None,
    };
    let batch = [put("p1", one.as_str()), put("p2", two.as_str())];
    let mut written = Vec::new();
    store.put(&context, &batch, &mut written)?;
    assert_eq!(written.len(), batch.len(), "every put has an outcome");
    let refusals = store.take_refusals();
    for refusal in &refusals {
        super::assert_silent(&format!("{refusal} {refusal:?}"));
    }
    let mut outcome = Outcome::new().size(refusals.len());
    for one in &written {
        outcome = outcome.with(format!("{one:?}"));
    }
    let gone = Delete {
        resource_type: "Patient",
        id: "p2",
        source_id: "p2",
        message: None,
    };
    let mut deleted = Vec::new();
    store.delete(&context, &[gone], &mut deleted)?;
    assert_eq!(deleted.len(), 1);
    store.flush()?;
    outcome = outcome.size(store.settle_writes("01JRUN")?.len());
    store.finish_run(
        "01JRUN",
        RunState::Completed,
        1,
        &Counts::default(),
        None,
        None,
    )?;
    super::assert_silent(&format!("{:?}", store.report()?));
    Ok(outcome)
}

fn read(store: &mut ServerStore) -> fhir_store::Result<usize> {
    let mut count = 0;
    for id in ["p1", "p2"] {
        let current = store.get("Patient", id)?;
        count += current
            .iter()
            .filter(|stored| stored.body.is_some())
            .count();
        for stored in current.iter().chain(&store.history("Patient", id)?) {
            super::assert_silent(&format!("{stored:?}"));
            if let Some(body) = &stored.body {
                serde_json::from_str::<serde_json::Value>(body).expect("a body is JSON");
            }
        }
    }
    Ok(count)
}
