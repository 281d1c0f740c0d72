//! Files that change while nobody looks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::random::Random;

/// A database as it was, with what belongs to it.
pub(crate) struct Copy(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Copy {
    pub(crate) fn of(database: &Path) -> Self {
        // The file of the lock says whether it was set up.
        let files = parts(database)
            .into_iter()
            .chain([beside(database, ".lock")]);
        let read = |path: PathBuf| {
            let content = fs::read(&path).ok();
            (path, content)
        };
        Self(files.map(read).collect())
    }

    /// Puts it back in place of whatever is there.
    pub(crate) fn put_back(&self) {
        for (path, content) in &self.0 {
            match content {
                Some(content) => fs::write(path, content).expect("a file"),
                None => drop(fs::remove_file(path)),
            }
        }
        // A WAL is not for the index of another one.
        if let Some((path, _)) = self.0.first() {
            let _ = fs::remove_file(beside(path, "-shm"));
        }
    }
}

/// Takes a database away.
pub(crate) fn remove(database: &Path) {
    for path in parts(database) {
        let _ = fs::remove_file(path);
    }
    let _ = fs::remove_file(beside(database, "-shm"));
}

/// Database and write-ahead log.
fn parts(database: &Path) -> [PathBuf; 2] {
    [database.to_owned(), beside(database, "-wal")]
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Changes bytes of a database or its log: what was done, or nothing where
/// there is nothing yet.
pub(crate) fn damage(database: &Path, random: &mut Random) -> Option<String> {
    let there = parts(database);
    let there: Vec<_> = there
        .iter()
        .filter(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0))
        .collect();
    if there.is_empty() {
        return None;
    }
    let path = *random.pick(&there);
    let mut content = fs::read(path).ok()?;
    let length = content.len() as u64;
    let done = match random.below(8) {
        0 => {
            let from = random.below(length) / 4096 * 4096;
            let to = (from + 4096).min(length);
            content[from as usize..to as usize].fill(0);
            format!("zeros from {from} on")
        }
        1 => {
            let pages = random.below(length / 4096 + 1);
            content.truncate((pages * 4096) as usize);
            format!("cut to {} of {length}", content.len())
        }
        _ => {
            // Most of a database is free space, in which nothing can happen.
            let at = (0..100)
                .map(|_| random.below(length) as usize)
                .find(|at| content[*at] != 0)?;
            let many = random.within(1, 16) as usize;
            let to = (at + many).min(content.len());
            for byte in &mut content[at..to] {
                *byte ^= random.within(1, 255) as u8;
            }
            format!("{} bytes at {at} of {length}", to - at)
        }
    };
    fs::write(path, content).expect("a file");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!("{name}: {done}"))
}

/// Cuts a file somewhere: where, or nothing where it is empty.
pub(crate) fn cut(path: &Path, random: &mut Random) -> Option<u64> {
    let content = fs::read(path).ok()?;
    let kept = random.below(content.len() as u64);
    if content.is_empty() {
        return None;
    }
    fs::write(path, &content[..kept as usize]).expect("a file");
    Some(kept)
}

/// All files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all.extend(files(&entry.path())),
            _ => all.push(entry.path()),
        }
    }
    all.sort();
    all
}
