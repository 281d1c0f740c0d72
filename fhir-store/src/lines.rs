//! Which texts current resources were made from.

use std::sync::Arc;

use crate::Result;

/// A digest of a text, 128 bits, under the [key](crate::ResourceStore::line_key) of the store.
///
/// It stands for the text together with everything that decides what becomes of it, so whoever makes it has to put the rules in.
pub type LineDigest = [u8; 16];

/// What a store knows of the text that a current resource was made from.
#[derive(Clone)]
pub struct KnownLine {
    /// The [sequence number](crate::Stored::sequence) of its version.
    pub sequence: u64,
    /// Digest of the text.
    pub digest: LineDigest,
    /// Type of the resource.
    pub resource_type: Arc<str>,
    /// Its id.
    pub id: Box<str>,
    /// Whether something was mended in it.
    pub mended: bool,
}

/// By hand: ids name patients.
impl std::fmt::Debug for KnownLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownLine")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// The texts of current resources, in the order these were written.
///
/// It reads beside the writer, and so sees what was [flushed](crate::ResourceStore::flush).
/// What was changed since, [`still_current`](crate::ResourceStore::still_current) tells.
pub trait KnownLines: Send {
    /// Appends at most `limit` of them, from the sequence number `from` on.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn read(&mut self, from: u64, limit: usize, lines: &mut Vec<KnownLine>) -> Result<()>;
}
