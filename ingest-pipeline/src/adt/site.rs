//! From the configuration to an archive and a receiver.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use fhir_http::{Client, Random, RetryPolicy, UreqClient, UreqConfig};
use zeroize::Zeroizing;

use super::MessageArchive;
use crate::archive::{
    Addressing, ArchiveKey, DirectoryArchive, S3Archive, S3Credentials, S3Settings, Sealer,
    ServerSideEncryption,
};
use crate::config::{Archive, Encryption, Secret};
use crate::connect::Surroundings;
use crate::state::beside;
use crate::{Error, Result};

/// Opens the archive of raw messages that a tenant's configuration describes.
/// Where it says nothing, it is a folder beside the state database, sealed with
/// a key in a file there, which is made when it is missing.
///
/// # Errors
/// A key or secret that is not there or is none; settings that can't be used.
pub fn archive(settings: &Archive, state: &Path, around: &Surroundings) -> Result<MessageArchive> {
    let random = Arc::clone(&around.random);
    let key = key(settings.key.as_ref(), state, around)?;
    let sealer = Sealer::new(&key, Arc::clone(&random));
    let Some(s3) = &settings.s3 else {
        let folder = settings
            .folder
            .clone()
            .unwrap_or_else(|| beside(state, "archive"));
        let archive = DirectoryArchive::new(folder, key, random);
        return Ok(MessageArchive::new(Arc::new(archive), sealer));
    };
    let text = |name, secret: &Secret| -> Result<String> { Ok(secret.text(name, around.env)?) };
    let mut credentials = S3Credentials::new(
        text("access_key", &s3.access_key)?,
        text("secret_key", &s3.secret_key)?,
    );
    if let Some(token) = &s3.session_token {
        credentials = credentials.session_token(text("session_token", token)?);
    }
    let encryption = match s3.encryption {
        Encryption::Aes256 => ServerSideEncryption::Aes256,
        Encryption::Kms => ServerSideEncryption::Kms {
            key_id: s3.kms_key.clone(),
        },
        Encryption::None => ServerSideEncryption::None,
    };
    let bucket = S3Settings::new(&*s3.endpoint, &*s3.region, &*s3.bucket, credentials)
        .addressing(match s3.path_style {
            true => Addressing::Path,
            false => Addressing::VirtualHost,
        })
        .server_side_encryption(encryption);
    let transport = match &around.transport {
        Some(transport) => Arc::clone(transport),
        None => Arc::new(UreqClient::new(&UreqConfig::default())?),
    };
    let client = Client::new(transport, Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .interrupt(around.interrupt.clone())
        .retry(RetryPolicy::default());
    let archive = S3Archive::new(&bucket, &key, random, client)?;
    Ok(MessageArchive::new(Arc::new(archive), sealer))
}

fn key(place: Option<&Secret>, state: &Path, around: &Surroundings) -> Result<ArchiveKey> {
    let unfit = || Error::ArchiveSettings {
        what: "key",
        problem: "it is 64 hexadecimal digits; `openssl rand -hex 32` makes them",
    };
    let text = match place {
        Some(place) => Zeroizing::new(place.text("archive.key", around.env)?),
        None => made(&beside(state, "archive.key"), &*around.random)?,
    };
    ArchiveKey::from_hex(text.trim()).ok_or_else(unfit)
}

/// The key in a file, which is made where there is none.
fn made(path: &Path, random: &dyn Random) -> Result<Zeroizing<String>> {
    let fail = |source| Error::StateFile {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    let digits: Zeroizing<String> =
        Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder).map_err(fail)?;
        // A key of which half was written would be no key for ever: it appears whole.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        return keep(&mut file, path, &digits).map_err(fail);
    }
    let mut file = tempfile::NamedTempFile::new_in(".").map_err(fail)?;
    keep(&mut file, path, &digits).map_err(fail)
}

fn keep(
    file: &mut tempfile::NamedTempFile,
    path: &Path,
    digits: &str,
) -> io::Result<Zeroizing<String>> {
    if let Ok(known) = std::fs::read_to_string(path) {
        return Ok(Zeroizing::new(known));
    }
    file.write_all(digits.as_bytes())?;
    file.as_file().sync_all()?;
    // Of two that make it at once, the first one's stays.
    match std::fs::hard_link(file.path(), path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    OpenOptions::new().read(true).open(path)?.sync_all()?;
    std::fs::read_to_string(path).map(Zeroizing::new)
}
