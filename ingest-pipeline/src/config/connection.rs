use std::path::PathBuf;
use std::time::Duration;

use fhir_normalize::IdMode;
use serde::Deserialize;

use super::{
    Adt, Algorithm, Bulk, ConfigError, ConnectionSettings, Http, Level, ScopeSyntax, Secret,
    Tenant, check, resolve, time,
};

/// `[connections.NAME]`: an EHR that data is read from.
///
/// What is left out comes from the [vendor profile](crate::vendor).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The tenant on whose behalf data is read; may be left out where there
    /// is one tenant or none.
    pub tenant: Option<String>,
    /// Display name of the organisation that runs the EHR.
    pub site_name: Option<String>,
    /// Name of the vendor profile.
    #[serde(default = "generic")]
    pub vendor: String,
    /// FHIR base URL.
    pub fhir_base: String,
    /// Token endpoint, where it is not to be discovered.
    pub token_endpoint: Option<String>,
    /// Client id under which this client is registered. Without one, requests
    /// are sent without a token.
    pub client_id: Option<String>,
    /// Private key that signs client assertions, instead of the key ring of
    /// the tenant.
    pub signing_key: Option<SigningKey>,
    /// Client secret, instead of a key.
    pub client_secret: Option<Secret>,
    /// How the secret is sent.
    pub client_secret_method: Option<SecretMethod>,
    /// Signature algorithms, the preferred one first, where the key ring has
    /// keys of several.
    pub algorithms: Option<Vec<Algorithm>>,
    /// Scopes that are asked for, one an entry. Where there are none they are
    /// made from `types`.
    pub scopes: Option<Vec<String>>,
    /// How scopes are written that are made from `types`.
    pub scope_syntax: Option<ScopeSyntax>,
    /// Scopes that are asked for besides those made from `types`.
    pub extra_scopes: Option<Vec<String>>,
    /// Lifetime of a token whose response doesn't say it.
    #[serde(default, deserialize_with = "time::optional")]
    pub token_lifetime: Option<Duration>,
    /// Whether a token request that was answered 400 without an OAuth error is
    /// repeated, where the same credentials have worked before.
    pub retry_bare_400: Option<bool>,
    /// Whether the discovery document is looked for at the host's root too.
    /// Other servers of the same host may have theirs there.
    pub discovery_at_host_root: Option<bool>,
    /// Whose data is exported; `group` where `group` is given.
    pub level: Option<Level>,
    /// Id of the group that is exported.
    pub group: Option<String>,
    /// Resource types that are exported; empty for all that the server has.
    #[serde(default)]
    pub types: Vec<String>,
    /// `_typeFilter` queries, such as `Observation?category=laboratory`.
    #[serde(default)]
    pub type_filters: Vec<String>,
    /// Resource types without which an export is suspect.
    #[serde(default)]
    pub expected_types: Vec<String>,
    /// The URI that names the source; `urn:ingest:NAME` where it is left out.
    /// Changing it changes every hashed id.
    pub source_system: Option<String>,
    /// Whether legal ids stay.
    #[serde(default, with = "IdModeWord")]
    pub id_mode: IdMode,
    /// `identifier.system` of medical record numbers.
    pub mrn_system: Option<String>,
    /// Other base URLs under which the server names its own resources.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Triggers of ADT messages that are taken, such as `A01`; `*` for all.
    pub triggers: Option<Vec<String>>,
    /// How ADT messages are acknowledged.
    #[serde(default)]
    pub ack_mode: AckMode,
    /// Whether error files in a manifest are a warning instead of making the
    /// run partial.
    #[serde(default)]
    pub accept_server_errors: bool,
    /// Every request.
    #[serde(default)]
    pub http: Http,
    /// Bulk exports.
    #[serde(default)]
    pub bulk: Bulk,
    /// Patients in ADT messages, and what is fetched of them.
    #[serde(default)]
    pub adt: Adt,
}

/// A private key that signs client assertions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// PEM or JWK file.
    pub file: PathBuf,
    /// Key id, where it is not the key's thumbprint.
    pub kid: Option<String>,
    /// Algorithm, where it does not follow from the key.
    pub alg: Option<Algorithm>,
}

/// How a client secret is sent (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretMethod {
    /// In the `Authorization` header.
    #[default]
    Basic,
    /// In the body.
    Post,
}

/// How ADT messages are acknowledged (HL7 v2.5, 2.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckMode {
    /// As the message asks for.
    #[default]
    Auto,
    /// Always in the original mode.
    Original,
    /// In the enhanced mode where the message asks for it.
    Enhanced,
}

impl Connection {
    /// A connection that says no more than its FHIR base URL.
    #[must_use]
    pub fn new(fhir_base: impl Into<String>) -> Self {
        Self {
            tenant: None,
            site_name: None,
            vendor: generic(),
            fhir_base: fhir_base.into(),
            token_endpoint: None,
            client_id: None,
            signing_key: None,
            client_secret: None,
            client_secret_method: None,
            algorithms: None,
            scopes: None,
            scope_syntax: None,
            extra_scopes: None,
            token_lifetime: None,
            retry_bare_400: None,
            discovery_at_host_root: None,
            level: None,
            group: None,
            types: Vec::new(),
            type_filters: Vec::new(),
            expected_types: Vec::new(),
            source_system: None,
            id_mode: IdMode::default(),
            mrn_system: None,
            bases: Vec::new(),
            triggers: None,
            ack_mode: AckMode::default(),
            accept_server_errors: false,
            http: Http::default(),
            bulk: Bulk::default(),
            adt: Adt::default(),
        }
    }

    /// Checks values that have the right type but can't be used: scopes that
    /// write, plain `http` to other machines, unknown resource types, …
    ///
    /// # Errors
    /// The first value that can't be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check::connection(self)
    }

    /// Checks the connection and fills in its tenant and vendor profile.
    ///
    /// # Errors
    /// As [`validate`](Self::validate), and when there is a client id but
    /// neither key nor secret.
    pub fn settings(&self, name: &str, tenant: &Tenant) -> Result<ConnectionSettings, ConfigError> {
        resolve::resolve(name, self, tenant).map_err(|error| error.within(name))
    }

    pub(super) fn credentials(&self) -> check::Credentials<'_> {
        check::Credentials {
            client_id: self.client_id.as_deref(),
            signing_key: self.signing_key.as_ref(),
            client_secret: self.client_secret.as_ref(),
            client_secret_method: self.client_secret_method,
            algorithms: self.algorithms.as_deref(),
        }
    }

    pub(super) fn paths(&mut self, change: &mut dyn FnMut(&mut PathBuf)) {
        if let Some(key) = &mut self.signing_key {
            change(&mut key.file);
        }
        if let Some(secret) = &mut self.client_secret {
            secret.path(change);
        }
        self.http.paths(change);
    }
}

fn generic() -> String {
    "generic".to_owned()
}

#[derive(Deserialize)]
#[serde(remote = "IdMode", rename_all = "lowercase")]
enum IdModeWord {
    Preserve,
    Hash,
}
