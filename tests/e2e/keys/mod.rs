//! Key rings and the documents that publish them.

mod commands;
mod independent;
mod secrecy;
mod serve;
mod site;
mod slow;
