//! Behaviour at the public seams.

mod client;
mod fetch;
mod fhir;
mod logs;
#[cfg(feature = "ureq")]
mod network;
mod origins;
mod pages;
mod secrets;
#[cfg(feature = "ureq")]
mod server;
#[cfg(feature = "ureq")]
mod tls;
mod util;
