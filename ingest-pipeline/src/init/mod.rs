//! A new configuration: the file to fill in, and a folder for keys.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::private;

/// The configuration that [`write()`] writes: it works as it is, and shows every
/// key as a comment. `# ` begins a line that becomes a setting when these two
/// characters are taken away, `##` begins an explanation.
pub const TEMPLATE: &str = include_str!("ingest.toml");

/// What [`write()`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// The configuration file.
    pub config: PathBuf,
    /// Folder of the key ring. It was left as it is where there was one.
    pub keys: PathBuf,
}

/// Writes `ingest.toml` and an empty key ring, `keys`, that only its owner may
/// enter, into a folder, which is made where it is missing.
///
/// # Errors
/// When one of them can't be written, or would overwrite a file; the error
/// names it, and nothing was written.
pub fn write(folder: &Path) -> Result<Created, ConfigError> {
    let created = Created {
        config: folder.join("ingest.toml"),
        keys: folder.join("keys"),
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ConfigError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    if created.keys.symlink_metadata().is_ok() && !created.keys.is_dir() {
        return Err(ConfigError::Exists { path: created.keys });
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&created.config);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ConfigError::Exists {
                path: created.config,
            });
        }
        file => file.map_err(failed(&created.config))?,
    };
    let written = file
        .write_all(TEMPLATE.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed(&created.config))
        .and_then(|()| key_ring(&created.keys).map_err(failed(&created.keys)));
    if let Err(error) = written {
        // Half a configuration would be in the way of the next attempt.
        let _ = fs::remove_file(&created.config);
        return Err(error);
    }
    Ok(created)
}

fn key_ring(folder: &Path) -> io::Result<()> {
    match private::folder().create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
