#![doc = include_str!("../README.md")]

mod bundle;
mod fingerprint;
mod head;
mod ids;
mod layout;
mod mrn;
mod new_ids;
mod normalizer;
mod output;
mod reference;
mod rejected;
mod remediate;
mod required;
mod rewrite;
mod settings;

pub use bundle::{Deletion, Record, Visit};
pub use ids::{IdHasher, is_legal_id};
pub use normalizer::{Normalized, Normalizer};
pub use output::Identifier;
pub use reference::Conditional;
pub use rejected::{Reason, Rejected};
pub use remediate::Remediation;
pub use rewrite::Rewritten;
pub use settings::{IdKey, IdMode, Settings};

/// The R4 resource type of this name, if there is one, as a name that lives
/// forever. Abstract types are none.
#[must_use]
pub fn resource_type(name: &str) -> Option<&'static str> {
    required::resource_type(name).map(required::type_name)
}
