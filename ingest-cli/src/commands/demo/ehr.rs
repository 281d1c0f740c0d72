use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ehr_sandbox::{Data, ExportSettings, RegisteredClient, Sandbox};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_serve::{Body, Limits, Server};
use ingest_pipeline::auth::SigningKey;
use ingest_pipeline::{Clock as _, SystemClock, causes};
use serde_json::json;

use crate::exit::{Exit, Failure};

const CLIENT: &str = "ingest-demo";
const TYPES: [&str; 10] = [
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
/// The same patients in every demo.
const SEED: u64 = 1;

/// The sandbox, and a server that publishes our keys to it.
pub(super) struct Ehr {
    sandbox: Sandbox,
    jwks: Server,
    key: PathBuf,
    pub(super) kid: String,
    pub(super) patients: usize,
}

impl Ehr {
    pub(super) fn start(patients: usize, folder: &Path) -> Result<Self, Failure> {
        let fail = |what: &str, error: &dyn std::error::Error| {
            Failure::new(Exit::Unexpected, format!("{what}: {}", causes(error)))
        };
        let key =
            SigningKey::generate_es384().map_err(|error| fail("no key can be made", &error))?;
        let file = folder.join("client.pem");
        write_private(&file, key.to_pem().expose())?;
        let key = SigningKey::from_pkcs8(key.expose_der())
            .map_err(|error| fail("the key can't be used", &error))?;
        let document = json!({ "keys": [key.public_jwk()] }).to_string();
        let jwks =
            publish(document).map_err(|error| fail("the keys can't be published", &error))?;
        let url = format!("http://{}/.well-known/jwks.json", jwks.local_addr());
        let mut export = ExportSettings::default();
        export.retry_after = None;
        let sandbox = Sandbox::builder()
            .data(Data::synthetic(SEED, patients))
            .client(RegisteredClient::new(CLIENT).jwks_url(url))
            .export(export)
            .start()
            .map_err(|error| fail("the sandbox can't start", &error))?;
        Ok(Self {
            kid: key.public_jwk().kid().to_owned(),
            sandbox,
            jwks,
            key: file,
            patients,
        })
    }

    pub(super) fn base(&self) -> String {
        self.sandbox.base()
    }

    pub(super) fn jwks_url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.jwks.local_addr())
    }

    /// What is in it.
    pub(super) fn data(&self) -> Data {
        self.sandbox.data()
    }

    /// Lets something change, and gives the number of resources that were
    /// deleted.
    pub(super) fn change(&self, percent: u8) -> usize {
        let now = SystemClock.now();
        self.sandbox.change_data(SEED, percent, now);
        self.sandbox
            .data()
            .expected_deletions(SystemTime::UNIX_EPOCH)
            .len()
    }

    /// How an operator would describe it.
    pub(super) fn configuration(&self, name: &str) -> String {
        let types: Vec<_> = TYPES.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "# Made by `ingest demo`. Its EHR is gone when the demo ends.\n\n\
             [store]\nsqlite = \"demo.db\"\n\n\
             [tenants.demo]\norganization = \"Demo Health\"\n\n\
             [connections.{name}]\ntenant = \"demo\"\nsite_name = \"Sandbox Hospital\"\n\
             fhir_base = \"{}\"\nclient_id = \"{CLIENT}\"\n\
             signing_key = {{ file = \"{}\", alg = \"ES384\" }}\n\
             scopes = [\"system/*.rs\"]\nlevel = \"system\"\ntypes = [{}]\n\
             source_system = \"urn:ingest:demo\"\n\n\
             [connections.{name}.bulk]\npoll_min = \"50ms\"\npoll_max = \"1s\"\n",
            self.base(),
            self.key.file_name().unwrap_or_default().display(),
            types.join(", ")
        )
    }
}

fn publish(document: String) -> http_serve::Result<Server> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::bind(address, Limits::default())?.serve(Arc::new(move |request: Request<Vec<u8>>| {
        if request.uri().path() != "/.well-known/jwks.json" {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
        let mut response = Response::new(Body::from(document.clone()));
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static("application/jwk-set+json"),
        );
        headers.insert(
            CACHE_CONTROL,
            http::HeaderValue::from_static("public, max-age=300"),
        );
        response
    }))
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            Failure::new(
                Exit::Unexpected,
                format!("cannot write {}: {error}", path.display()),
            )
        })
}
