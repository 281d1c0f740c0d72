//! One module a command.

pub(crate) mod adt;
pub(crate) mod bulk;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod init;
pub(crate) mod jwks;
pub(crate) mod keys;
pub(crate) mod load;
pub(crate) mod normalize;
pub(crate) mod quarantine;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod verify;
