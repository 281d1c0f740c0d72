use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use crate::state::{State, lease, private_folder};
use crate::{Error, Result};

/// A process that works on fetches. The system frees its lock when it dies, in
/// whatever way, and others take over what it had.
#[derive(Debug)]
pub struct Worker {
    id: String,
    path: PathBuf,
    _lock: File,
}

impl Worker {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// For how long a holder has a fetch without saying that it is still at it.
    pub const LEASE: Duration = Duration::from_secs(120);
    /// How often it ought to say so.
    pub const RENEWAL: Duration = Duration::from_secs(30);
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Left behind, it is found to be free.
        let _ = fs::remove_file(&self.path);
    }
}

impl State {
    /// Registers a worker. `id` is unique, such as a run's id.
    ///
    /// # Errors
    /// When its lock file can't be made.
    pub fn worker(&self, id: &str) -> Result<Worker> {
        let folder = self.beside("workers");
        private_folder(&folder)?;
        let path = folder.join(lease::file_name(id));
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| Error::StateFile {
                path: path.clone(),
                source,
            })?;
        Ok(Worker {
            id: id.to_owned(),
            path,
            _lock: lock,
        })
    }

    /// Holders that have fetches and whose processes are gone.
    pub(super) fn dead_workers(&self, own: &Worker) -> Result<Vec<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT holder FROM fetch WHERE holder IS NOT NULL")
            .map_err(self.fault())?;
        let holders: rusqlite::Result<Vec<String>> = statement
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect);
        let holders = holders.map_err(self.fault())?;
        let folder = self.beside("workers");
        let mut dead = Vec::new();
        for id in holders.into_iter().filter(|id| *id != own.id) {
            let path = folder.join(lease::file_name(&id));
            match OpenOptions::new().write(true).open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => dead.push(id),
                Err(source) => return Err(Error::StateFile { path, source }),
                Ok(file) => match file.try_lock() {
                    Ok(()) => {
                        let _ = fs::remove_file(&path);
                        dead.push(id);
                    }
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(source)) => {
                        return Err(Error::StateFile { path, source });
                    }
                },
            }
        }
        Ok(dead)
    }
}
