mod conformance;
mod crashes;
mod drift;
mod faults;
mod ids;
mod real;
mod references;
mod refusals;
mod tagged;
mod traffic;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use ehr_sandbox::{Builder, Data, Sandbox, WriteSettings};
use fhir_http::testing::{FakeClock, FakeRandom};
use fhir_http::{Client, FhirClient, HttpClient};
use fhir_store::{
    Counts, Delete, DeleteOutcome, NewRun, Put, PutOutcome, ResourceStore as _, Result, RunState,
    RunStore as _, ServerSettings, ServerStore, Sha256Ids, WriteContext,
};
use serde_json::Value;

/// An open sandbox without data, in process.
fn sandbox(change: impl FnOnce(Builder) -> Builder) -> Sandbox {
    let builder = Sandbox::builder().open().data(Data::default()).writable();
    change(builder).in_process().expect("sandbox")
}

/// One that takes writes as `change` has it.
fn sandbox_with(change: impl FnOnce(&mut WriteSettings)) -> Sandbox {
    let mut settings = WriteSettings::default();
    change(&mut settings);
    sandbox(|builder| builder.writes(settings))
}

fn client(sandbox: &Sandbox) -> FhirClient {
    client_over(sandbox, Arc::new(sandbox.transport()))
}

fn client_over(sandbox: &Sandbox, transport: Arc<dyn HttpClient>) -> FhirClient {
    let clock = Arc::new(FakeClock::new(SystemTime::UNIX_EPOCH));
    let client = Client::new(transport, clock).random(Arc::new(FakeRandom::new(1)));
    FhirClient::new(client, &sandbox.base()).expect("client")
}

fn open(sandbox: &Sandbox, state: &Path) -> ServerStore {
    ServerStore::open(state, client(sandbox), ServerSettings::default()).expect("open")
}

fn context() -> WriteContext<'static> {
    WriteContext {
        source_system: "urn:test:a",
        organization: "Test",
        run: Some("01JRUN"),
        recorded: 1_767_323_045_678,
        ids: &Sha256Ids,
    }
}

/// A resource to put, with a text that is its content, and perhaps a subject.
#[derive(Clone, Debug)]
struct Sample {
    resource_type: &'static str,
    id: String,
    content: String,
    body: String,
}

impl Sample {
    fn new(resource_type: &'static str, id: impl Into<String>, content: &str) -> Self {
        Self::about(resource_type, id, content, "")
    }

    /// One with more members, each after a comma.
    fn about(
        resource_type: &'static str,
        id: impl Into<String>,
        content: &str,
        members: &str,
    ) -> Self {
        let id = id.into();
        let body = format!(
            r#"{{"resourceType":"{resource_type}","id":"{id}","text":{{"div":"{content}"}}{members}}}"#
        );
        Self {
            resource_type,
            id,
            content: content.to_owned(),
            body,
        }
    }

    /// With so many bytes more.
    fn padded(mut self, bytes: usize) -> Self {
        let id = format!(r#""id":"{}","#, self.id);
        let padding = format!(r#"{id}"language":"{}","#, "x".repeat(bytes));
        self.body = self.body.replace(&id, &padding);
        self
    }

    fn put(&self) -> Put<'_> {
        let mut content_hash = [0; 32];
        content_hash[..self.content.len()].copy_from_slice(self.content.as_bytes());
        Put {
            resource_type: self.resource_type,
            id: &self.id,
            source_id: &self.id,
            content_hash,
            body: &self.body,
            identifiers: &[],
            remediations: &[],
            message: None,
            revert: false,
            line: None,
        }
    }
}

fn patients(ids: std::ops::Range<usize>, content: &str) -> Vec<Sample> {
    ids.map(|id| Sample::new("Patient", format!("p{id}"), content))
        .collect()
}

fn put(store: &mut ServerStore, samples: &[Sample]) -> Result<Vec<PutOutcome>> {
    let batch: Vec<_> = samples.iter().map(Sample::put).collect();
    let mut outcomes = Vec::new();
    store.put(&context(), &batch, &mut outcomes)?;
    Ok(outcomes)
}

/// What the server was not told comes out with the next call.
fn put_in_vain(store: &mut ServerStore, samples: &[Sample]) -> fhir_store::Error {
    put(store, samples).expect("they are in the state");
    store.flush().expect_err("the server was not told")
}

fn delete(store: &mut ServerStore, resource_type: &str, id: &str) -> Result<DeleteOutcome> {
    let batch = [Delete {
        resource_type,
        id,
        source_id: id,
        message: None,
    }];
    let mut outcomes = Vec::new();
    store.delete(&context(), &batch, &mut outcomes)?;
    Ok(outcomes[0])
}

/// Ends a run, so that what was held is tried again and bodies are forgotten.
fn finish(store: &mut ServerStore, run: &str) -> Result<()> {
    store.start_run(&NewRun {
        id: run,
        connection: None,
        kind: "load",
        source_system: "urn:test:a",
        started: 0,
    })?;
    store.finish_run(run, RunState::Completed, 1, &Counts::default(), None, None)
}

/// What is on the server, by our `Type/id`.
fn on_server(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let data = sandbox.data();
    let mut found = BTreeMap::new();
    for own in data.resources() {
        let resource: Value = serde_json::from_str(own.json()).expect("JSON");
        let name = match tagged::tag(&resource) {
            Some(name) => name.to_owned(),
            None => format!("{}/{}", own.resource_type(), own.id()),
        };
        let twin = found.insert(name, resource);
        assert!(twin.is_none(), "{:?} is there twice", twin);
    }
    found
}

/// Content of a resource on the server.
fn content(sandbox: &Sandbox, name: &str) -> Option<String> {
    let found = on_server(sandbox);
    let text = found.get(name)?["text"]["div"].as_str()?;
    Some(text.to_owned())
}

/// Checks that the server has everything the store says it has, and one Provenance for each version, no more.
fn assert_whole(sandbox: &Sandbox, store: &mut ServerStore) {
    let mut found = on_server(sandbox);
    let current = store.scan(None, 0, usize::MAX).expect("scan");
    for stored in current {
        let name = format!("{}/{}", stored.resource_type, stored.id);
        let resource = found.remove(&name);
        let there = resource.as_ref().map_or(name.clone(), |resource| {
            let id = resource["id"].as_str().expect("id");
            format!("{}/{id}", stored.resource_type)
        });
        assert_eq!(resource.is_some(), !stored.deleted, "{name}");
        if let (Some(resource), Some(body)) = (&resource, &stored.body) {
            let ours: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(resource["text"], ours["text"], "{name}");
        }
        let history = store.history(&stored.resource_type, &stored.id);
        let mut history = history.expect("history").into_iter();
        let was_deleted = history.any(|version| version.deleted);
        for version in 1..=stored.version {
            let provenance = store
                .provenance(&stored.resource_type, &stored.id, version)
                .expect("provenance")
                .expect("every version has one");
            let ours: Value = serde_json::from_slice(&provenance).expect("JSON");
            let id = ours["id"].as_str().expect("id");
            let theirs = found
                .remove(&format!("Provenance/{id}"))
                .unwrap_or_else(|| panic!("no Provenance of {name} version {version}"));
            for member in ["recorded", "activity", "agent", "entity", "extension"] {
                assert_eq!(theirs[member], ours[member], "{member} of {name}");
            }
            // On a server that gives the ids, what comes back has another one.
            if !was_deleted {
                assert_eq!(theirs["target"][0]["reference"], there.as_str());
            }
        }
    }
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [""; 0], "left over");
    let report = store.report().expect("report");
    assert_eq!(report.unresolved, []);
}
