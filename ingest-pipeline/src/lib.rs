#![doc = include_str!("../README.md")]

#[cfg(feature = "sqlite")]
pub mod access;
#[cfg(feature = "adt")]
pub mod adt;
#[cfg(feature = "adt")]
pub mod archive;
#[cfg(feature = "bulk")]
pub mod bulk;
mod clock;
pub mod config;
#[cfg(feature = "bulk")]
pub mod connect;
mod error;
mod export;
#[cfg(feature = "adt")]
pub mod fetch;
pub mod init;
#[cfg(feature = "bulk")]
pub mod keys;
mod load;
mod matches;
mod normalize;
mod observer;
mod private;
#[cfg(feature = "bulk")]
pub mod probe;
mod source;
#[cfg(feature = "sqlite")]
pub mod state;
mod summary;
pub mod vendor;

pub use clock::{millis, run_id};
pub use error::{Error, ErrorKind, Result, causes};
pub use export::{Exported, export};
pub use load::{Load, LoadOptions, MergedPatient, TriggerMessage};
pub use normalize::{NormalizeOptions, NormalizeSummary, Output, normalize};
pub use observer::{Event, Observer};
pub use source::{Input, Source, Supply, inputs};
pub use summary::{Held, RunSummary, TypeCounts};

pub use fhir_http::{Clock, Interrupt, SystemClock};
pub use fhir_normalize::{IdKey, IdMode, Reason, Settings};
pub use fhir_store as store;
#[cfg(feature = "adt")]
pub use hl7v2_adt as hl7;
#[cfg(feature = "bulk")]
pub use jwks_publisher as jwks;
#[cfg(feature = "bulk")]
pub use smart_auth as auth;

/// Whether FHIR R4 has a resource type of this name.
#[must_use]
pub fn is_resource_type(name: &str) -> bool {
    fhir_normalize::resource_type(name).is_some()
}
