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
    /// File with the key that opens the key ring, 64 hexadecimal digits, which
    /// only its owner may read. Without it the ring is opened by the passphrase
    /// in `INGEST_KEY_PASSPHRASE`.
    pub key_file: Option<PathBuf>,
    /// Secret under which ids are hashed, 32 or more hexadecimal digits.
    /// Changing it changes every hashed id.
    pub id_key: Option<Secret>,
    /// Where raw messages are kept.
    #[serde(default)]
    pub archive: Archive,
}

/// `[tenants.NAME.archive]`: where raw HL7 v2 messages are kept, encrypted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// A folder; beside the state database where nothing is said.
    pub folder: Option<PathBuf>,
    /// Key that they are sealed with, 64 hexadecimal digits; made in a file
    /// beside the state database where nothing is said.
    pub key: Option<Secret>,
    /// Object storage in place of a folder.
    pub s3: Option<S3>,
}

/// `[tenants.NAME.archive.s3]`: a bucket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// Address of the service.
    pub endpoint: String,
    /// Its region, which is signed.
    #[serde(default = "region")]
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Id of the access key.
    pub access_key: Secret,
    /// The access key's secret.
    pub secret_key: Secret,
    /// Token of a temporary access key.
    pub session_token: Option<Secret>,
    /// Whether the bucket is in the path and not in the host's name.
    #[serde(default)]
    pub path_style: bool,
    /// How the service encrypts, on top of what we do.
    #[serde(default)]
    pub encryption: Encryption,
    /// Key of the service's key management, for `aws:kms`.
    pub kms_key: Option<String>,
}

fn region() -> String {
    "us-east-1".to_owned()
}

/// How object storage encrypts (`x-amz-server-side-encryption`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Encryption {
    /// By keys of its own.
    #[default]
    #[serde(rename = "AES256")]
    Aes256,
    /// By a key of the key management service.
    #[serde(rename = "aws:kms")]
    Kms,
    /// It is not asked to.
    #[serde(rename = "none")]
    None,
}

impl Tenant {
    pub(super) fn paths(&mut self, change: &mut dyn FnMut(&mut PathBuf)) {
        self.keys.iter_mut().for_each(&mut *change);
        self.key_file.iter_mut().for_each(&mut *change);
        self.archive.folder.iter_mut().for_each(&mut *change);
        let s3 = self.archive.s3.iter_mut().flat_map(|s3| {
            [&mut s3.access_key, &mut s3.secret_key]
                .into_iter()
                .chain(&mut s3.session_token)
        });
        s3.chain(&mut self.archive.key)
            .for_each(|secret| secret.path(&mut *change));
        self.id_key
            .iter_mut()
            .for_each(|secret| secret.path(change));
    }
}
