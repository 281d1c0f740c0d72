//! What is measured.

// Not all that measure it ask for all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::{env, fs};

/// NDJSON in memory.
pub(crate) struct Input {
    lines: Vec<Vec<u8>>,
}

impl Input {
    /// The folder of `.ndjson` files that `INGEST_BENCH_DATA` names, else the
    /// committed sample. Patients come first, so that those known by their
    /// medical record number are known before they are referenced.
    pub(crate) fn load() -> Self {
        let mut files = match env::var_os("INGEST_BENCH_DATA") {
            Some(folder) => ndjson_files(Path::new(&folder)),
            None => vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("data/synthea.ndjson")],
        };
        let is_other = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            !name.to_string_lossy().starts_with("Patient")
        };
        files.sort_by_key(|path| (is_other(path), path.clone()));
        let mut lines = Vec::new();
        for file in files {
            let text =
                fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let own = text.split(|&byte| byte == b'\n');
            lines.extend(own.filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
        }
        assert!(!lines.is_empty(), "no resources to measure with");
        Self { lines }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines().map(|line| line.len() + 1).sum()
    }

    /// All of it as one text.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.bytes());
        for line in self.lines() {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        text
    }
}

fn ndjson_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "ndjson")
        })
        .collect()
}
