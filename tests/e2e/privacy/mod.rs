//! An audit of what is told to whom: everything that commands write, and all
//! they leave on the disk, is searched for canaries of every kind.

mod adt;
mod audit;
mod bulk;
mod canary;
mod content;
mod disk;
mod jwks;
mod keys;
mod listen;
mod load;
mod server;
mod serving;
mod settings;
mod store;
