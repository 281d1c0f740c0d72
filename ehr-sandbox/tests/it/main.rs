//! The sandbox as its users meet it.

mod attempt;
mod catalogue;
mod credentials;
mod data;
mod export;
mod export_rules;
mod fault_texts;
mod faults;
mod files;
mod jwks;
mod rest;
mod sockets;
mod token;
mod util;
