//! A site with an EHR, a store and a clock of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ehr_sandbox::{Builder, Data, RegisteredClient, Sandbox};
use fhir_http::SystemRandom;
use fhir_http::testing::FakeClock;
use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::config::{Config, ConnectionSettings};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::fetch::{
    self, FetchError, FetchOptions, FetchRequest, Fetcher, Gathered, InStore, PatientKey,
};
use ingest_pipeline::store::{SqliteStore, Stored};
use ingest_pipeline::{Interrupt, RunSummary};
use serde_json::Value;

use crate::site::start;
use crate::support::content;

/// Types that a fetch reads by patient, and those it follows to.
pub(super) const TYPES: [&str; 9] = [
    "Patient",
    "Encounter",
    "Observation",
    "Condition",
    "MedicationRequest",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
];

pub(super) struct Site {
    pub(super) folder: tempfile::TempDir,
    pub(super) sandbox: Sandbox,
    pub(super) clock: Arc<FakeClock>,
    pub(super) settings: ConnectionSettings,
}

impl Site {
    /// Ten invented patients.
    pub(super) fn new(configuration: &str) -> Self {
        Self::with(|builder| builder, configuration)
    }

    /// `configuration` goes into the connection's table, or begins others.
    pub(super) fn with(build: impl FnOnce(Builder) -> Builder, configuration: &str) -> Self {
        let clock = Arc::new(FakeClock::new(start()));
        let builder = Sandbox::builder()
            .data(Data::synthetic(7, 10))
            .client(RegisteredClient::new("c").secret("s3cret"))
            .clock(clock.clone());
        let sandbox = build(builder).in_process().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
        let text = format!(
            "[connections.c]\nfhir_base = \"{}\"\nclient_id = \"c\"\n\
             client_secret = {{ file = \"secret\" }}\nscope_syntax = \"v2\"\n\
             mrn_system = \"{}\"\n{configuration}",
            sandbox.base(),
            Data::MRN_SYSTEM
        );
        let file = folder.path().join("ingest.toml");
        std::fs::write(&file, text).unwrap();
        let settings = Config::read(&file).unwrap().connection("c").unwrap();
        Self {
            folder,
            sandbox,
            clock,
            settings,
        }
    }

    /// An EHR with these resources, one a line.
    pub(super) fn of(lines: &[String], configuration: &str) -> Self {
        Self::with(|builder| builder.data(data(lines)), configuration)
    }

    pub(super) fn around(&self) -> Surroundings {
        Surroundings {
            clock: self.clock.clone(),
            random: Arc::new(SystemRandom),
            interrupt: Interrupt::new(),
            env: |_| None,
            transport: Some(Arc::new(self.sandbox.transport())),
        }
    }

    pub(super) fn fetcher(&self) -> Fetcher {
        let options = FetchOptions::new(self.folder.path());
        Fetcher::new(&self.settings, &self.around(), options).unwrap()
    }

    pub(super) fn db(&self) -> PathBuf {
        self.folder.path().join("site.db")
    }

    pub(super) fn store(&self) -> SqliteStore {
        SqliteStore::open(self.db()).unwrap()
    }

    pub(super) fn gather(&self, request: &FetchRequest) -> Result<Gathered, FetchError> {
        let fetcher = self.fetcher();
        let known = InStore::read(&SqliteFile(self.db()), fetcher.normalize()).unwrap();
        fetcher.gather(request, &known)
    }

    pub(super) fn load(&self, gathered: &[Gathered]) -> RunSummary {
        let around = self.around();
        let options = self.fetcher().load_options(around.run_id());
        fetch::load(options, gathered)
            .run(&mut self.store(), &*self.clock, &mut ())
            .unwrap()
    }

    /// Fetches and stores.
    pub(super) fn fetch(&self, request: &FetchRequest) -> RunSummary {
        self.load(&[self.gather(request).unwrap()])
    }

    pub(super) fn fetch_patient(&self, id: &str) -> RunSummary {
        self.fetch(&by_id(id))
    }

    /// Current versions: type, id and body.
    pub(super) fn current(&self) -> Vec<(String, String, String)> {
        current(&self.db())
    }

    pub(super) fn stored(&self, resource_type: &str, id: &str) -> Option<Stored> {
        use ingest_pipeline::store::ResourceStore as _;
        self.store().get(resource_type, id).unwrap()
    }

    pub(super) fn body(&self, resource_type: &str, id: &str) -> Value {
        let stored = self.stored(resource_type, id).expect(id);
        serde_json::from_str(&stored.body.expect(id)).unwrap()
    }

    /// Versions of a resource, and the values of the sources of each.
    pub(super) fn versions(&self, resource_type: &str, id: &str) -> Vec<Vec<String>> {
        use ingest_pipeline::store::ResourceStore as _;
        let mut store = self.store();
        let history = store.history(resource_type, id).unwrap();
        let mut versions = Vec::new();
        for stored in history {
            let provenance = store.provenance(resource_type, id, stored.version).unwrap();
            let provenance: Value = serde_json::from_slice(&provenance.unwrap()).unwrap();
            let entities = provenance["entity"].as_array().unwrap().iter();
            versions.push(
                entities
                    .map(|entity| {
                        let what = &entity["what"];
                        let value = what["identifier"]["value"].as_str().unwrap_or_default();
                        let display = what["display"].as_str().unwrap_or_default();
                        format!("{value} {display}").trim().to_owned()
                    })
                    .collect(),
            );
        }
        versions
    }

    /// Queries of the searches of a type so far.
    pub(super) fn searches(&self, resource_type: &str) -> Vec<String> {
        let requests = self.sandbox.requests();
        let of_type = requests.iter().filter(|request| {
            request.resource_type() == Some(resource_type) && request.query.is_some()
        });
        of_type
            .filter_map(|request| request.query.clone())
            .collect()
    }

    /// Ids of the reads of a type so far.
    pub(super) fn reads(&self, resource_type: &str) -> Vec<String> {
        let prefix = format!("/fhir/{resource_type}/");
        let requests = self.sandbox.requests();
        let ids = requests
            .iter()
            .filter_map(|request| request.path.strip_prefix(&prefix).map(str::to_owned));
        ids.collect()
    }
}

/// Current versions in a store: type, id and body.
pub(super) fn current(db: &Path) -> Vec<(String, String, String)> {
    let mut store = SqliteStore::open(db).unwrap();
    let mut all = BTreeMap::new();
    for (kind, id, _, deleted, body) in content(&mut store) {
        assert!(!deleted, "nothing here deletes");
        all.insert((kind, id), body);
    }
    let flat = |((kind, id), body)| (kind, id, body);
    all.into_iter().map(flat).collect()
}

pub(super) fn data(lines: &[String]) -> Data {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.ndjson"), lines.join("\n")).unwrap();
    Data::from_ndjson_folder(folder.path()).unwrap()
}

pub(super) fn by_id(id: &str) -> FetchRequest {
    FetchRequest::new(PatientKey::Id(id.to_owned()))
}

pub(super) fn mrn(value: &str) -> PatientKey {
    PatientKey::Identifier {
        system: Some(Data::MRN_SYSTEM.to_owned()),
        value: value.to_owned(),
    }
}

pub(super) fn by_mrn(value: &str) -> FetchRequest {
    FetchRequest::new(mrn(value))
}

/// A Patient with a medical record number and these members.
pub(super) fn patient(id: &str, mrn: &str, members: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","meta":{{"lastUpdated":"2026-01-01T00:00:00Z"}},"identifier":[{{"system":"{}","value":"{mrn}"}}]{members}}}"#,
        Data::MRN_SYSTEM
    )
}

/// An Encounter of a patient with these members.
pub(super) fn encounter(id: &str, patient: &str, members: &str) -> String {
    format!(
        r#"{{"resourceType":"Encounter","id":"{id}","meta":{{"lastUpdated":"2026-01-01T00:00:00Z"}},"status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/{patient}"}}{members}}}"#
    )
}
