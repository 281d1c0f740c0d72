//! From the command line and the configuration to what commands need.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use ingest_pipeline::access::{ExclusiveFile, FhirServer, SqliteFile, StoreAccess};
use ingest_pipeline::config::{Config, ConnectionSettings, Tenant};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::State;
use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Error, Settings};

use crate::args::{Db, Global, Source};
use crate::exit::{Exit, Failure};
use crate::signals;

/// What all commands share.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    config: OnceLock<Config>,
}

impl<'a> Context<'a> {
    pub(crate) const fn new(global: &'a Global) -> Self {
        Self {
            global,
            config: OnceLock::new(),
        }
    }

    /// The configuration; an empty one where there is no file and none was
    /// asked for.
    pub(crate) fn config(&self) -> Result<&Config, Failure> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let path = match &self.global.config {
            Some(path) => Some(path.as_path()),
            None => Some(Path::new("ingest.toml")).filter(|path| path.exists()),
        };
        let config = path.map(Config::read).transpose().map_err(Error::from)?;
        Ok(self.config.get_or_init(|| config.unwrap_or_default()))
    }

    /// The store that is named, else the configured one.
    pub(crate) fn store(&self, db: &Db, around: &Surroundings) -> Result<Target, Failure> {
        if db.db.is_none()
            && let Some(server) = self.config()?.store_server().map_err(Error::from)?
        {
            let server = FhirServer::new(server, around.clone());
            return Ok(Target::Server(Box::new(server)));
        }
        Ok(Target::File(SqliteFile(self.file(db)?)))
    }

    /// The file that this machine has of the store: all of it, or what is known
    /// of the resources on a server.
    pub(crate) fn file(&self, db: &Db) -> Result<PathBuf, Failure> {
        if let Some(path) = &db.db {
            return a_file(path.clone());
        }
        let config = self.config()?;
        if let Some(server) = config.store_server().map_err(Error::from)? {
            return a_file(server.state);
        }
        let path = config.store.sqlite.clone();
        a_file(path.unwrap_or_else(|| "ingest.db".into()))
    }

    /// Runs, quarantine and what else of the store is on this machine.
    pub(crate) fn records(&self, db: &Db) -> Result<SqliteStore, Failure> {
        Ok(SqliteStore::open_read_only(self.file(db)?)?)
    }

    /// The tenant named, or the only one.
    fn tenant(&self, name: Option<&str>) -> Result<Tenant, Failure> {
        let tenants = &self.config()?.tenants;
        let found = match name {
            Some(name) => tenants.get(name),
            None if tenants.len() > 1 => {
                return Err(Failure::new(
                    Exit::Configuration,
                    "the configuration has several tenants",
                )
                .hint("choose one with --tenant"));
            }
            None => tenants.values().next(),
        };
        match (found, name) {
            (None, Some(name)) => {
                let message = format!("the configuration has no tenant {name}");
                let known: Vec<_> = tenants.keys().map(String::as_str).collect();
                Err(
                    Failure::new(Exit::Configuration, message).hint(match known.is_empty() {
                        true => {
                            "leave --tenant out, or name a configuration with --config".to_owned()
                        }
                        false => format!("there are: {}", known.join(", ")),
                    }),
                )
            }
            (found, _) => Ok(found.cloned().unwrap_or_default()),
        }
    }

    /// The tenant named, or the only one, whose keys are wanted.
    pub(crate) fn key_tenant(&self, name: Option<&str>) -> Result<(&str, &Tenant), Failure> {
        let tenants = &self.config()?.tenants;
        let found = match name {
            Some(name) => tenants.get_key_value(name),
            None => tenants.iter().next().filter(|_| tenants.len() == 1),
        };
        let known = || {
            tenants
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        found
            .map(|(name, tenant)| (name.as_str(), tenant))
            .ok_or_else(|| {
                let (message, hint) = match name {
                    Some(name) => (
                        format!("the configuration has no tenant {name}"),
                        format!("there are: {}", known()),
                    ),
                    None if tenants.is_empty() => (
                        "no tenant is configured, and key rings are theirs".to_owned(),
                        "ingest init writes a configuration that has one".to_owned(),
                    ),
                    None => (
                        "the configuration has several tenants".to_owned(),
                        format!("choose one with --tenant: {}", known()),
                    ),
                };
                Failure::new(Exit::Configuration, message).hint(hint)
            })
    }

    /// A connection, ready for use.
    pub(crate) fn connection(&self, name: &str) -> Result<ConnectionSettings, Failure> {
        Ok(self.config()?.connection(name).map_err(Error::from)?)
    }

    /// The state database that belongs to a store.
    pub(crate) fn state_path(&self, db: &Path) -> Result<PathBuf, Failure> {
        let configured = &self.config()?.state.path;
        Ok(configured.clone().unwrap_or_else(|| State::path_beside(db)))
    }

    /// The state database that belongs to a store, where there is one.
    pub(crate) fn state(&self, db: &Path) -> Result<Option<State>, Failure> {
        let path = self.state_path(db)?;
        Ok(match path.exists() {
            true => Some(State::open(&path)?),
            false => None,
        })
    }

    /// How resources are normalized, and the organization that does it.
    pub(crate) fn settings(&self, source: &Source) -> Result<(Settings, String), Failure> {
        let tenant = self.tenant(source.tenant.as_deref())?;
        let id_key = tenant.id_key.map(|key| key.id_key(env));
        let settings = Settings {
            source_system: source.source_system.clone(),
            id_mode: source.id_mode.into(),
            id_key: id_key.transpose().map_err(Error::from)?,
            mrn_system: source.mrn_system.clone(),
            bases: source.base.clone(),
        };
        Ok((
            settings,
            tenant.organization.unwrap_or_else(|| "ingest".to_owned()),
        ))
    }
}

/// SQLite would call a folder an I/O error.
fn a_file(path: PathBuf) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path);
    }
    let message = format!("{} is a folder, and a store is a file", path.display());
    let hint = format!("name a file, such as {}", path.join("ingest.db").display());
    Err(Failure::new(Exit::Store, message).hint(hint))
}

/// A store of the command line or the configuration.
pub(crate) enum Target {
    File(SqliteFile),
    Exclusive(ExclusiveFile),
    Server(Box<FhirServer>),
}

impl Target {
    pub(crate) fn access(&self) -> &dyn StoreAccess {
        match self {
            Self::File(file) => file,
            Self::Exclusive(file) => file,
            Self::Server(server) => &**server,
        }
    }

    /// The same for a first run that has it for itself, where that is asked for.
    pub(crate) fn exclusive(self, is_wanted: bool) -> Result<Self, Failure> {
        match self {
            Self::File(file) if is_wanted => Ok(Self::Exclusive(ExclusiveFile(file))),
            Self::Server(_) if is_wanted => {
                let message =
                    "--exclusive is for a store in an SQLite file, and this one is a FHIR server";
                Err(Failure::new(Exit::Usage, message).hint("leave --exclusive out"))
            }
            other => Ok(other),
        }
    }

    /// What people know it by.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(_) | Self::Exclusive(_) => self.access().file().display().to_string(),
            Self::Server(server) => server.base().to_owned(),
        }
    }

    /// The folder of its file, where temporary files go.
    pub(crate) fn folder(&self) -> &Path {
        match self.access().file().parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }
}

/// The system's time, network and environment; signals interrupt it.
pub(crate) fn surroundings() -> Result<Surroundings, Failure> {
    let around = Surroundings::system(env);
    signals::stop(&around.interrupt)?;
    Ok(around)
}

/// Looks an environment variable up.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Who changes a key ring, in its audit log: the user, as the system's variables
/// have it.
pub(crate) fn actor() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .filter_map(env)
        .find(|user| !user.is_empty());
    user.unwrap_or_else(holder)
}

/// Who we are, in the messages of other processes.
pub(crate) fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "this machine",
        host => host,
    };
    format!("process {} on {host}", std::process::id())
}

pub(crate) fn random() -> Result<[u8; 10], Failure> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(
            Exit::Unexpected,
            format!("the system has no random numbers: {error}"),
        )
    })?;
    Ok(bytes)
}

pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
