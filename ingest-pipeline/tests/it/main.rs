//! Tests of the pipeline over its public API, with stores in memory.

#[cfg(feature = "adt")]
mod adt;
#[cfg(feature = "adt")]
mod archive;
#[cfg(feature = "bulk")]
mod bulk;
#[cfg(feature = "sqlite")]
mod compressed;
mod config;
mod config_errors;
mod config_store;
mod config_store_errors;
#[cfg(feature = "bulk")]
mod connect;
#[cfg(feature = "bulk")]
mod connect_network;
#[cfg(feature = "server")]
mod connect_store;
mod connections;
mod faults;
#[cfg(feature = "adt")]
mod fetch;
mod init;
#[cfg(feature = "bulk")]
mod keys;
#[cfg(all(unix, feature = "sqlite"))]
mod links;
mod order;
#[cfg(feature = "bulk")]
mod probe;
#[cfg(feature = "sqlite")]
mod recognized;
mod replay;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "bulk")]
mod site;
mod support;
mod vendors;
