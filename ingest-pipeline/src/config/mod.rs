//! `ingest.toml`: the file, its checks, and what a connection comes to once
//! its [vendor profile](crate::vendor) is filled in.

mod adt;
mod check;
mod connection;
mod error;
mod parse;
mod resolve;
mod scope;
mod secret;
mod settings;
mod store;
mod tenant;
pub(crate) mod time;
mod tuning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use parse::by_likeness;

pub use adt::{Adt, AdtSettings};
pub use connection::{AckMode, Connection, SecretMethod, SigningKey};
pub use error::ConfigError;
pub use secret::Secret;
pub use settings::{Auth, BulkSettings, ConnectionSettings, ExportLevel, HttpSettings};
pub use store::{Store, StoreServer};
pub use tenant::{Archive, Encryption, S3, Tenant};
pub use tuning::{
    Algorithm, Bulk, ClientCertificate, Http, KickOff, Level, ScopeSyntax, Since, TypeList,
};

/// The configuration file.
///
/// Unknown keys are refused, since a misspelt one would be silently without
/// effect. Relative paths are relative to the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where resources go.
    #[serde(default)]
    pub store: Store,
    /// Where the state of runs is kept; beside the store where it is not said.
    #[serde(default)]
    pub state: State,
    /// Organisations on whose behalf data is ingested.
    #[serde(default)]
    pub tenants: BTreeMap<String, Tenant>,
    /// EHR connections.
    #[serde(default)]
    pub connections: BTreeMap<String, Connection>,
}

/// `[state]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// An SQLite file.
    pub path: Option<PathBuf>,
}

impl Config {
    /// Reads a configuration file and checks all of it, connections that
    /// nothing uses included. A connection may still lack what it takes to use
    /// it, such as a client id: keys are made before there is one. Files and
    /// variables it refers to are not looked at.
    ///
    /// # Errors
    /// When it can't be read, understood or used; the message has the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut config: Self =
            toml::from_str(&text).map_err(|error| parse::explained(path, &text, &error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.paths(|path| *path = folder.join(&*path));
        config.store.set_state(config.state.path.as_deref(), folder);
        check::store(&config.store, config.connections.iter())
            .and_then(|()| config.store_tenant().map(drop))
            .map_err(|error| parse::located(path, &text, error.within_store()))?;
        for (name, connection) in &config.connections {
            check::name(name)
                .and_then(|()| connection.validate())
                .and_then(|()| config.tenant_of(connection).map(drop))
                .map_err(|error| parse::located(path, &text, error.within(name)))?;
        }
        Ok(config)
    }

    /// A connection with its tenant and vendor profile filled in.
    ///
    /// # Errors
    /// When there is no such connection (the message names those there are),
    /// or when it can't be used as it is.
    pub fn connection(&self, name: &str) -> Result<ConnectionSettings, ConfigError> {
        let Some(connection) = self.connections.get(name) else {
            let known = self.connections.keys().map(String::as_str);
            return Err(ConfigError::UnknownConnection {
                name: name.to_owned(),
                known: parse::by_likeness(name, known),
            });
        };
        let found = self
            .tenant_of(connection)
            .map_err(|error| error.within(name))?;
        let Some((tenant, found)) = found else {
            return connection.settings(name, &Tenant::default());
        };
        let mut settings = connection.settings(name, found)?;
        settings.tenant = Some(tenant.clone());
        Ok(settings)
    }

    /// The FHIR server that is the store, where one is.
    ///
    /// # Errors
    /// When it can't be used as it is, such as a client id without key or secret.
    pub fn store_server(&self) -> Result<Option<StoreServer>, ConfigError> {
        check::store(&self.store, self.connections.iter())
            .and_then(|()| self.store.server(self.store_tenant()?))
            .map_err(ConfigError::within_store)
    }

    /// The tenant whose keys sign for the store: the one it names, else the
    /// only one.
    fn store_tenant(&self) -> Result<Option<&Tenant>, ConfigError> {
        let invalid = |problem| ConfigError::Invalid {
            table: Vec::new(),
            key: "tenant".to_owned(),
            problem,
        };
        let Some(name) = &self.store.tenant else {
            let mut tenants = self.tenants.values();
            let only = tenants.next().filter(|_| tenants.next().is_none());
            if self.tenants.len() > 1 && self.store.needs_ring() {
                return Err(invalid("there are several, name one".to_owned()));
            }
            return Ok(only);
        };
        let found = self.tenants.get(name);
        let known = || self.tenants.keys().map(String::as_str);
        found.map(Some).ok_or_else(|| {
            let hint = parse::hint(name, known());
            invalid(format!("there is no tenant `{name}`{hint}"))
        })
    }

    /// The name of the only connection, which commands take where none is
    /// named.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn only_connection(&self) -> Result<&str, ConfigError> {
        let mut names = self.connections.keys();
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            _ => Err(ConfigError::NoOnlyConnection {
                known: self.connections.keys().cloned().collect(),
            }),
        }
    }

    /// The tenant that a connection names, else the only one.
    fn tenant_of(
        &self,
        connection: &Connection,
    ) -> Result<Option<(&String, &Tenant)>, ConfigError> {
        let invalid = |problem| ConfigError::Invalid {
            table: Vec::new(),
            key: "tenant".to_owned(),
            problem,
        };
        let Some(name) = &connection.tenant else {
            let mut tenants = self.tenants.iter();
            return match (tenants.next(), tenants.next()) {
                (_, Some(_)) => Err(invalid("there are several, name one".to_owned())),
                (only, None) => Ok(only),
            };
        };
        let found = self.tenants.get_key_value(name);
        let known = || self.tenants.keys().map(String::as_str);
        found.map(Some).ok_or_else(|| {
            let hint = parse::hint(name, known());
            invalid(format!("there is no tenant `{name}`{hint}"))
        })
    }

    fn paths(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        self.store.paths(&mut change);
        self.state.path.iter_mut().for_each(&mut change);
        for tenant in self.tenants.values_mut() {
            tenant.paths(&mut change);
        }
        for connection in self.connections.values_mut() {
            connection.paths(&mut change);
        }
    }
}
