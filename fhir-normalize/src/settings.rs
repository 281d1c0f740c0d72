use std::fmt;

/// How one source's resources are normalized.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URI that names the source, the first part of every hashed id.
    pub source_system: String,
    /// Whether legal ids stay.
    pub id_mode: IdMode,
    /// Key of the tenant: hashed ids are HMACs under it, so that short source
    /// ids can't be guessed back.
    pub id_key: Option<IdKey>,
    /// `identifier.system` of medical record numbers, besides identifiers of
    /// type `MR`.
    pub mrn_system: Option<String>,
    /// FHIR base URLs of the source. References that begin with one of them
    /// become relative.
    pub bases: Vec<String>,
}

impl Settings {
    /// Settings of a source without key, MRN system and base URLs, in mode
    /// [`Preserve`](IdMode::Preserve).
    #[must_use]
    pub fn new(source_system: impl Into<String>) -> Self {
        Self {
            source_system: source_system.into(),
            id_mode: IdMode::Preserve,
            id_key: None,
            mrn_system: None,
            bases: Vec::new(),
        }
    }
}

/// What happens to ids that FHIR allows (`[A-Za-z0-9\-.]{1,64}`). All others
/// are hashed in either mode, and so are medical record numbers used as ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdMode {
    /// They stay.
    #[default]
    Preserve,
    /// They are hashed too, so that two sources never collide.
    Hash,
}

/// Secret key for hashed ids. `Debug` does not show it.
#[derive(Clone)]
pub struct IdKey(Vec<u8>);

impl IdKey {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let settings = Settings {
            id_key: Some(IdKey::new("hunter2")),
            ..Settings::new("urn:x")
        };
        let shown = format!("{settings:?} {settings:#?}");
        assert!(shown.contains("redacted"));
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"));
    }
}
