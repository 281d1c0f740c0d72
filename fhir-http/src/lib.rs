#![doc = include_str!("../README.md")]

mod authorize;
mod client;
mod clock;
mod error;
mod origin;
mod outcome;
mod random;
mod retry;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

pub use authorize::{Authorize, BoxError};
pub use client::{Anonymous, Client, NoRetry};
pub use clock::{Clock, Interrupt, SystemClock};
pub use error::{Error, Result, TransportError};
pub use origin::Origin;
pub use outcome::{Issue, OperationOutcome, Severity};
pub use random::{Random, SystemRandom};
pub use retry::{RetryPolicy, retry_after};
pub use transport::{Body, HttpClient};
