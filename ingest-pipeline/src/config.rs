//! `ingest.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use fhir_normalize::IdKey;
use serde::Deserialize;

/// The configuration file.
///
/// Unknown members are refused, since a misspelt one would be silently
/// without effect. Relative paths are relative to the file.
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
    /// EHR connections. They are read by the commands that use a connection.
    #[serde(default)]
    pub connections: BTreeMap<String, toml::Table>,
}

/// `[store]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// An SQLite file.
    pub sqlite: Option<PathBuf>,
    /// A FHIR server's base URL.
    pub fhir: Option<String>,
}

/// `[state]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// An SQLite file.
    pub path: Option<PathBuf>,
}

/// `[tenants.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Display name, the agent of every Provenance.
    pub organization: Option<String>,
    /// Folder of the key ring.
    pub keys: Option<PathBuf>,
    /// Secret under which ids are hashed, 32 or more hexadecimal digits.
    /// Changing it changes every hashed id.
    pub id_key: Option<Secret>,
}

/// Where a secret is kept; never the secret itself, so that a configuration
/// can be shown and backed up.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Secret {
    /// A file; white space around the secret is ignored.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or has members that don't exist.
    #[error("{}:{line}: {problem}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A secret is not where it is said to be.
    #[error("{name} is read from {place}, where there have to be 32 or more hexadecimal digits")]
    Secret {
        /// What the secret is for.
        name: &'static str,
        /// Where it was expected.
        place: String,
    },
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When it can't be read or understood; the message has the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text
                .as_bytes()
                .iter()
                .take(start)
                .filter(|&&byte| byte == b'\n')
                .count();
            ConfigError::Parse {
                path: path.to_owned(),
                line: line + 1,
                problem: without_strings(error.message()),
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.paths(|path| *path = folder.join(&*path));
        Ok(config)
    }

    fn paths(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        let secrets = |tenant: &mut Tenant, change: &mut dyn FnMut(&mut PathBuf)| {
            tenant.keys.iter_mut().for_each(&mut *change);
            if let Some(Secret::File(path)) = &mut tenant.id_key {
                change(path);
            }
        };
        self.store.sqlite.iter_mut().for_each(&mut change);
        self.state.path.iter_mut().for_each(&mut change);
        self.tenants
            .values_mut()
            .for_each(|tenant| secrets(tenant, &mut change));
    }
}

impl Secret {
    /// Reads an id key. `env` looks an environment variable up.
    ///
    /// # Errors
    /// When there is nothing at the place.
    pub fn id_key(&self, env: impl Fn(&str) -> Option<String>) -> Result<IdKey, ConfigError> {
        let secret = match self {
            Self::File(path) => std::fs::read_to_string(path).ok(),
            Self::Env(name) => env(name),
        };
        let bytes = secret.and_then(|secret| unhex(secret.trim()));
        bytes
            .filter(|bytes| bytes.len() >= 16)
            .map(IdKey::new)
            .ok_or_else(|| ConfigError::Secret {
                name: "id_key",
                place: self.to_string(),
            })
    }
}

/// A message without the strings that stand in the file, which may be secrets
/// in the wrong place: `invalid type: string "…", expected …`.
fn without_strings(message: &str) -> String {
    match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}string{}", &message[..start], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

/// By hand, since the derived one repeats what it finds in its messages.
impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let fault = "a secret is given as { file = \"…\" } or { env = \"…\" }, never itself";
        let toml::Value::Table(table) = value else {
            return Err(fault);
        };
        let mut members = table.into_iter();
        match (members.next(), members.next()) {
            (Some((name, toml::Value::String(place))), None) => match name.as_str() {
                "file" => Ok(Self::File(place.into())),
                "env" => Ok(Self::Env(place)),
                _ => Err(fault),
            },
            _ => Err(fault),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text
        .chars()
        .map(|digit| Some(digit.to_digit(16)? as u8))
        .collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}
