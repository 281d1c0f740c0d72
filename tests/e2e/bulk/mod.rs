//! The bulk channel: an EHR in this process, the command as its child.

mod concurrent;
mod connection;
mod demo;
mod expected;
mod faults;
mod huge;
mod incremental;
mod kill;
mod privacy;
mod quality;
pub(crate) mod site;
pub(crate) mod wait;
