#![doc = include_str!("../README.md")]

mod clock;
pub mod config;
mod error;
mod export;
mod load;
mod matches;
mod normalize;
mod observer;
mod source;
#[cfg(feature = "sqlite")]
pub mod state;
mod summary;

pub use clock::run_id;
pub use error::{Error, Result};
pub use export::{Exported, export};
pub use load::{Cancel, Load, LoadOptions};
pub use normalize::{NormalizeOptions, NormalizeSummary, Output, normalize};
pub use observer::{Event, Observer};
pub use source::{Input, Source, Supply, inputs};
pub use summary::{RunSummary, TypeCounts};

pub use fhir_http::{Clock, Interrupt, SystemClock};
pub use fhir_normalize::{IdKey, IdMode, Reason, Settings};
pub use fhir_store as store;
