//! The sandbox as its users meet it.

mod adt;
mod attempt;
mod bundles;
mod catalogue;
mod credentials;
mod data;
mod export;
mod export_rules;
mod fault_texts;
mod faults;
mod files;
mod jwks;
mod mllp;
mod rest;
mod search_settings;
mod sockets;
mod token;
mod util;
mod write_access;
mod write_settings;
mod writes;
