#![doc = include_str!("../README.md")]

mod body;
mod handler;

pub use body::Body;
pub use handler::{Handler, Peer};
