use std::fs;
use std::path::{Path, PathBuf};

use super::{Data, Resource};
use crate::{Error, Result};

impl Data {
    /// The resources of all `.ndjson` and `.jsonl` files right in a folder, in
    /// the order of the files' names. Each line keeps its bytes.
    ///
    /// Every patient is a member of group [`Data::ALL`]; Group resources among
    /// the data are groups as well.
    ///
    /// # Errors
    /// When there are no such files, something can't be read, or a line has no JSON, `resourceType` or
    /// `id`.
    pub fn from_ndjson_folder(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let mut data = Self::default();
        for path in files(folder)? {
            let text = fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
            for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
                if line.trim().is_empty() {
                    continue;
                }
                let resource = Resource::parse(line.to_owned()).map_err(|lacks| Error::Line {
                    path: path.clone(),
                    line: number,
                    lacks,
                })?;
                data.push(resource);
            }
        }
        Ok(data)
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("ndjson" | "jsonl")) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Error::Empty {
            path: folder.to_owned(),
        });
    }
    paths.sort();
    Ok(paths)
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}
