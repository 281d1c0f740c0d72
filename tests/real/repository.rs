//! Servers that can be the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fhir_http::{Client, FhirClient, RetryPolicy, Search, SystemClock, UreqClient, UreqConfig};
use serde_json::Value;

use crate::keys::{self, Key};
use crate::process::{Process, free_port};
use crate::sekmet;

/// A FHIR server that resources are written to. It checks what it is given.
pub(crate) struct Repository {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    client: FhirClient,
    process: Option<Process>,
}

/// Which server.
pub(crate) enum Kind {
    /// sekmet-fhir, whose clients need a token to write.
    Sekmet { python: PathBuf, key: Box<Key> },
    /// helios-hfs, open to everybody.
    Helios { binary: PathBuf },
}

impl Repository {
    /// sekmet-fhir with an empty store.
    pub(crate) fn sekmet(python: &Path, folder: &Path) -> Result<Self, String> {
        let key = keys::writer(folder)?;
        let port = free_port();
        sekmet::configure(folder, port, std::slice::from_ref(&key));
        let kind = Kind::Sekmet {
            python: python.to_owned(),
            key: Box::new(key),
        };
        let client = sekmet::writer(&format!("http://127.0.0.1:{port}/fhir"));
        Ok(Self::started(kind, folder, port, client))
    }

    /// helios-hfs with an empty store. Without the file of search parameters it
    /// takes no search but those by id.
    pub(crate) fn helios(binary: &Path, folder: &Path) -> Self {
        let parameters = Path::new(env!("CARGO_MANIFEST_DIR")).join("real");
        let data = folder.join("data");
        fs::create_dir_all(&data).expect("a folder");
        fs::copy(
            parameters.join("search-parameters.json"),
            data.join("search-parameters-r4.json"),
        )
        .expect("the search parameters");
        let port = free_port();
        let transport = UreqClient::new(&UreqConfig::default()).expect("a transport");
        let client = Client::new(
            std::sync::Arc::new(transport),
            std::sync::Arc::new(SystemClock),
        )
        .retry(RetryPolicy::none());
        let base = format!("http://127.0.0.1:{port}");
        let client = FhirClient::new(client, &base).expect("a base");
        let kind = Kind::Helios {
            binary: binary.to_owned(),
        };
        Self::started(kind, folder, port, client)
    }

    fn started(kind: Kind, folder: &Path, port: u16, client: FhirClient) -> Self {
        let mut server = Self {
            kind,
            folder: folder.to_owned(),
            port,
            client,
            process: None,
        };
        server.start();
        server
    }

    /// Starts it with the data it has.
    pub(crate) fn start(&mut self) {
        let log = self.folder.join("repository.log");
        let process = Process::start(self.command(), &log, &self.client);
        self.process = Some(process.unwrap_or_else(|| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            panic!("the server doesn't start:\n{log}")
        }));
    }

    /// Without a chance to do anything.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    fn command(&self) -> Command {
        match &self.kind {
            Kind::Sekmet { python, .. } => sekmet::command(python, &self.folder),
            Kind::Helios { binary } => {
                let mut command = Command::new(binary);
                let database = self.folder.join("fhir.db");
                command
                    .current_dir(&self.folder)
                    .env("HFS_SERVER_HOST", "127.0.0.1")
                    .env("HFS_SERVER_PORT", self.port.to_string())
                    .env("HFS_BASE_URL", self.client.base())
                    .env("HFS_DATA_DIR", self.folder.join("data"))
                    .env("HFS_DATABASE_URL", &database)
                    .env("DATABASE_URL", &database)
                    .env("HFS_SEED_CONFORMANCE", "false")
                    .env("HFS_VALIDATION_MODE", "enforce")
                    // Its log has the requests.
                    .env("HFS_LOG_LEVEL", "warn,helios_rest=debug");
                command
            }
        }
    }

    /// A client that may write.
    pub(crate) const fn client(&self) -> &FhirClient {
        &self.client
    }

    /// `[store]` of a configuration, and the key that it names.
    pub(crate) fn table(&self) -> String {
        let base = self.client.base();
        match &self.kind {
            Kind::Sekmet { key, .. } => format!(
                "[store]\nfhir = \"{base}\"\nclient_id = \"{}\"\n\
                 signing_key = {{ file = \"{}\", alg = \"{}\" }}\n",
                key.client_id(),
                key.private.display(),
                key.algorithm
            ),
            Kind::Helios { .. } => format!("[store]\nfhir = \"{base}\"\n"),
        }
    }

    /// How many requests to write it was sent since it was started first.
    pub(crate) fn writes(&self) -> usize {
        let process = self.process.as_ref().expect("it runs");
        let logged = |parts: &[&str]| process.logged(parts);
        match &self.kind {
            Kind::Sekmet { .. } => ["POST", "PUT", "DELETE", "PATCH"]
                .iter()
                .map(|method| logged(&[&format!("\"{method} /fhir")]))
                .sum(),
            Kind::Helios { .. } => ["batch", "create", "update", "delete", "patch"]
                .iter()
                .map(|handler| logged(&[&format!("handlers::{handler}: Processing ")]))
                .sum(),
        }
    }

    /// Whether the digits of a number are given back as they came.
    pub(crate) const fn keeps_digits(&self) -> bool {
        matches!(self.kind, Kind::Helios { .. })
    }

    /// Every Provenance: what it is about, with its version.
    pub(crate) fn provenances(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        let search = Search::new("Provenance").count(200);
        for page in self.client.search(&search).expect("a search") {
            for entry in page.expect("a page").entries {
                let one: Value = serde_json::from_str(entry.resource.get()).expect("JSON");
                let target = one["target"][0]["reference"].as_str().expect("a target");
                let extensions = one["extension"].as_array().expect("extensions");
                let version = extensions
                    .iter()
                    .find(|it| it["url"] == "urn:ingest:version");
                let version = version.and_then(|it| it["valueInteger"].as_u64());
                found.push((target.to_owned(), version.expect("a version")));
            }
        }
        found
    }
}
