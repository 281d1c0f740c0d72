#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod lines;
mod memory;
mod resource;
mod run;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use error::{Error, Result};
pub use fhir_provenance::{Message, ProvenanceIds, Remediation, Sha256Ids};
pub use lines::{KnownLine, KnownLines, LineDigest};
pub use memory::InMemoryStore;
pub use resource::{
    Amend, Delete, DeleteOutcome, Identifier, Put, PutOutcome, Refusal, ResourceStore, Stored,
    WriteContext,
};
pub use run::{
    Counts, NewRun, QuarantineRecord, Refused, RunRecord, RunState, RunStore, StoreReport,
    TakenBack, Unresolved,
};
#[cfg(feature = "server")]
pub use server::{ServerSettings, ServerStore, VerifyReport};
#[cfg(feature = "sqlite")]
pub use sqlite::{DeadLetter, SqliteStore};

/// A store that keeps resources and the runs that wrote them.
///
/// Implemented for everything that is both; there is nothing to write.
pub trait Store: ResourceStore + RunStore {}

impl<T: ResourceStore + RunStore + ?Sized> Store for T {}
