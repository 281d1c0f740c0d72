//! The real-time channel: HL7 v2 ADT messages in, fetches of patients out.
//!
//! A message is judged without IO, recorded in the inbox, sealed, together with
//! the fetches it asks for, and acknowledged then. From there it goes into the
//! archive, and workers carry out the fetches.

mod commit;
mod handler;
mod judge;
mod messages;
mod mover;
mod receive;
mod reply;
mod rules;
mod show;
mod site;
mod tally;
mod work;

pub use commit::Inbox;
pub use messages::MessageArchive;
pub use receive::{Received, Receiver};
pub use rules::Rules;
pub use show::Shown;
pub use site::archive;
pub use tally::ReceiveSummary;
pub use work::{Work, WorkOptions};
