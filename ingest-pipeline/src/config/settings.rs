use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fhir_normalize::{IdMode, Settings};

use super::scope::Scopes;
use super::{
    AckMode, AdtSettings, Algorithm, ClientCertificate, ConfigError, KickOff, Secret, SecretMethod,
    Since, TypeList,
};
use crate::vendor::Profile;

/// A connection ready for use: what the configuration says, and what the
/// [vendor profile](crate::vendor) says where it is silent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// Name of the connection.
    pub name: String,
    /// Name of its tenant.
    pub tenant: Option<String>,
    /// The agent of every Provenance.
    pub organization: String,
    /// Display name of the organisation that runs the EHR.
    pub site_name: Option<String>,
    /// The vendor's profile.
    pub profile: &'static Profile,
    /// FHIR base URL, without a slash at the end.
    pub base: String,
    /// Token endpoint, where it is not to be discovered.
    pub token_endpoint: Option<String>,
    /// Whether the discovery document is looked for at the host's root too.
    pub discovery_at_host_root: bool,
    /// How the client proves who it is.
    pub auth: Auth,
    /// Scopes to ask for in an export of the configured types.
    pub scopes: Vec<String>,
    /// Lifetime of a token whose response doesn't say it.
    pub token_lifetime: Option<Duration>,
    /// Whether a token request that was answered 400 without an OAuth error is
    /// repeated, where the same credentials have worked before.
    pub retry_bare_400: bool,
    /// Whose data is exported, where the configuration or the profile says it.
    pub level: Option<ExportLevel>,
    /// Resource types to export; empty for all.
    pub types: Vec<String>,
    /// `_typeFilter` queries.
    pub type_filters: Vec<String>,
    /// Resource types without which an export is suspect.
    pub expected_types: Vec<String>,
    /// The URI that names the source.
    pub source_system: String,
    /// Whether legal ids stay.
    pub id_mode: IdMode,
    /// Where the secret is under which ids are hashed.
    pub id_key: Option<Secret>,
    /// `identifier.system` of medical record numbers.
    pub mrn_system: Option<String>,
    /// Base URLs of the source's references: the FHIR base, the base of
    /// exports, and aliases.
    pub bases: Vec<String>,
    /// Triggers of ADT messages that are taken.
    pub triggers: Option<Vec<String>>,
    /// How ADT messages are acknowledged.
    pub ack_mode: AckMode,
    /// Whether error files in a manifest are a warning only.
    pub accept_server_errors: bool,
    /// Every request.
    pub http: HttpSettings,
    /// Bulk exports.
    pub bulk: BulkSettings,
    /// Patients in ADT messages, and what is fetched of them.
    pub adt: AdtSettings,
    pub(super) wanted: Scopes,
}

/// How the client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all: an open server.
    Anonymous,
    /// By an assertion signed with one key.
    Key {
        /// Client id.
        client_id: String,
        /// PEM or JWK file.
        file: PathBuf,
        /// Key id, where it is not the key's thumbprint.
        kid: Option<String>,
        /// Algorithm, where it does not follow from the key.
        alg: Option<Algorithm>,
    },
    /// By an assertion signed with the active key of the tenant's ring.
    Ring {
        /// Client id.
        client_id: String,
        /// Folder of the ring.
        folder: PathBuf,
        /// File with the key that opens it, where there is one.
        key_file: Option<PathBuf>,
        /// Algorithms that the server takes, the preferred one first.
        algorithms: Vec<Algorithm>,
    },
    /// By a secret.
    Secret {
        /// Client id.
        client_id: String,
        /// Where the secret is.
        place: Secret,
        /// How it is sent.
        method: SecretMethod,
    },
}

/// Whose data an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportLevel {
    /// All that the server has.
    System,
    /// All patients.
    Patient,
    /// The patients of the group with this id.
    Group(String),
}

/// Limits of every request.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Time for a connection to be there, TLS included.
    pub connect_timeout: Duration,
    /// Time from the request to the first byte of the response.
    pub first_byte_timeout: Duration,
    /// Time between bytes of a body.
    pub read_timeout: Duration,
    /// How often a request is repeated, the first time not counted.
    pub retries: u32,
    /// URL of a proxy.
    pub proxy: Option<String>,
    /// Where `user:password` for the proxy is.
    pub proxy_credentials: Option<Secret>,
    /// PEM file of certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate shown to the server.
    pub client_certificate: Option<ClientCertificate>,
    /// Headers added to requests to the FHIR server.
    pub headers: BTreeMap<String, String>,
    /// Further ones, and where their values are.
    pub secret_headers: BTreeMap<String, Secret>,
    /// Requests within a minute, all of them counted.
    pub requests_per_minute: Option<u32>,
}

/// Bulk exports.
#[derive(Clone, Debug)]
pub struct BulkSettings {
    /// Base URL for exports, without a slash at the end.
    pub base: String,
    /// What an export starts from where the command doesn't say.
    pub since: Since,
    /// Whether the server understands `_since`.
    pub since_supported: bool,
    /// How `_type` lists are written in a query.
    pub type_list: TypeList,
    /// Method of the kick-off request.
    pub kick_off: KickOff,
    /// Shortest wait between two looks at a running export, and the first one
    /// where the server asks for none; it doubles from look to look.
    pub poll_min: Duration,
    /// Longest wait.
    pub poll_max: Duration,
    /// How long an export may take.
    pub deadline: Duration,
    /// Files downloaded at a time.
    pub parallel_downloads: u32,
    /// Longest line in bytes.
    pub max_line: u64,
    /// How long the server makes wait between two exports of the same thing.
    pub job_interval: Option<Duration>,
}

impl ConnectionSettings {
    /// Whose data to export: what was asked for on the command line, else what
    /// is configured, else what the vendor offers.
    ///
    /// # Errors
    /// When the vendor exports by group only and no group is known.
    pub fn export_level(&self, asked: Option<ExportLevel>) -> Result<ExportLevel, ConfigError> {
        asked
            .or_else(|| self.level.clone())
            .ok_or_else(|| ConfigError::GroupRequired {
                connection: self.name.clone(),
                vendor: &self.profile.display_name,
            })
    }

    /// Scopes to ask for in an export of other types than the configured ones.
    #[must_use]
    pub fn scopes_for(&self, types: &[String]) -> Vec<String> {
        self.wanted.of(types)
    }

    /// Scopes to ask for in fetches of patients. Those that only exports need
    /// are not among them.
    #[must_use]
    pub fn fetch_scopes(&self) -> Vec<String> {
        self.wanted.to_read(&self.adt.all_types())
    }

    /// How this source's resources are normalized. `env` looks an environment
    /// variable up.
    ///
    /// # Errors
    /// When the tenant's id key can't be read.
    pub fn normalize(&self, env: impl Fn(&str) -> Option<String>) -> Result<Settings, ConfigError> {
        let id_key = self.id_key.as_ref().map(|key| key.id_key(env));
        Ok(Settings {
            source_system: self.source_system.clone(),
            id_mode: self.id_mode,
            id_key: id_key.transpose()?,
            mrn_system: self.mrn_system.clone(),
            bases: self.bases.clone(),
        })
    }
}
