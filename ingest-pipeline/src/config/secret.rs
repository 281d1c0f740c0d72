use std::fmt;
use std::path::PathBuf;

use fhir_normalize::IdKey;
use serde::Deserialize;

use super::ConfigError;

/// Where a secret is kept; never the secret itself, so that a configuration
/// can be shown and backed up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Secret {
    /// A file; white space around the secret is ignored.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

impl Secret {
    /// Reads the secret, a text. `env` looks an environment variable up.
    /// `name` says in errors what it is for, such as `client_secret`.
    ///
    /// # Errors
    /// When there is nothing at the place.
    pub fn text(
        &self,
        name: &'static str,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<String, ConfigError> {
        self.read(env)
            .map(|secret| secret.trim().to_owned())
            .filter(|secret| !secret.is_empty())
            .ok_or_else(|| ConfigError::NoSecret {
                name,
                place: self.to_string(),
            })
    }

    /// Reads an id key. `env` looks an environment variable up.
    ///
    /// # Errors
    /// When there is nothing at the place.
    pub fn id_key(&self, env: impl Fn(&str) -> Option<String>) -> Result<IdKey, ConfigError> {
        let bytes = self.read(env).and_then(|secret| unhex(secret.trim()));
        bytes
            .filter(|bytes| bytes.len() >= 16)
            .map(IdKey::new)
            .ok_or_else(|| ConfigError::Secret {
                name: "id_key",
                place: self.to_string(),
            })
    }

    pub(super) fn path(&mut self, change: &mut dyn FnMut(&mut PathBuf)) {
        if let Self::File(path) = self {
            change(path);
        }
    }

    fn read(&self, env: impl Fn(&str) -> Option<String>) -> Option<String> {
        match self {
            Self::File(path) => std::fs::read_to_string(path).ok(),
            Self::Env(name) => env(name),
        }
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
