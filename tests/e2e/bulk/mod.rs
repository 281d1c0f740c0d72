//! The bulk channel: an EHR in this process, the command as its child.

mod expected;
mod faults;
mod site;
