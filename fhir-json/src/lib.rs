#![doc = include_str!("../README.md")]

mod canonical;
mod compact;
mod edits;
mod emit;
mod error;
mod names;
mod parse;
mod scan;
mod sink;
mod tape;
mod text;
mod unique;
mod value;
mod walk;

pub use edits::Edits;
pub use emit::Emitter;
pub use error::{Error, ErrorKind};
pub use names::{extension_name_hash, name_hash};
#[cfg(feature = "digest")]
pub use sink::DigestSink;
pub use sink::Sink;
pub use tape::{HIGHEST_MAX_DEPTH, MAX_DEPTH, Tape};
pub use value::{Document, Kind, Value};
pub use walk::{Children, Descendants, DescendantsNamed};
