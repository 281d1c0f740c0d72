//! Tests of everything that is public.

mod acks;
mod adt_view;
mod corpus;
mod files_split;
#[cfg(feature = "listener")]
mod listener;
mod messages_read;
mod mllp;
mod oracle;
mod properties;
mod silence;
mod support;
mod tables;
mod timestamps;
mod triggers;
mod walk;
