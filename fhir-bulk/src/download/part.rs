use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::stream::{Tee, Validator};
use super::{BUFFER, beside};
use crate::{Error, FileId, OutputFile, Result};

/// From how many bytes on a part is worth a note while it is written. Less is
/// asked for again where a process is killed, and most files of an export are
/// spared a second file that is made and removed.
const NOTED: u64 = 4 * 1024 * 1024;

/// A file that is being written: its bytes so far, and beside it what they
/// are bytes of.
pub(super) struct Part {
    file: File,
    id: FileId,
    path: PathBuf,
    length: u64,
    sha: Sha256,
    /// What has yet to be written beside it.
    note: Option<Note>,
}

/// What is beside a part.
#[derive(Serialize, Deserialize)]
struct Note {
    /// SHA-256 of the file's URL, which may be a secret itself.
    url: String,
    validator: Validator,
}

impl Part {
    /// An empty one, in place of what was there. Without a validator it is of
    /// no use to a later run.
    pub(super) fn create(
        path: &Path,
        file: &OutputFile,
        validator: Option<&Validator>,
    ) -> Result<Self> {
        let fail = |source| disk(file.id(), "creating it", source);
        Self::remove(path);
        let part = private(&beside(path, PART)).map_err(fail)?;
        let note = validator.map(|validator| Note {
            url: digest(&file.url),
            validator: validator.clone(),
        });
        Ok(Self {
            file: part,
            id: file.id(),
            path: path.to_owned(),
            length: 0,
            sha: Sha256::new(),
            note,
        })
    }

    /// What an earlier run left of the same file.
    pub(super) fn kept(path: &Path, file: &OutputFile) -> Result<Option<(Self, Validator)>> {
        let Some(note) = fs::read(beside(path, NOTE))
            .ok()
            .and_then(|note| serde_json::from_slice::<Note>(&note).ok())
        else {
            return Ok(None);
        };
        let part = OpenOptions::new()
            .read(true)
            .write(true)
            .open(beside(path, PART));
        let Ok(mut part) = part else {
            return Ok(None);
        };
        if note.url != digest(&file.url) {
            return Ok(None);
        }
        let mut sha = Sha256::new();
        let length =
            hash(&mut part, &mut sha).map_err(|source| disk(file.id(), "reading it", source))?;
        let part = Self {
            file: part,
            id: file.id(),
            path: path.to_owned(),
            length,
            sha,
            note: None,
        };
        Ok(Some((part, note.validator)))
    }

    /// Lets a later run go on with it, where it has a validator.
    pub(super) fn note(&mut self) -> Result<()> {
        let Some(note) = self.note.take() else {
            return Ok(());
        };
        let note = serde_json::to_vec(&note).unwrap_or_default();
        private(&beside(&self.path, NOTE))
            .and_then(|mut file| file.write_all(&note))
            .map_err(|source| disk(self.id.clone(), "noting what it is", source))
    }

    /// Its length so far.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The same, with a reader of what it holds.
    pub(super) fn with_reader(self) -> Result<(Self, Option<File>)> {
        // A handle of its own: the other one stays at the end.
        let reader = File::open(beside(&self.path, PART))
            .map_err(|source| disk(self.id.clone(), "reading it", source))?;
        Ok((self, Some(reader)))
    }

    /// Gives it its name, for good. Its length and SHA-256.
    pub(super) fn deliver(self) -> Result<(u64, [u8; 32])> {
        let fail = |action| move |source| (action, source);
        let delivered = self
            .file
            .sync_all()
            .map_err(fail("syncing it"))
            .and_then(|()| {
                fs::rename(beside(&self.path, PART), &self.path).map_err(fail("naming it"))
            })
            .and_then(|()| sync_folder(&self.path).map_err(fail("syncing its folder")));
        delivered.map_err(|(action, source)| disk(self.id.clone(), action, source))?;
        if self.note.is_none() {
            let _ = fs::remove_file(beside(&self.path, NOTE));
        }
        Ok((self.length, self.sha.finalize().into()))
    }

    /// Removes it.
    pub(super) fn discard(self) {
        Self::remove(&self.path);
    }

    /// Removes what there is for `path`. What can't be removed is found by
    /// whoever creates the next one.
    pub(super) fn remove(path: &Path) {
        for suffix in [NOTE, PART] {
            let _ = fs::remove_file(beside(path, suffix));
        }
    }
}

impl Tee for &mut Part {
    fn pass(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|source| disk(self.id.clone(), "writing it", source))?;
        self.sha.update(bytes);
        self.length += bytes.len() as u64;
        if self.length < NOTED {
            return Ok(());
        }
        self.note()
    }
}

const PART: &str = ".part";
const NOTE: &str = ".part.json";

fn disk(file: FileId, action: &'static str, source: io::Error) -> Error {
    Error::Disk {
        file,
        action,
        source,
    }
}

/// A new file that nobody else may read: it holds health data.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a new name last.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder can't be opened.
    if cfg!(unix) {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Hashes a file from its start and leaves it at its end.
fn hash(file: &mut File, sha: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut length = 0;
    file.seek(SeekFrom::Start(0))?;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(length);
        }
        sha.update(&buffer[..read]);
        length += read as u64;
    }
}

fn digest(url: &str) -> String {
    Sha256::digest(url.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
