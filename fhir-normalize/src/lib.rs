#![doc = include_str!("../README.md")]

mod bundle;
mod ids;
mod normalizer;
mod reference;
mod rejected;
mod remediate;
mod required;
mod settings;

pub use bundle::{Deletion, Record, Refused};
pub use ids::{IdHasher, is_legal_id};
pub use normalizer::{Identifier, Normalized, Normalizer, Rewritten};
pub use reference::Conditional;
pub use rejected::{Reason, Rejected};
pub use remediate::Remediation;
pub use settings::{IdKey, IdMode, Settings};
