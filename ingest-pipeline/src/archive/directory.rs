use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use fhir_http::Random;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::seal::Sealer;
use super::{ANOTHER, ArchiveKey, RawArchive, RawKey, belong_together};
use crate::{Error, Result, private};

/// An archive in a folder: one sealed file a message, folders 0700 and files
/// 0600 where the system has modes.
///
/// A file is written under a temporary name, synced, given its name, and its
/// folder synced. What a crash leaves under temporary names is removed by the
/// first message that goes into the same folder afterwards. Symbolic links
/// inside the archive are not followed.
///
/// Nothing is remembered that a removed folder or a full disk would make
/// wrong, so that messages are kept again as soon as that is mended.
pub struct DirectoryArchive {
    root: PathBuf,
    sealer: Sealer,
    /// Folders that are on the disk for good. It saves syncs, no more.
    lasting: RwLock<HashSet<PathBuf>>,
}

impl DirectoryArchive {
    /// The archive in `root`, sealed with `key`. Nothing is touched yet; the
    /// folder is made when it is needed.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, key: ArchiveKey, random: Arc<dyn Random>) -> Self {
        Self {
            root: root.into(),
            sealer: Sealer::new(&key, random),
            lasting: RwLock::default(),
        }
    }
}

impl RawArchive for DirectoryArchive {
    fn put(&self, key: &RawKey, message: &[u8]) -> Result<()> {
        belong_together(key, message)?;
        let path = self.root.join(key.as_str());
        let is_there = self.holds(key, message)?;
        let written = self.again_if_removed(|| {
            let folder = self.folder_of(key)?;
            let is_ours = !is_there && self.write(key, message, &folder, &path)?;
            // Also for a file of another: its name may not be on the disk yet.
            sync(&folder).map(|()| is_ours)
        });
        let is_ours = written.map_err(|source| failed("write", &path, source))?;
        if !is_there && !is_ours && !self.holds(key, message)? {
            let source = io::Error::new(ErrorKind::NotFound, "removed while it was written");
            return Err(failed("write", &path, source));
        }
        Ok(())
    }

    fn get(&self, key: &RawKey) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let path = self.root.join(key.as_str());
        let sealed = self
            .read(key)
            .map_err(|source| failed("read", &path, source))?;
        let open = |sealed| {
            let opened = self.sealer.open(key, sealed);
            opened.map_err(|problem| not_usable(&path, problem))
        };
        sealed.map(open).transpose()
    }

    fn check(&self) -> Result<()> {
        let written = self.again_if_removed(|| {
            self.make(&self.root)?;
            let mut part = part(&self.root)?;
            part.write_all(b"check")?;
            part.as_file().sync_all()?;
            part.close()
        });
        written.map_err(|source| failed("write", &self.root, source))
    }
}

impl DirectoryArchive {
    /// Whether the message is there already.
    fn holds(&self, key: &RawKey, message: &[u8]) -> Result<bool> {
        match self.get(key)? {
            Some(kept) if *kept == message => Ok(true),
            Some(_) => Err(not_usable(&self.root.join(key.as_str()), ANOTHER)),
            None => Ok(false),
        }
    }

    fn read(&self, key: &RawKey) -> io::Result<Option<Vec<u8>>> {
        let mut path = self.root.clone();
        let mut parts = key.as_str().split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            let is_folder = parts.peek().is_some();
            match path.symlink_metadata() {
                Ok(found) if is_folder && found.is_dir() || !is_folder && found.is_file() => {}
                Ok(_) => {
                    let problem = "a symbolic link, or not of the kind that belongs there";
                    return Err(io::Error::new(ErrorKind::InvalidData, problem));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        fs::read(path).map(Some)
    }

    /// Writes the file of a message; `false` when another was faster.
    fn write(&self, key: &RawKey, message: &[u8], folder: &Path, path: &Path) -> io::Result<bool> {
        let sealed = self.sealer.seal(key, message).map_err(io::Error::other)?;
        let mut part = part(folder)?;
        part.write_all(&sealed)?;
        part.as_file().sync_all()?;
        match part.persist_noclobber(path) {
            Ok(_) => Ok(true),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// The folder of a message, made to last.
    fn folder_of(&self, key: &RawKey) -> io::Result<PathBuf> {
        let mut folder = self.root.clone();
        self.make(&folder)?;
        let (folders, _) = key.as_str().rsplit_once('/').unwrap_or_default();
        for name in folders.split('/') {
            folder.push(name);
            self.make(&folder)?;
        }
        Ok(folder)
    }

    /// Makes a folder that lasts, and removes what a crash left in it.
    fn make(&self, folder: &Path) -> io::Result<()> {
        /// Folders of yesterday are of no use.
        const MOST: usize = 1000;

        let lasting = self.lasting.read().unwrap_or_else(PoisonError::into_inner);
        if lasting.contains(folder) {
            return Ok(());
        }
        drop(lasting);
        create(folder)?;
        sweep(folder);
        let mut lasting = self.lasting.write().unwrap_or_else(PoisonError::into_inner);
        if lasting.len() >= MOST {
            lasting.clear();
        }
        lasting.insert(folder.to_owned());
        Ok(())
    }

    /// Does it once more from the start where a folder was removed that was
    /// thought to last.
    fn again_if_removed<T>(&self, action: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match action() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let lasting = self.lasting.write();
                lasting.unwrap_or_else(PoisonError::into_inner).clear();
                action()
            }
            result => result,
        }
    }
}

impl fmt::Debug for DirectoryArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryArchive")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// Makes a folder, and what is missing above it, and syncs the folder above
/// also where it was there: whoever made it may not have done so yet.
fn create(folder: &Path) -> io::Result<()> {
    let builder = private::folder();
    let above = match folder.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    let mut created = builder.create(folder);
    if created
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    {
        create(above)?;
        created = builder.create(folder);
    }
    match created {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) if !folder.is_dir() => return Err(ErrorKind::NotADirectory.into()),
        _ => {}
    }
    sync(above)
}

/// Makes the names in a folder last.
fn sync(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder can't be opened.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

const PREFIX: &str = ".";
const SUFFIX: &str = ".part";

/// A file under a temporary name, only for its owner. As long as it is open it
/// is locked, which tells it from what a crash left.
fn part(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let part = tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(SUFFIX)
            .tempfile_in(folder)?;
        // Where files can't be locked, `sweep` removes none.
        let _ = part.as_file().lock();
        let found = part.path().symlink_metadata();
        let is_swept = found.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        // That may happen before it is locked.
        if !is_swept {
            return Ok(part);
        }
    }
}

/// Removes what a crash left. It does no harm, so it may fail.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) || !name.ends_with(SUFFIX) {
            continue;
        }
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let file = is_file.then(|| File::open(entry.path()));
        if let Some(Ok(file)) = file
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Archive {
        action,
        path: path.to_owned(),
        source,
    }
}

fn not_usable(path: &Path, problem: &'static str) -> Error {
    Error::ArchivedMessage {
        place: path.display().to_string(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_spares_what_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let part = part(folder.path()).unwrap();
        sweep(folder.path());
        assert!(part.path().exists());
        // As a killed process leaves it.
        let (file, path) = part.keep().unwrap();
        drop(file);
        sweep(folder.path());
        assert!(!path.exists());
    }
}
