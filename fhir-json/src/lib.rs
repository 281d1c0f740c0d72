#![doc = include_str!("../README.md")]

mod edits;
mod emit;
mod error;
mod scan;
mod tape;
mod text;
mod value;

pub use edits::Edits;
#[cfg(feature = "digest")]
pub use emit::DigestSink;
pub use emit::{Emitter, Sink};
pub use error::{Error, ErrorKind};
pub use tape::{MAX_DEPTH, Tape};
pub use value::{Children, Descendants, Document, Kind, Value};
