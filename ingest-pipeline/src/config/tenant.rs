use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;

/// `[tenants.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Display name, the agent of every Provenance.
    pub organization: Option<String>,
    /// Folder of the key ring.
    pub keys: Option<PathBuf>,
    /// Secret under which ids are hashed, 32 or more hexadecimal digits.
    /// Changing it changes every hashed id.
    pub id_key: Option<Secret>,
}

impl Tenant {
    pub(super) fn paths(&mut self, change: &mut dyn FnMut(&mut PathBuf)) {
        self.keys.iter_mut().for_each(&mut *change);
        self.id_key
            .iter_mut()
            .for_each(|secret| secret.path(change));
    }
}
