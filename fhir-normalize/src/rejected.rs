use std::fmt;

use fhir_json::{Error, ErrorKind};

/// Why a record is not stored, and where in it.
///
/// The text names elements and offsets, never content, so that it can be
/// logged; the record itself belongs into the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejected {
    /// What kind of fault it is.
    pub reason: Reason,
    /// The fault in words.
    pub detail: String,
    /// Byte offset of the fault from the start of the record, where there is
    /// one place to point at.
    pub offset: Option<usize>,
    /// The resource's type, where the fault let it be read.
    pub resource_type: Option<&'static str>,
}

impl Rejected {
    /// A fault of the record as a whole.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            offset: None,
            resource_type: None,
        }
    }

    pub(crate) fn of_type(mut self, resource_type: Option<&'static str>) -> Self {
        self.resource_type = resource_type;
        self
    }

    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.offset = self.offset.map(|offset| offset + by);
        self
    }
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        let reason = match error.kind() {
            ErrorKind::InvalidUtf8 => Reason::InvalidUtf8,
            ErrorKind::DuplicateName => Reason::DuplicateKey,
            ErrorKind::TooDeep => Reason::TooDeep,
            ErrorKind::TooLong => Reason::TooLong,
            _ => Reason::InvalidJson,
        };
        Self {
            reason,
            detail: error.to_string(),
            offset: Some(error.offset()),
            resource_type: None,
        }
    }
}

/// The reason codes of quarantined records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Not one JSON object, or not JSON at all.
    InvalidJson,
    /// Not UTF-8.
    InvalidUtf8,
    /// A member name used twice in one object.
    DuplicateKey,
    /// Nested deeper than 128 levels, the resource being the first.
    TooDeep,
    /// Longer than the limit for one record.
    TooLong,
    /// No `resourceType`, or none that is a name.
    MissingResourceType,
    /// A `resourceType` that FHIR R4 does not have.
    UnknownResourceType,
    /// A Reference that R4 requires is absent. Patients are never invented.
    MissingRequiredReference,
    /// Another type than the manifest of the export said.
    WrongResourceType,
    /// The id is taken by a resource of another source.
    IdConflict,
    /// The store, or what it can represent, does not take it.
    StoreRefused,
}

impl Reason {
    /// The code as it is stored and printed.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid-json",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::DuplicateKey => "duplicate-key",
            Self::TooDeep => "too-deep",
            Self::TooLong => "too-long",
            Self::MissingResourceType => "missing-resource-type",
            Self::UnknownResourceType => "unknown-resource-type",
            Self::MissingRequiredReference => "missing-required-reference",
            Self::WrongResourceType => "wrong-resource-type",
            Self::IdConflict => "id-conflict",
            Self::StoreRefused => "store-refused",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
