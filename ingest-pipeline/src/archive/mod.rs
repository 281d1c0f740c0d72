//! The archive of raw messages: what an interface engine sent, byte for byte,
//! encrypted, each under a name that follows from the message.
//!
//! ```
//! use std::sync::Arc;
//! use fhir_http::SystemRandom;
//! use ingest_pipeline::archive::{ArchiveKey, DirectoryArchive, RawArchive, RawKey};
//!
//! let folder = tempfile::tempdir()?;
//! let key = ArchiveKey::from_hex(&"0f".repeat(32)).ok_or("no key")?;
//! let archive = DirectoryArchive::new(folder.path(), key, Arc::new(SystemRandom));
//!
//! let message = b"MSH|^~\\&|ADT1|GOOD HEALTH|...";
//! let received = jiff::civil::date(2026, 3, 9);
//! let name = RawKey::new("acme", received, b"GOOD HEALTH", b"MSG00001", message);
//! archive.put(&name, message)?;
//! assert!(name.as_str().starts_with("acme/2026/03/09/GOOD%20HEALTH/MSG00001-"));
//! assert_eq!(archive.get(&name)?.ok_or("lost")?.as_slice(), message);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory;
mod key;
mod s3;
mod seal;

use zeroize::Zeroizing;

pub use directory::DirectoryArchive;
pub use key::RawKey;
pub use s3::{Addressing, S3Archive, S3Credentials, S3Settings, ServerSideEncryption};
pub use seal::{ArchiveKey, Sealer};

use crate::{Error, Result};

/// Keeps raw messages for good. Many threads, and many processes, may use the
/// same archive at once.
pub trait RawArchive: Send + Sync {
    /// Keeps a message. When this returns, the message survives a loss of
    /// power. Doing it again changes nothing, and what is there is never
    /// overwritten.
    ///
    /// # Errors
    /// When the message can't be written, when `key` was made for another
    /// message, and when there is something else under the key.
    fn put(&self, key: &RawKey, message: &[u8]) -> Result<()>;

    /// The message that was kept under `key`, byte for byte; `None` where
    /// there is none.
    ///
    /// # Errors
    /// When it can't be read, or is not what was written.
    fn get(&self, key: &RawKey) -> Result<Option<Zeroizing<Vec<u8>>>>;

    /// Writes something small and harmless, to find out whether a message
    /// could be kept now.
    ///
    /// # Errors
    /// When it can't be written.
    fn check(&self) -> Result<()>;
}

/// What is under a key is not the message that belongs there.
const ANOTHER: &str = "it holds another message than the one that belongs there";

/// Fails unless `key` was made for `message`.
fn belong_together(key: &RawKey, message: &[u8]) -> Result<()> {
    if key.names(message) {
        return Ok(());
    }
    Err(Error::ArchivedMessage {
        place: key.to_string(),
        problem: "the message to be kept is not the one that this name was made for",
    })
}
