//! The sandbox as its users meet it.

mod data;
mod export;
mod faults;
mod files;
mod jwks;
mod rest;
mod sockets;
mod token;
mod util;
