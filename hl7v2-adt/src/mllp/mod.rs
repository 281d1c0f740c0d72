//! The Minimal Lower Layer Protocol: frames around messages.
//!
//! A frame is `<VT> message <FS><CR>`, the bytes `0B … 1C 0D` (HL7
//! Implementation Support Guide, appendix C, C.4.2). Nothing here reads, writes
//! or waits, except [`read_frame`], which reads from what it is given.
//!
//! ```
//! use hl7v2_adt::mllp::{Decoder, Event, encode};
//!
//! let bytes = [&encode(b"MSH|1\r").unwrap()[..], b"\r\n", &encode(b"MSH|2\r").unwrap()].concat();
//! let mut decoder = Decoder::new(1024 * 1024);
//! let mut messages = 0;
//! // However the network cuts them.
//! for mut chunk in bytes.chunks(5) {
//!     while let Some(event) = decoder.decode(&mut chunk) {
//!         assert!(matches!(event, Event::Frame(message) if message.starts_with(b"MSH|")));
//!         messages += 1;
//!     }
//! }
//! assert!(decoder.finish().is_none());
//! assert_eq!((messages, decoder.dropped()), (2, 2));
//! ```

mod decoder;
mod encode;
mod read;

pub use decoder::{Decoder, Event, TOO_LONG_KEEPS};
pub use encode::encode;
pub use read::read_frame;

/// Begins a frame.
const VT: u8 = 0x0B;
/// Ends a frame, together with the CR behind it.
const FS: u8 = 0x1C;
const CR: u8 = 0x0D;
