//! A sandbox without sockets, and configurations of connections to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ehr_sandbox::{Builder, Sandbox};
use fhir_http::testing::FakeClock;
use fhir_http::{HttpClient, Interrupt, SystemRandom};
use http::Request;
use ingest_pipeline::auth::SigningKey;
use ingest_pipeline::config::{Config, ConnectionSettings};
use ingest_pipeline::connect::{Connected, Surroundings};
use ingest_pipeline::{Error, causes};

pub(crate) const RSA: &str = include_str!("../data/rsa2048.pem");
/// It is in every secret here, and in no message.
pub(crate) const CANARY: &str = "kanarienvogel";
pub(crate) const BASE: &str = "https://ehr.example/r4";

pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn rsa() -> SigningKey {
    SigningKey::parse(RSA.as_bytes()).unwrap()
}

pub(crate) fn jwks(key: &SigningKey) -> String {
    serde_json::json!({ "keys": [key.public_jwk()] }).to_string()
}

/// A folder with files, and the connection of a configuration in it.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// A configuration whose last lines are these.
    pub(crate) fn settings(&self, base: &str, lines: &str) -> ConnectionSettings {
        self.write(
            "ingest.toml",
            &format!(
                "[tenants.t]\nkeys = \"ring\"\nkey_file = \"ring.key\"\n\
                 [connections.c]\nfhir_base = \"{base}\"\nscopes = [\"system/Patient.rs\"]\n{lines}\n"
            ),
        );
        let config = Config::read(&self.0.path().join("ingest.toml")).expect(lines);
        config.connection("c").expect(lines)
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

pub(crate) fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some(format!("{CANARY}:&%\n")),
        "TWO_LINES" => Some(format!("{CANARY}\n{CANARY}")),
        "PROXY" => Some(format!("us/er:{CANARY}@:%41#")),
        _ => None,
    }
}

pub(crate) fn around(
    clock: &Arc<FakeClock>,
    transport: Option<Arc<dyn HttpClient>>,
) -> Surroundings {
    Surroundings {
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        interrupt: Interrupt::new(),
        env,
        transport,
    }
}

/// A sandbox and its clock.
pub(crate) struct Site {
    pub(crate) files: Files,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<FakeClock>,
}

impl Site {
    pub(crate) fn new(build: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(FakeClock::new(start()));
        let builder = build(Sandbox::builder().clock(clock.clone()));
        Self {
            files: Files::new(),
            sandbox: builder.in_process().unwrap(),
            clock,
        }
    }

    pub(crate) fn settings(&self, lines: &str) -> ConnectionSettings {
        self.files.settings(&self.sandbox.base(), lines)
    }

    pub(crate) fn around(&self) -> Surroundings {
        around(&self.clock, Some(Arc::new(self.sandbox.transport())))
    }

    pub(crate) fn connect(&self, lines: &str) -> Connected {
        Connected::new(&self.settings(lines), &self.around()).expect(lines)
    }
}

/// Whether patients can be searched for.
pub(crate) fn works(site: &Site, client: &fhir_http::Client) -> bool {
    let request = Request::get(format!("{}/Patient", site.sandbox.base()));
    let response = client.send(request.body(Vec::new()).unwrap()).unwrap();
    response.status().is_success()
}

/// Connects to nowhere in particular.
pub(crate) fn refused(files: &Files, lines: &str) -> Error {
    let clock = Arc::new(FakeClock::new(start()));
    let settings = files.settings(BASE, lines);
    let error = match Connected::new(&settings, &around(&clock, None)) {
        Ok(_) => panic!("{lines} is taken"),
        Err(error) => error,
    };
    let shown = format!("{error:?} {} {settings:?}", causes(&error));
    assert!(!shown.contains(CANARY), "{shown}");
    error
}
