//! The store back to files.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use fhir_store::ResourceStore;

use crate::{Error, Result, private};

/// One file that [`export`] wrote.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// The resource type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// The file.
    pub file: PathBuf,
    /// Resources in it.
    pub resources: u64,
}

/// Bodies read at a time.
const SLICE: usize = 4 << 20;

/// Writes the current resources of a store, without those deleted, as NDJSON
/// into `folder`: one file a type, all types or those given.
///
/// A file appears under its name when it is whole; one of that name that was
/// there before is replaced.
///
/// Types become names of files, so nothing but types of FHIR R4 is taken, also
/// from the store.
///
/// # Errors
/// When one of the types is none of FHIR R4, before anything is written; when
/// the store can't be read or a file can't be written.
pub fn export(
    store: &mut dyn ResourceStore,
    types: Option<&[String]>,
    folder: &Path,
) -> Result<Vec<Exported>> {
    let types = match types {
        Some(types) => types.to_vec(),
        None => store.types()?,
    };
    if let Some(name) = types.iter().find(|name| !crate::is_resource_type(name)) {
        return Err(Error::ResourceType { name: name.clone() });
    }
    // What is in it is patient data, so a new folder is for its owner only.
    private::folder()
        .recursive(true)
        .create(folder)
        .map_err(|source| output(folder, source))?;
    types
        .into_iter()
        .map(|resource_type| one(store, resource_type, folder))
        .collect()
}

fn one(store: &mut dyn ResourceStore, resource_type: String, folder: &Path) -> Result<Exported> {
    let file = folder.join(format!("{resource_type}.ndjson"));
    let fail = |source| output(&file, source);
    // Temporary files are readable by their owner only, as patient data is.
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    let mut out = BufWriter::new(temporary);
    let mut resources = 0;
    let mut after = 0;
    loop {
        let slice = store.scan(Some(&resource_type), after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.sequence;
        for body in slice.iter().filter_map(|stored| stored.body.as_deref()) {
            out.write_all(body.as_bytes()).map_err(fail)?;
            out.write_all(b"\n").map_err(fail)?;
            resources += 1;
        }
    }
    let temporary = out.into_inner().map_err(|error| fail(error.into_error()))?;
    temporary
        .persist(&file)
        .map_err(|error| fail(error.error))?;
    Ok(Exported {
        resource_type,
        file,
        resources,
    })
}

fn output(path: &Path, source: std::io::Error) -> Error {
    Error::Output {
        path: path.to_owned(),
        source,
    }
}
