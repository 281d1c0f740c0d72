//! Tests of the pipeline over its public API, with stores in memory.

#[cfg(feature = "bulk")]
mod bulk;
mod config;
mod config_errors;
#[cfg(feature = "bulk")]
mod connect;
#[cfg(feature = "bulk")]
mod connect_network;
mod connections;
mod faults;
mod init;
mod order;
#[cfg(feature = "bulk")]
mod probe;
mod replay;
#[cfg(feature = "bulk")]
mod site;
mod support;
mod vendors;
