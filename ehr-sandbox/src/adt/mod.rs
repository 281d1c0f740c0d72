//! A day of HL7 v2 ADT messages about the patients of a [`Data`](crate::Data),
//! with what a right receiver does with each.

mod day;
mod event;
mod message;
mod people;
mod story;

pub use day::{Day, MergeStyle};
pub use event::{Event, Expected, Outcome, Subject};
