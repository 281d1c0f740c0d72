#![doc = include_str!("../README.md")]

mod canonical;
mod compact;
mod document;
mod edits;
mod emit;
mod error;
mod form;
mod names;
mod parse;
mod plan;
mod scan;
mod shapes;
mod sink;
mod tape;
mod text;
mod unique;
mod value;
mod walk;

pub use document::Document;
pub use edits::Edits;
pub use emit::Emitter;
pub use error::{Error, ErrorKind};
pub use form::Shape;
pub use names::{extension_name_hash, name_hash};
#[cfg(feature = "digest")]
pub use sink::DigestSink;
pub use sink::Sink;
pub use tape::{HIGHEST_MAX_DEPTH, MAX_DEPTH, Tape};
pub use value::{Kind, Value};
pub use walk::{Children, Descendants, DescendantsNamed};
