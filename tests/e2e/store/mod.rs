//! A FHIR server as the configured store, beside an SQLite store that the same
//! commands fill.

mod channels;
mod content;
mod credentials;
mod drift;
mod faults;
mod kill;
mod load;
mod references;
mod signals;
mod site;
