//! What decides how a resource comes out.

use sha2::{Digest, Sha256};

use crate::{IdMode, Settings};

/// Counts the changes of what is made of a resource. A test compares what comes
/// out with what came out when it was raised last.
const RULES: u32 = 1;

impl Settings {
    /// A digest of everything but the resource that decides how it comes out:
    /// these settings, and the rules of this version. Two runs with the same
    /// fingerprint make the same of the same text, as long as the same patients
    /// are known by their medical record number.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        // Lengths go in, so that no two settings can pass for one.
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        add(env!("CARGO_PKG_VERSION").as_bytes());
        add(&RULES.to_be_bytes());
        add(self.source_system.as_bytes());
        add(match self.id_mode {
            IdMode::Preserve => b"preserve",
            IdMode::Hash => b"hash",
        });
        add(self.id_key.as_ref().map_or(&[], |key| key.bytes()));
        add(&[
            u8::from(self.id_key.is_some()),
            u8::from(self.mrn_system.is_some()),
        ]);
        add(self.mrn_system.as_deref().unwrap_or_default().as_bytes());
        self.bases.iter().for_each(|base| add(base.as_bytes()));
        digest.finalize().into()
    }
}
