//! Receives messages over MLLP: a thread for each connection, deadlines and
//! caps for everything that a sender may take, TLS.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hl7v2_adt::listener::{Answer, Fault, Handler, Limits, Listener, Peer};
//!
//! struct Intake;
//!
//! impl Handler for Intake {
//!     fn receive(&self, message: &[u8], _peer: &Peer) -> Answer {
//!         // Store it first: the acknowledgement tells the sender to forget it.
//!         assert!(message.starts_with(b"MSH|"));
//!         Answer::Reply(b"MSH|^~\\&|\rMSA|AA|1\r".to_vec())
//!     }
//!
//!     fn fault(&self, _fault: Fault<'_>, _peer: &Peer) -> Answer {
//!         Answer::Silent
//!     }
//! }
//!
//! let bound = Listener::bind("127.0.0.1:0".parse()?, Limits::default())?;
//! let listener = bound.serve(Arc::new(Intake))?;
//! # use hl7v2_adt::mllp;
//! # use std::io::{BufReader, Write};
//! # let mut sender = std::net::TcpStream::connect(listener.local_addr())?;
//! # sender.write_all(&mllp::encode(b"MSH|^~\\&|\r").unwrap())?;
//! # let ack = mllp::read_frame(&mut BufReader::new(sender), 1000)?.unwrap();
//! # assert!(ack.ends_with(b"MSA|AA|1\r"));
//! // … until it is to end: senders get ten seconds to finish their message.
//! assert_eq!(listener.stop(Duration::from_secs(10)), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One message at a time
//!
//! A connection is not read while its message is with the [`Handler`], so a
//! slow handler slows its senders down instead of filling memory. Messages that
//! a sender did not wait with are answered one by one in their order. Other
//! connections have threads of their own: a sender that drips holds one, until
//! its deadline.
//!
//! # Limits of this module
//!
//! It can't switch on TCP keep-alive, so the connection of a sender that lost
//! its power stays until [`Limits::idle`], which is off by default. What all
//! connections can take of memory is [`Limits::connections`] times
//! [`Limits::message_bytes`].

mod accept;
mod clock;
mod connection;
mod error;
mod handler;
mod limits;
mod registry;
mod server;
mod sniff;
mod socket;
mod tls;

pub use error::{Error, Result};
pub use handler::{Answer, Fault, Handler, Peer};
pub use limits::{Limits, WhenFull};
pub use server::{Bound, Listener};
pub use sniff::Protocol;
pub use tls::{Certificates, Clients};
