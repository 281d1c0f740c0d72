//! One module a command.

pub(crate) mod export;
pub(crate) mod load;
pub(crate) mod normalize;
pub(crate) mod quarantine;
pub(crate) mod runs;
pub(crate) mod shell;
