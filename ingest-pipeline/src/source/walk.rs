//! From paths to files, in an order that is the same every time.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fhir_normalize::resource_type;

use crate::load::Cause;
use crate::{Error, MergedPatient, Result, TriggerMessage};

/// A file or pipe to read, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is called, where that isn't its path.
    pub(crate) name: Option<String>,
    /// The type that every resource in it has to have.
    pub(crate) resource_type: Option<&'static str>,
    /// `None` for standard input, and for an open file.
    pub(crate) path: Option<PathBuf>,
    /// Size in bytes as it is stored; 0 where it isn't known.
    pub(crate) size: u64,
    /// It is no file: it can be read only once, and may keep its reader waiting.
    pub(crate) piped: bool,
    /// One JSON text, not lines.
    pub(crate) document: bool,
    /// Its gzip stream, if it is one, is known to be whole.
    pub(crate) verified: bool,
    /// An open file, in place of one with a path.
    pub(crate) opened: Option<Opened>,
    /// What it is loaded for.
    pub(crate) cause: Option<Arc<Cause>>,
}

/// An open file, which may have no name any more.
#[derive(Clone, Debug)]
pub(crate) struct Opened(pub(crate) Arc<Mutex<File>>);

impl PartialEq for Opened {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Opened {}

impl Input {
    /// Standard input: lines of NDJSON, gzipped or not.
    #[must_use]
    pub const fn stdin() -> Self {
        Self {
            name: None,
            resource_type: None,
            path: None,
            size: 0,
            piped: true,
            document: false,
            verified: false,
            opened: None,
            cause: None,
        }
    }

    /// A file that is open already, and may have no name any more: lines of
    /// NDJSON, read from the beginning.
    #[must_use]
    pub fn opened(file: File, size: u64, name: String) -> Self {
        Self {
            name: Some(name),
            size,
            piped: false,
            opened: Some(Opened(Arc::new(Mutex::new(file)))),
            ..Self::stdin()
        }
    }

    /// The same input, loaded for an HL7 v2 message.
    #[must_use]
    pub fn caused_by(mut self, message: TriggerMessage) -> Self {
        self.cause_mut().message = Some(message);
        self
    }

    /// The same input, after which patients of the store are marked as merged
    /// into others.
    #[must_use]
    pub fn merging(mut self, patients: impl IntoIterator<Item = MergedPatient>) -> Self {
        self.cause_mut().merged.extend(patients);
        self
    }

    fn cause_mut(&mut self) -> &mut Cause {
        Arc::make_mut(self.cause.get_or_insert_default())
    }

    /// A file of an export, called `name`: lines of NDJSON, all of type
    /// `resource_type` where one is promised. Resources of another type are
    /// refused as `wrong-resource-type`. The file has been read to its end
    /// before, so that a gzip stream is known to be whole.
    #[must_use]
    pub fn exported(
        path: PathBuf,
        size: u64,
        name: String,
        resource_type: Option<&'static str>,
    ) -> Self {
        Self {
            name: Some(name),
            resource_type,
            path: Some(path),
            size,
            piped: false,
            verified: true,
            ..Self::stdin()
        }
    }

    /// The name for messages and for the quarantine.
    #[must_use]
    pub fn name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        self.path
            .as_ref()
            .map_or_else(|| "-".to_owned(), |path| path.display().to_string())
    }

    fn at(path: PathBuf, metadata: &Metadata) -> Self {
        let document = Kind::of(&path) == Some(Kind::Document);
        Self {
            path: Some(path),
            size: metadata.len(),
            piped: !metadata.is_file(),
            document,
            ..Self::stdin()
        }
    }

    /// Whether patients may stand behind those who refer to them, for all that
    /// the name says. Nothing depends on it.
    pub(crate) fn is_mixed(&self) -> bool {
        if self.piped || self.document || self.resource_type.is_some() {
            return false;
        }
        let name = self.path.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| {
            let name = name.to_string_lossy();
            let mut words = name.split(|letter: char| !letter.is_ascii_alphabetic());
            words.next().and_then(resource_type).is_none()
        })
    }

    /// Files that hold patients by their name: read first, so that most
    /// references to patients can be resolved at once. Nothing depends on it.
    pub(crate) fn is_patients(&self) -> bool {
        if let Some(resource_type) = self.resource_type {
            return resource_type == "Patient";
        }
        let name = self.path.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name.to_string_lossy().starts_with("Patient"))
    }
}

/// Files for `paths`: each file or pipe as given (`-` is standard input), each
/// folder with all below it by name. Files named `Patient…` come first.
///
/// In folders, files count that end in `.ndjson`, `.jsonl` or `.json`, also
/// with `.gz` behind, in small letters or large. Links to folders are not
/// followed. A warning says of each folder what else was there and not hidden.
///
/// # Errors
/// A path that can't be read, and a folder without such files.
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::stdin());
            continue;
        }
        let fail = |source| Error::Input {
            path: path.clone(),
            source,
        };
        let metadata = fs::metadata(path).map_err(fail)?;
        if !metadata.is_dir() {
            inputs.push(Input::at(path.clone(), &metadata));
            continue;
        }
        let before = inputs.len();
        let mut others = Vec::new();
        folder(path, &mut inputs, &mut others)?;
        if inputs.len() == before {
            return Err(Error::NoInput { path: path.clone() });
        }
        if let Some(first) = others.first() {
            tracing::warn!(
                folder = path.display().to_string(),
                count = others.len(),
                first = first.display().to_string(),
                "passed over in the folder, for its names: \
                 what ends in .ndjson, .jsonl or .json, or with .gz behind, is read"
            );
        }
    }
    inputs.sort_by_key(|input| !input.is_patients());
    Ok(inputs)
}

/// What is no input goes to `others`, unless it is hidden.
fn folder(path: &Path, inputs: &mut Vec<Input>, others: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |source| Error::Input {
        path: path.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(fail)? {
        entries.push(entry.map_err(fail)?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(fail)?.is_dir() {
            folder(&path, inputs, others)?;
            continue;
        }
        if Kind::of(&path).is_some() {
            let metadata = fs::metadata(&path).map_err(|source| Error::Input {
                path: path.clone(),
                source,
            })?;
            if metadata.is_file() {
                inputs.push(Input::at(path, &metadata));
                continue;
            }
        }
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            others.push(path);
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lines,
    Document,
}

impl Kind {
    /// By the name's ending.
    fn of(path: &Path) -> Option<Self> {
        let mut name = PathBuf::from(path.file_name()?.to_ascii_lowercase());
        if name.extension().is_some_and(|end| end == OsStr::new("gz")) {
            name.set_extension("");
        }
        match name.extension()?.to_str()? {
            "ndjson" | "jsonl" => Some(Self::Lines),
            "json" => Some(Self::Document),
            _ => None,
        }
    }
}
