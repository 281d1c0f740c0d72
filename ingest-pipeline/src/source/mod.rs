//! Where records come from.

mod chunk;
mod format;
mod gzip;
mod open;
mod pipe;
mod supply;
mod walk;

pub(crate) use chunk::{Chunk, Chunks, Content, OverLimit};
pub(crate) use gzip::Proof;
pub(crate) use open::{Text, open, pipe};
pub(crate) use supply::Files;
#[cfg(feature = "adt")]
pub(crate) use supply::Given;
pub use supply::{Source, Supply};
pub use walk::{Input, inputs};

/// Why a file is not read at all, without anything of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileRefused(pub(crate) String);

impl From<std::io::Error> for FileRefused {
    fn from(error: std::io::Error) -> Self {
        Self(format!("cannot be read: {error}"))
    }
}
