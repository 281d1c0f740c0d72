//! Inputs to begin with: written here, from the tests of this repository, and
//! from a folder of somebody's own.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What a target begins with.
#[derive(Clone, Copy)]
pub(crate) struct Seeds {
    /// Written for it.
    pub(crate) own: fn() -> Vec<Vec<u8>>,
    /// Folders and files of this repository.
    pub(crate) places: &'static [&'static str],
    /// Names of the files that fit, or parts of them.
    pub(crate) names: &'static [&'static str],
    pub(crate) split: Split,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// A file is an input.
    Whole,
    /// Each of its lines is.
    Lines,
    /// It is, and of a long one the beginning.
    Start,
}

/// Longer ones only make it slow.
const LONGEST: u64 = 8 * 1024;
/// Of files that are read, and of inputs from one file.
const LONGEST_FILE: u64 = 8 * 1024 * 1024;
const MOST_OF_ONE: usize = 64;
const MOST: usize = 4000;

impl Seeds {
    /// Those written for it alone.
    pub(crate) const fn written(own: fn() -> Vec<Vec<u8>>) -> Self {
        Self {
            own,
            places: &[],
            names: &[],
            split: Split::Whole,
        }
    }

    /// All of them, with those of `more`.
    pub(crate) fn gather(&self, more: &[PathBuf]) -> io::Result<Vec<Vec<u8>>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for place in self.places {
            self.find(&root.join(place), &mut files)?;
        }
        for place in more {
            self.find(place, &mut files)?;
        }
        let mut inputs = (self.own)();
        for file in files {
            let bytes = fs::read(file)?;
            match self.split {
                Split::Whole => inputs.push(bytes),
                Split::Start => inputs.push(bytes[..bytes.len().min(LONGEST as usize)].to_vec()),
                Split::Lines => {
                    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
                    let fits = |line: &Vec<u8>| !line.is_empty() && line.len() as u64 <= LONGEST;
                    inputs.extend(lines.filter(fits).take(MOST_OF_ONE));
                }
            }
        }
        inputs.retain(|input| input.len() as u64 <= LONGEST);
        inputs.truncate(MOST);
        Ok(inputs)
    }

    /// Files that fit, in the order of their names.
    fn find(&self, place: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
        if place.is_dir() {
            let mut entries = fs::read_dir(place)?
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()?;
            entries.sort();
            return entries.iter().try_for_each(|entry| self.find(entry, files));
        }
        let name = place.to_string_lossy();
        let longest = match self.split {
            Split::Whole => LONGEST,
            Split::Lines | Split::Start => LONGEST_FILE,
        };
        if self.names.iter().any(|part| name.ends_with(part)) && place.metadata()?.len() <= longest
        {
            files.push(place.to_owned());
        }
        Ok(())
    }
}

/// Texts as inputs.
pub(crate) fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
