use std::io::{self, Write as _};

use ingest_pipeline::archive::RawKey;

use super::Site;
use crate::exit::{Exit, Failure};

pub(super) fn show(site: &Site<'_>, key: &str) -> Result<Exit, Failure> {
    let key = RawKey::parse(key)?;
    // The key begins with the tenant, as it was written then.
    let tenant = key.as_str().split('/').next();
    let Some(message) = site.archive_of(tenant)?.get(&site.state()?, &key)? else {
        return Err(
            Failure::new(Exit::Usage, "the archive has no message under this key").hint(
                "the key is the display of an entity of the Provenance, and of a dead letter",
            ),
        );
    };
    print(&message)
}

/// Bytes as they are, for a pipe or a file.
pub(super) fn print(message: &[u8]) -> Result<Exit, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(message).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Unexpected,
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(Exit::Ok),
    }
}
