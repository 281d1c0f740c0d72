#![doc = include_str!("../README.md")]

mod ack;
mod adt;
mod charset;
mod delimiters;
mod error;
pub mod escape;
#[cfg(feature = "listener")]
pub mod listener;
mod message;
mod messages;
pub mod mllp;
mod syntax;
mod timestamp;
mod trigger;

pub use ack::{Ack, AckCode, AckMode, ErrorCode, Outcome, Replies};
pub use adt::{
    AdtMessage, Authority, Identifier, Merge, Patient, PatientIdentifierRule, PersonName,
    Preference, Prior, Visit,
};
pub use charset::Charset;
pub use delimiters::Delimiters;
pub use error::{Error, Position, Result};
pub use message::{
    AckCondition, Component, Field, Header, Message, Path, Repetition, Segment, Subcomponent, Value,
};
pub use messages::{Messages, RawMessage, Warning};
pub use timestamp::{Precision, Timestamp};
pub use trigger::{IdentityEffect, Level, PatientCount, TriggerEvent};
