//! The clock of a process, which jumps. A clock is a file that holds an
//! offset; a small library that is loaded before the C library adds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

const SOURCE: &str = include_str!("clock.c");

/// A clock that a process may be started with.
#[derive(Clone, Debug)]
pub(crate) struct JumpingClock {
    library: PathBuf,
    file: PathBuf,
}

impl JumpingClock {
    /// One that is right so far. None where there is no C compiler, or the
    /// system knows no such libraries.
    pub(crate) fn new(file: PathBuf) -> Option<Self> {
        let library = library()?.to_owned();
        let clock = Self { library, file };
        clock.set(0);
        Some(clock)
    }

    /// Lets it be wrong by so many milliseconds from now on, also for
    /// processes that run.
    pub(crate) fn set(&self, milliseconds: i64) {
        use std::io::{Seek as _, Write as _};
        let mut options = fs::OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.file);
        let mut file = file.expect("a file");
        file.rewind().expect("a file");
        file.write_all(&milliseconds.to_ne_bytes()).expect("a file");
    }

    pub(crate) fn give_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CAMPAIGN_CLOCK", &self.file);
    }
}

/// Made once.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let made = LIBRARY.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let folder = tempfile::tempdir().ok()?;
        let source = folder.path().join("clock.c");
        fs::write(&source, SOURCE).ok()?;
        let library = folder.path().join("libclock.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let output = compiler.arg(&library).arg(&source).output();
        let made = output.is_ok_and(|output| output.status.success());
        made.then_some((folder, library))
    });
    made.as_ref().map(|(_, path)| path.as_path())
}
