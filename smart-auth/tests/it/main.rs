//! Behaviour of smart-auth at its public seams.

mod assertion;
mod backend;
mod discovery;
mod properties;
mod refusals;
mod scopes;
mod secrecy;
mod support;
mod tokens;
mod writing;
