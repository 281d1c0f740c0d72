use std::path::PathBuf;

use fhir_store::{Error as StoreError, RunState, RunStore as _, SqliteStore, Store};

use crate::Result;

/// Opens the store of a run. A run waits for hours until a server has its
/// files ready; the store is open only when there is something to write.
pub trait StoreAccess {
    /// Opens it for writing.
    ///
    /// # Errors
    /// [`fhir_store::Error::Locked`] while another process writes it, and
    /// when it can't be opened.
    fn open(&self) -> Result<Box<dyn Store>>;

    /// Whether it holds a run that was completed.
    ///
    /// # Errors
    /// When it can't be read. A store that does not exist yet holds no runs.
    fn has_completed(&self, run: &str) -> Result<bool>;
}

/// An SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteFile(pub PathBuf);

impl StoreAccess for SqliteFile {
    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(SqliteStore::open(&self.0)?))
    }

    fn has_completed(&self, run: &str) -> Result<bool> {
        let mut store = match SqliteStore::open_read_only(&self.0) {
            Ok(store) => store,
            Err(StoreError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let run = store.run(run)?;
        Ok(run.is_some_and(|run| run.state == RunState::Completed))
    }
}
