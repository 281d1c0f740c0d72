//! Messages over MLLP, as interface engines send them.

mod commands;
mod crowd;
mod disk;
mod fetch;
mod kill;
mod privacy;
pub(crate) mod site;
