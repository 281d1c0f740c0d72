//! The archive of raw messages: names, the folder, object storage.

mod crash;
mod directory;
mod keys;
mod s3;
mod s3_faults;
mod storage;

use std::sync::Arc;

use fhir_http::SystemRandom;
use ingest_pipeline::archive::{ArchiveKey, DirectoryArchive, RawArchive, RawKey};
use jiff::civil::date;

/// With bytes that are no text, and both kinds of line ends.
const MESSAGE: &[u8] =
    b"MSH|^~\\&|ADT1|GOOD HEALTH|||20260309||ADT^A01|MSG00001|P|2.5\rPID|1||77\r\n\xFF\0\n";

fn archive_key() -> ArchiveKey {
    ArchiveKey::new([7; 32])
}

fn name_of(message: &[u8]) -> RawKey {
    let day = date(2026, 3, 9);
    RawKey::new("acme", day, b"GOOD HEALTH", b"MSG00001", message)
}

fn directory(root: &std::path::Path) -> DirectoryArchive {
    DirectoryArchive::new(root, archive_key(), Arc::new(SystemRandom))
}

fn kept(archive: &dyn RawArchive, message: &[u8]) -> bool {
    let kept = archive.get(&name_of(message)).unwrap();
    kept.is_some_and(|kept| *kept == message)
}
