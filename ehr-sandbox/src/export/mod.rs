//! Bulk Data export: kick-off, status, manifest, files.

mod file;
mod job;
mod manifest;
mod request;
mod settings;

pub(crate) use file::{ExportFile, Line, Section};
pub(crate) use job::Job;
pub(crate) use manifest::{Page, manifest};
pub(crate) use request::{Invalid, KickOff};
pub use settings::{ExportSettings, ManifestStyle};
