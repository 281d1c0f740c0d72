//! The RESTful interface of a FHIR server, as much of it as ingestion needs.

mod bundle;
mod capability;
mod client;
mod pages;
mod search;

pub use bundle::{Entry, EntryResponse, Page, SearchMode};
pub use capability::{CapabilityStatement, OperationDefinition, ResourceCapability};
pub use client::FhirClient;
pub use pages::Pages;
pub use search::Search;
