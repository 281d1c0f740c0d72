use std::path::PathBuf;

use super::parse;

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
    /// The file is not TOML, has keys that don't exist, or values that can't
    /// be used.
    #[error("{}:{line}: {problem}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A value can't be used, in a configuration that wasn't read from a file.
    #[error("{}: {problem}", parse::place(table, Some(key.as_str()).filter(|key| !key.is_empty())))]
    Invalid {
        /// Names of the tables it is in, the outermost first; empty where the
        /// connection has no name yet.
        table: Vec<String>,
        /// Its key; empty where it is the table itself.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No connection has this name.
    #[error("the configuration has no connection `{name}`; {}", listed(known))]
    UnknownConnection {
        /// The name.
        name: String,
        /// Those there are, the most similar first.
        known: Vec<String>,
    },
    /// No connection was named, and there isn't exactly one.
    #[error("which connection? {}", choice(known))]
    NoOnlyConnection {
        /// Those there are.
        known: Vec<String>,
    },
    /// The vendor exports by group only, and no group is named.
    #[error(
        "connection `{connection}`: {vendor} exports by group only; \
         set `group` or name one with --group"
    )]
    GroupRequired {
        /// Name of the connection.
        connection: String,
        /// Display name of the vendor.
        vendor: &'static str,
    },
    /// No vendor profile has this name.
    #[error("there is no vendor profile `{name}`; there are {}", known.join(", "))]
    UnknownVendor {
        /// The name.
        name: String,
        /// Those there are, the most similar first.
        known: Vec<String>,
    },
    /// A secret is not where it is said to be, or has the wrong form.
    #[error("{name} is read from {place}, where there have to be 32 or more hexadecimal digits")]
    Secret {
        /// What the secret is for.
        name: &'static str,
        /// Where it was expected.
        place: String,
    },
    /// A secret is not where it is said to be.
    #[error("{name} is read from {place}, where there is nothing that can be read")]
    NoSecret {
        /// What the secret is for.
        name: &'static str,
        /// Where it was expected.
        place: String,
    },
    /// A file that would have been overwritten.
    #[error("{} is already there and stays as it is", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder of a new configuration can't be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ConfigError {
    /// What to do about it, where the text does not say it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let hint = match self {
            Self::Read { .. } => {
                "check --config and INGEST_CONFIG; ingest init writes a new configuration"
            }
            Self::UnknownConnection { known, .. } | Self::NoOnlyConnection { known }
                if known.is_empty() =>
            {
                "describe it in [connections.NAME] of ./ingest.toml or the file of --config; ingest init writes one"
            }
            Self::NoOnlyConnection { .. } => "choose one with --connection",
            Self::NoSecret { .. } => "set the environment variable, or write the file",
            Self::Exists { .. } => "edit it, or choose another folder",
            Self::Write { .. } => "choose a folder that this user may write to",
            _ => return None,
        };
        Some(hint)
    }

    /// The same error of a connection that now has a name.
    pub(super) fn within(mut self, connection: &str) -> Self {
        if let Self::Invalid { table, .. } = &mut self {
            table.splice(0..0, ["connections".to_owned(), connection.to_owned()]);
        }
        self
    }

    /// The same error of the store.
    pub(super) fn within_store(mut self) -> Self {
        if let Self::Invalid { table, .. } = &mut self {
            table.insert(0, "store".to_owned());
        }
        self
    }
}

fn choice(known: &[String]) -> String {
    if known.is_empty() {
        return "the configuration has none".to_owned();
    }
    listed(known)
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        return "it has none".to_owned();
    }
    format!("there are: {}", known.join(", "))
}
