//! An EHR on loopback, and a folder with a configuration that knows it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ehr_sandbox::{
    Builder, Data, ExportSettings, FaultPlan, Files, RegisteredClient, Sandbox as Ehr, Where,
};
use fhir_http::{Clock as _, SystemClock};
use serde_json::{Value, json};
use smart_auth::{Algorithm, PrivateKey};

use crate::util::{Ran, Sandbox, assert_balances, open, query};

/// The client that the EHR knows.
pub(crate) const CLIENT: &str = "e2e-client";

/// What is exported: everything that synthetic data has.
pub(crate) const TYPES: [&str; 10] = [
    "Patient",
    "Encounter",
    "Observation",
    "Condition",
    "MedicationRequest",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "DocumentReference",
];

/// The state database, beside the store.
const STATE: &str = "ingest.state.db";

/// Made once, for it takes a while.
static KEY: LazyLock<(String, String)> = LazyLock::new(key);

/// A private key as PEM, and the JWK Set with its public half.
pub(crate) fn key() -> (String, String) {
    let private = PrivateKey::generate_p384().expect("a key");
    let public = private.public_jwk(Algorithm::Es384).expect("P-384");
    let jwks = json!({ "keys": [public] }).to_string();
    (private.to_pem().expose().to_owned(), jwks)
}

/// An EHR and one that ingests from it; the connection is called `c`.
pub(crate) struct Site {
    pub(crate) ehr: Ehr,
    pub(crate) folder: Sandbox,
}

impl Site {
    /// With this data, and exports that are ready at the second look.
    pub(crate) fn new(data: Data) -> Self {
        Self::with(data, export())
    }

    pub(crate) fn with(data: Data, export: ExportSettings) -> Self {
        Self::built(Ehr::builder().data(data).export(export))
    }

    pub(crate) fn built(builder: Builder) -> Self {
        let client = RegisteredClient::new(CLIENT).jwks(KEY.1.clone());
        Self::of(builder.client(client).start().expect("an EHR"))
    }

    /// With an EHR that knows its clients already.
    pub(crate) fn of(ehr: Ehr) -> Self {
        let site = Self {
            ehr,
            folder: Sandbox::new(),
        };
        site.sign_with(&KEY.0);
        site.configure("", "");
        site
    }

    /// Signs with this key from now on, which only its owner may read.
    pub(crate) fn sign_with(&self, pem: &str) {
        let path = self.folder.write("client.pem", pem);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(path, mode).expect("a mode");
        }
        #[cfg(not(unix))]
        drop(path);
    }

    /// Writes the configuration, with more in the tables of the connection
    /// and of its exports. Nothing waits for long.
    pub(crate) fn configure(&self, connection: &str, bulk: &str) {
        let base = self.ehr.base();
        let unless = |own: &str, key: &str, default: String| {
            if own.lines().any(|line| line.starts_with(key)) {
                String::new()
            } else {
                format!("{key} = {default}")
            }
        };
        let types = unless(connection, "types", json!(TYPES).to_string());
        let scopes = unless(connection, "scopes", "[\"system/*.rs\"]".to_owned());
        let poll_min = unless(bulk, "poll_min", "\"10ms\"".to_owned());
        let poll_max = unless(bulk, "poll_max", "\"50ms\"".to_owned());
        self.folder.write(
            "ingest.toml",
            format!(
                "[store]\nsqlite = \"ingest.db\"\n\
                 [connections.c]\nfhir_base = \"{base}\"\nclient_id = \"{CLIENT}\"\n\
                 signing_key = {{ file = \"client.pem\" }}\nlevel = \"system\"\n\
                 source_system = \"urn:test:ehr\"\n{scopes}\n{types}\n{connection}\n\
                 [connections.c.http]\nconnect_timeout = \"5s\"\nfirst_byte_timeout = \"30s\"\n\
                 read_timeout = \"30s\"\nretries = 2\n\
                 [connections.c.bulk]\n{poll_min}\n{poll_max}\n{bulk}\n"
            ),
        );
    }

    /// `ingest bulk c --json` and more arguments.
    pub(crate) fn bulk(&self, arguments: &[&str]) -> Ran {
        self.folder
            .run(["bulk", "c", "--json"].iter().chain(arguments))
    }

    /// A run that has to be completed: its summary.
    #[track_caller]
    pub(crate) fn completes(&self, arguments: &[&str]) -> Value {
        let summary = self.bulk(arguments).exits(0).json();
        assert_balances(&summary);
        assert_eq!(summary["state"], "completed", "{summary}");
        summary
    }

    /// Lets things change at the EHR, later than all exports before.
    pub(crate) fn change(&self, seed: u64, percent: u8) {
        self.ehr.change_data(seed, percent, SystemClock.now());
    }

    /// Nothing goes wrong any more.
    pub(crate) fn mend(&self) {
        self.ehr.set_faults(FaultPlan::none());
    }

    pub(crate) fn faults(&self, texts: &[&str]) {
        self.ehr
            .set_faults(FaultPlan::of(texts).expect("a fault's text"));
    }

    /// What `ingest status` says about the connection.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let mut status = self.folder.run(["status", "--json"]).exits(0).json();
        let found = status["connections"][0].take();
        assert_eq!(found["name"], "c");
        found
    }

    pub(crate) fn watermark(&self) -> Option<String> {
        self.status()["watermark"].as_str().map(str::to_owned)
    }

    /// `_since` of the kick-offs so far, decoded.
    pub(crate) fn sinces(&self) -> Vec<Option<String>> {
        let requests = self.ehr.requests();
        let kick_offs = requests
            .iter()
            .filter(|request| request.place == Some(Where::KickOff));
        let since = |query: &str| {
            let value = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("_since="))?;
            Some(value.replace("%3A", ":").replace("%2B", "+"))
        };
        kick_offs
            .map(|request| request.query.as_deref().and_then(since))
            .collect()
    }

    /// Ids of the exports whose files were asked for.
    pub(crate) fn exports(&self) -> Vec<String> {
        let mut ids: Vec<_> = self
            .ehr
            .requests()
            .iter()
            .filter_map(|request| {
                let mut parts = request.path.strip_prefix("/bulk/")?.split('/');
                parts.next().map(str::to_owned)
            })
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether the EHR was told to delete an export.
    pub(crate) fn is_deleted(&self, export: &str) -> bool {
        self.ehr
            .requests()
            .iter()
            .any(|request| request.place == Some(Where::Delete) && request.path.ends_with(export))
    }

    /// Numbers of the files that were asked for.
    pub(crate) fn asked(&self) -> BTreeSet<usize> {
        let requests = self.ehr.requests();
        let numbers = requests.iter().filter_map(|request| match request.place {
            Some(Where::File(Files::Number(number))) => Some(number),
            _ => None,
        });
        numbers.collect()
    }

    /// Numbers of the files that the state database has as downloaded.
    pub(crate) fn downloaded(&self) -> BTreeSet<usize> {
        let path = self.folder.path(STATE);
        if !path.exists() {
            return BTreeSet::new();
        }
        let reader = open(&path);
        if reader.prepare("SELECT name FROM file").is_err() {
            return BTreeSet::new();
        }
        let names = query(&reader, "SELECT name FROM file");
        let number = |name: &String| name.split('.').nth(1)?.parse().ok();
        names.iter().filter_map(number).collect()
    }

    #[track_caller]
    pub(crate) fn assert_no_token_elsewhere(&self) {
        for request in self.ehr.requests() {
            let leaked = request.elsewhere && request.authorized;
            assert!(!leaked, "a token at the other origin: {}", request.path);
        }
    }
}

/// Small files, and no waits that the server asks for.
pub(crate) fn export() -> ExportSettings {
    let mut settings = ExportSettings::default();
    settings.retry_after = None;
    settings.resources_per_file = 20;
    settings
}
