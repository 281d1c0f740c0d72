//! The server as a child process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fhir_http::{
    Authorize, BoxError, Client, FhirClient, Interrupt, Origin, RetryPolicy, SystemClock,
    UreqClient, UreqConfig,
};
use http::{HeaderValue, header, request};
use serde_json::{Value, json};

use crate::content;
use crate::keys::Key;

/// A running server; it ends when this is dropped.
pub(crate) struct Sekmet {
    process: Child,
    log: PathBuf,
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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        fs::write(folder.join(SETTINGS), settings(port, keys)).expect("a file");
        let log = folder.join(LOG);
        let output = File::create(&log).expect("a file");
        let mut command = Command::new(python);
        command
            .args(["-m", "sekmet.cli", "serve", "--config", SETTINGS])
            .current_dir(folder)
            // Its log is read while it runs.
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output);
        for name in ["BASE_URL", "CONFIG", "DB", "PORT", "PUBLIC_URL"] {
            command.env_remove(format!("SEKMET_{name}"));
        }
        let mut server = Self {
            process: command.spawn().expect("the Python that was installed"),
            log,
            client: writer(&format!("http://127.0.0.1:{port}/fhir")),
        };
        server.answers().then_some(server)
    }

    fn answers(&mut self) -> bool {
        const LOOKS: usize = 600;
        const PAUSE: Duration = Duration::from_millis(100);
        for _ in 0..LOOKS {
            if self.client.capabilities().is_ok() {
                return true;
            }
            let ended = self.process.try_wait().expect("a state").is_some();
            if ended || !Interrupt::new().sleep(&SystemClock, PAUSE) {
                return false;
            }
        }
        false
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
        let log = fs::read_to_string(&self.log).expect("its log");
        let lines = log.lines();
        lines
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .count()
    }
}

impl Drop for Sekmet {
    fn drop(&mut self) {
        // It fails for one that has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
            "scopes": "system/*.rs",
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
fn writer(base: &str) -> FhirClient {
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
