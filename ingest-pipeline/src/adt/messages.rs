use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::archive::{RawArchive, RawKey, Sealer};
use crate::state::State;
use crate::{Error, Result};

/// The messages of a tenant as they came: those in its archive, and those on
/// their way into it.
///
/// What the sender waits for is one write to the state database, into which the
/// message goes sealed; the archive, which may be slow or out of reach, follows.
#[derive(Clone)]
pub struct MessageArchive {
    pub(super) archive: Arc<dyn RawArchive>,
    sealer: Arc<Sealer>,
}

impl MessageArchive {
    /// Messages in `archive`, sealed by `sealer` until they are there.
    #[must_use]
    pub fn new(archive: Arc<dyn RawArchive>, sealer: Sealer) -> Self {
        Self {
            archive,
            sealer: Arc::new(sealer),
        }
    }

    /// The message that was received under `key`; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read or opened.
    pub fn get(&self, state: &State, key: &RawKey) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match state.unarchived_message(key.as_str())? {
            Some(sealed) => self.open(key, sealed).map(Some),
            None => match self.archive.get(key)? {
                Some(message) => Ok(Some(message)),
                // It may have gone there in between.
                None => state
                    .unarchived_message(key.as_str())?
                    .map(|sealed| self.open(key, sealed))
                    .transpose(),
            },
        }
    }

    pub(super) fn seal(&self, key: &RawKey, message: &[u8]) -> Result<Vec<u8>> {
        let sealed = self.sealer.seal(key, message);
        sealed.map_err(|problem| unusable(key, problem))
    }

    pub(super) fn open(&self, key: &RawKey, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
        let message = self.sealer.open(key, sealed);
        message.map_err(|problem| unusable(key, problem))
    }
}

fn unusable(key: &RawKey, problem: &'static str) -> Error {
    Error::ArchivedMessage {
        place: key.to_string(),
        problem,
    }
}

impl fmt::Debug for MessageArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageArchive").finish_non_exhaustive()
    }
}
