#![doc = include_str!("../README.md")]

pub mod adt;
mod auth;
mod builder;
mod data;
mod ehr;
mod error;
mod export;
mod fault;
mod fhir;
mod log;
mod mllp;
mod reply;
mod rng;
mod route;
mod sandbox;
mod store;
mod transport;

pub use auth::RegisteredClient;
pub use builder::Builder;
pub use data::{Data, Level, Resource};
pub use error::{Error, Result};
pub use export::{ExportSettings, ManifestStyle};
pub use fault::{ErrorBody, Fault, FaultPlan, Files, Hits, What, Where};
pub use fhir::{IdentifierSearch, SearchSettings};
pub use log::Recorded;
pub use mllp::{Acknowledgement, MllpSender};
pub use sandbox::Sandbox;
pub use store::{Rejection, WriteSettings};
pub use transport::InProcess;
