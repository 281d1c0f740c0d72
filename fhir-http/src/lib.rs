#![doc = include_str!("../README.md")]

mod authorize;
mod client;
mod clock;
mod decode;
mod error;
mod expect;
mod fhir;
mod http_date;
#[cfg(feature = "ureq")]
mod network;
mod origin;
mod outcome;
mod percent;
mod random;
mod redirect;
mod retry;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

pub use authorize::{Authorize, BoxError};
pub use client::{Anonymous, Client, NoRetry, Target};
pub use clock::{Clock, Interrupt, SystemClock};
pub use error::{Error, Result, TransportError};
pub use expect::is_html;
pub use fhir::{
    CapabilityStatement, Entry, EntryResponse, FhirClient, OperationDefinition, Page, Pages,
    ResourceCapability, Search, SearchMode,
};
#[cfg(feature = "ureq")]
pub use network::{Roots, UreqClient, UreqConfig};
pub use origin::Origin;
pub use outcome::{Issue, OperationOutcome, Severity};
pub use percent::{UNRESERVED, percent_encode};
pub use random::{Random, SystemRandom};
pub use retry::{RetryPolicy, retry_after};
pub use transport::{Body, HttpClient, is_delimited};
