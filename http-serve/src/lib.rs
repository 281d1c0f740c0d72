#![doc = include_str!("../README.md")]

mod accept;
mod body;
mod clock;
mod connection;
mod error;
mod exchange;
mod handler;
mod limits;
mod observe;
mod outgoing;
mod race;
mod server;
mod slots;
mod socket;
#[cfg(feature = "tls")]
mod tls;
mod watch;

pub use body::Body;
pub use error::{Error, Result};
pub use handler::{Handler, Peer};
pub use limits::Limits;
pub use observe::{Exchange, Observer};
pub use server::{Bound, Server};
#[cfg(feature = "tls")]
pub use tls::Certificates;
