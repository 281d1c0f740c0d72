//! Stores that are opened when there is something to read or write: a run
//! waits for hours until a server has its files ready.

#[cfg(feature = "server")]
mod server;

use std::path::{Path, PathBuf};

use fhir_store::{Error as StoreError, RunState, RunStore as _, SqliteStore, Store};

use crate::Result;
#[cfg(feature = "server")]
pub use server::FhirServer;

/// A store, which is opened each time it is needed.
pub trait StoreAccess: Sync {
    /// Opens it for writing.
    ///
    /// # Errors
    /// [`fhir_store::Error::Locked`] while another process writes it, and
    /// when it can't be opened.
    fn open(&self) -> Result<Box<dyn Store>>;

    /// Opens it for reading, beside whoever writes it.
    ///
    /// # Errors
    /// [`fhir_store::Error::NotFound`] where there is none yet, and when it
    /// can't be opened.
    fn read(&self) -> Result<Box<dyn Store>>;

    /// The SQLite file that this machine has of it: the store, or what is known
    /// of a store on a server.
    fn file(&self) -> &Path;

    /// Whether the file is all of the store, bodies and views for everybody.
    fn is_file(&self) -> bool;

    /// What this machine knows of it: runs, the quarantine, and of resources
    /// all but the bodies that a server has. No server is asked. `None` where
    /// there is no store yet.
    ///
    /// # Errors
    /// When it can't be opened.
    fn records(&self) -> Result<Option<SqliteStore>> {
        match SqliteStore::open_read_only(self.file()) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it holds a run that was completed.
    ///
    /// # Errors
    /// When it can't be read. A store that does not exist yet holds no runs.
    fn has_completed(&self, run: &str) -> Result<bool> {
        let Some(mut store) = self.records()? else {
            return Ok(false);
        };
        let run = store.run(run)?;
        Ok(run.is_some_and(|run| run.state == RunState::Completed))
    }
}

/// An SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteFile(pub PathBuf);

impl StoreAccess for SqliteFile {
    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(SqliteStore::open(&self.0)?))
    }

    fn read(&self) -> Result<Box<dyn Store>> {
        let store = SqliteStore::open_read_only(&self.0)?;
        if store.is_of_server() {
            return Err(StoreError::ForeignFile {
                path: self.0.clone(),
                what: "it is the state of a store on a FHIR server",
            }
            .into());
        }
        Ok(Box::new(store))
    }

    fn file(&self) -> &Path {
        &self.0
    }

    fn is_file(&self) -> bool {
        true
    }
}

/// An SQLite file that its first run has for itself; in all else as [`SqliteFile`].
///
/// See [`SqliteStore::open_exclusive`] for what that gives and takes.
#[derive(Clone, Debug)]
pub struct ExclusiveFile(pub SqliteFile);

impl StoreAccess for ExclusiveFile {
    fn open(&self) -> Result<Box<dyn Store>> {
        let store = SqliteStore::open_exclusive(self.file())?;
        if !store.is_exclusive() {
            tracing::info!(
                "the store has resources or is read: others can read it during this run"
            );
        }
        Ok(Box::new(store))
    }

    fn read(&self) -> Result<Box<dyn Store>> {
        self.0.read()
    }

    fn file(&self) -> &Path {
        self.0.file()
    }

    fn is_file(&self) -> bool {
        self.0.is_file()
    }
}
