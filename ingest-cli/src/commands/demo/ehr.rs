use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ehr_sandbox::adt::{Day, Event};
use ehr_sandbox::{Data, ExportSettings, RegisteredClient, Sandbox};
use ingest_pipeline::jwks::{
    self, Algorithm, DirectoryStore, KeyStore, NewKey, PrivateKey, Publisher, Reload, RingSecret,
    RotationPolicy, Secret, Service, Tenant,
};
use ingest_pipeline::{Clock as _, Error, SystemClock, causes};

use crate::context;
use crate::exit::{Exit, Failure};

const CLIENT: &str = "ingest-demo";
const TENANT: &str = "demo";
/// Folder of the key ring, and the file with the key that opens it.
const KEYS: &str = "keys";
const KEY_FILE: &str = "ring.key";
/// Who changes the ring, in its audit log.
const ACTOR: &str = "ingest demo";
const LEAD_TIME: Duration = Duration::from_secs(60 * 60);
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
pub(super) const SEED: u64 = 1;

/// The sandbox, and the keys of its client with a server that publishes them.
pub(super) struct Ehr {
    sandbox: Sandbox,
    keys: DirectoryStore,
    jwks: Service,
    /// The key that signs first, and the one after it.
    pub(super) kids: [String; 2],
    pub(super) patients: usize,
}

impl Ehr {
    pub(super) fn start(patients: usize, folder: &Path) -> Result<Self, Failure> {
        let secret = Secret::new(random_digits()?);
        write_private(&folder.join(KEY_FILE), secret.expose())?;
        let secret = RingSecret::key_file(&secret).map_err(Error::from)?;
        let keys = DirectoryStore::new(folder.join(KEYS), Some(secret));
        let first = make(|now, key| keys.generate(ACTOR, now, key))?;
        // Published long before it signs, so that the EHR, which keeps the
        // document for minutes, knows it when its time comes.
        let policy = RotationPolicy {
            lead_time: LEAD_TIME,
            ..RotationPolicy::default()
        };
        let next = make(|now, key| keys.rotate(ACTOR, now, key, &policy))?;

        let tenant = Tenant::parse(TENANT).map_err(Error::from)?;
        let publisher = Arc::new(Publisher::new(|| SystemClock.now()));
        let public: Arc<dyn KeyStore> = Arc::new(DirectoryStore::new(folder.join(KEYS), None));
        let reload = Reload::new(publisher.clone(), [(tenant, public)]);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let jwks = Service::start(address, jwks::limits(), None, publisher, reload)
            .map_err(Error::from)?;
        let mut export = ExportSettings::default();
        export.retry_after = None;
        let sandbox = Sandbox::builder()
            .data(Data::synthetic(SEED, patients))
            .client(RegisteredClient::new(CLIENT).jwks_url(url(&jwks)))
            .export(export)
            .start()
            .map_err(|error| {
                let message = format!("the sandbox can't start: {}", causes(&error));
                Failure::new(Exit::Unexpected, message)
            })?;
        Ok(Self {
            sandbox,
            keys,
            jwks,
            kids: [first, next],
            patients,
        })
    }

    /// Lets what a message tells of happen.
    pub(super) fn apply(&self, event: &Event) {
        self.sandbox.apply(event);
    }

    /// Takes the key that signs out of use before its time: the next one takes
    /// over, and nobody is told.
    pub(super) fn retire_key(&self) -> Result<(), Failure> {
        let grace = RotationPolicy::default().grace;
        let [first, _] = &self.kids;
        self.keys
            .retire(ACTOR, SystemClock.now(), first, grace, false)
            .map_err(Error::from)?;
        self.jwks.look();
        Ok(())
    }

    pub(super) fn base(&self) -> String {
        self.sandbox.base()
    }

    pub(super) fn jwks_url(&self) -> String {
        url(&self.jwks)
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
        let wanted = Day::default().allowed;
        let triggers: Vec<_> = wanted.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "# Made by `ingest demo`. Its EHR is gone when the demo ends.\n\n\
             [store]\nsqlite = \"demo.db\"\n\n\
             [tenants.{TENANT}]\norganization = \"Demo Health\"\n\
             keys = \"{KEYS}\"\nkey_file = \"{KEY_FILE}\"\n\n\
             [connections.{name}]\ntenant = \"{TENANT}\"\nsite_name = \"Sandbox Hospital\"\n\
             fhir_base = \"{}\"\nclient_id = \"{CLIENT}\"\n\
             scopes = [\"system/*.rs\"]\nlevel = \"system\"\ntypes = [{}]\n\
             source_system = \"urn:ingest:demo\"\ntriggers = [{}]\n\n\
             [connections.{name}.bulk]\npoll_min = \"50ms\"\npoll_max = \"1s\"\n",
            self.base(),
            types.join(", "),
            triggers.join(", ")
        )
    }
}

/// Makes a key and brings it into a ring; its `kid`.
fn make(
    bring: impl FnOnce(SystemTime, NewKey) -> jwks::Result<jwks::Change>,
) -> Result<String, Failure> {
    let key = PrivateKey::generate_p384().map_err(jwks::Error::from);
    let key = key
        .and_then(|key| NewKey::new(key, Algorithm::Es384))
        .map_err(Error::from)?;
    let kid = key.public.kid().to_owned();
    bring(SystemClock.now(), key).map_err(Error::from)?;
    Ok(kid)
}

fn url(jwks: &Service) -> String {
    format!("http://{}/jwks/{TENANT}.json", jwks.local_addr())
}

fn random_digits() -> Result<String, Failure> {
    let mut digits = String::new();
    for _ in 0..4 {
        for byte in &context::random()?[..8] {
            digits.push_str(&format!("{byte:02x}"));
        }
    }
    Ok(digits)
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
