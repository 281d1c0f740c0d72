//! sekmet-fhir, which exports and takes writes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use fhir_http::{
    Authorize, BoxError, Client, FhirClient, Origin, RetryPolicy, SystemClock, UreqClient,
    UreqConfig,
};
use http::{HeaderValue, header, request};
use serde_json::{Value, json};

use crate::content;
use crate::keys::Key;
use crate::process::{Process, free_port};

/// A running server; it ends when this is dropped.
pub(crate) struct Sekmet {
    process: Process,
    client: FhirClient,
}

impl Sekmet {
    /// Starts an empty server whose clients may read, and waits until it answers.
    pub(crate) fn start(python: &Path, folder: &Path, keys: &[Key]) -> Self {
        const TRIES: usize = 3;
        // Between the choice of a port and its use another process may take it.
        let started = (0..TRIES).find_map(|_| Self::try_start(python, folder, keys));
        started.unwrap_or_else(|| {
            let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
            panic!("sekmet-fhir doesn't start:\n{log}")
        })
    }

    fn try_start(python: &Path, folder: &Path, keys: &[Key]) -> Option<Self> {
        let port = free_port();
        configure(folder, port, keys);
        let client = writer(&format!("http://127.0.0.1:{port}/fhir"));
        let process = Process::start(command(python, folder), &folder.join(LOG), &client)?;
        Some(Self { process, client })
    }

    /// Its FHIR base URL.
    pub(crate) fn base(&self) -> &str {
        self.client.base()
    }

    /// Puts resources into it, as new ones or as new versions.
    pub(crate) fn put(&self, resources: &[&Value]) {
        const IN_A_TRANSACTION: usize = 100;
        for slice in resources.chunks(IN_A_TRANSACTION) {
            let entries: Vec<Value> = slice.iter().map(|resource| entry(resource)).collect();
            let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
            let answers = self.client.transaction(bundle.to_string().into_bytes());
            let answers = answers.expect("the server takes all of it");
            assert_eq!(answers.len(), slice.len());
            assert!(
                answers.iter().all(|answer| answer.status.is_success()),
                "{answers:?}"
            );
        }
    }

    /// How many requests it has answered whose lines in its log hold all of
    /// these.
    pub(crate) fn answered(&self, parts: &[&str]) -> usize {
        self.process.logged(parts)
    }
}

/// Writes its settings.
pub(crate) fn configure(folder: &Path, port: u16, keys: &[Key]) {
    fs::write(folder.join(SETTINGS), settings(port, keys)).expect("a file");
}

/// Starts it with the settings and the data of the folder.
pub(crate) fn command(python: &Path, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-m", "sekmet.cli", "serve", "--config", SETTINGS])
        .current_dir(folder)
        // Its log is read while it runs.
        .env("PYTHONUNBUFFERED", "1");
    for name in ["BASE_URL", "CONFIG", "DB", "PORT", "PUBLIC_URL"] {
        command.env_remove(format!("SEKMET_{name}"));
    }
    command
}

const SETTINGS: &str = "settings.yaml";
const LOG: &str = "server.log";
const TOKEN: &str = "writer";

/// JSON, which is YAML as well. Its tokens live 60 s and its exports take a
/// moment, so that they are seen in progress.
fn settings(port: u16, keys: &[Key]) -> String {
    let client = |key: &Key| {
        json!({
            "client_id": key.client_id(),
            "public_key_path": key.public,
            "scopes": key.granted,
        })
    };
    let settings = json!({
        "base_url": format!("http://127.0.0.1:{port}/fhir"),
        "host": "127.0.0.1",
        "port": port,
        "data_dir": "data",
        "log_inbound": false,
        "simulator": {"enabled": false, "delay_seconds": 0.5},
        "server_auth": {
            "types": ["smart", "bearer"],
            "tokens": [TOKEN],
            "token_lifetime": 60,
            "smart_clients": keys.iter().map(client).collect::<Vec<_>>(),
        },
    });
    settings.to_string()
}

/// A client that may write, as those of `ingest` may not.
pub(crate) fn writer(base: &str) -> FhirClient {
    let transport = UreqClient::new(&UreqConfig::default()).expect("a transport");
    let origin = Origin::of(&base.parse().expect("a URL")).expect("a loopback address");
    let client = Client::new(Arc::new(transport), Arc::new(SystemClock))
        .retry(RetryPolicy::none())
        .authorized(origin, Arc::new(Writer));
    FhirClient::new(client, base).expect("a base")
}

struct Writer;

impl Authorize for Writer {
    fn authorize(&self, request: &mut request::Parts) -> Result<(), BoxError> {
        let value = HeaderValue::try_from(format!("Bearer {TOKEN}"))?;
        request.headers.insert(header::AUTHORIZATION, value);
        Ok(())
    }
}

fn entry(resource: &Value) -> Value {
    json!({"resource": resource, "request": {"method": "PUT", "url": content::key(resource)}})
}
