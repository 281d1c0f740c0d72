//! The folder of a plan, and the command in it.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fhir_http::{Clock as _, SystemClock};
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::binary;
use crate::clock::JumpingClock;

/// How long any command may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// The size of a small disk. Its pages are memory.
const DISK: &str = "size=24m,mode=700";

/// Where a plan works. What it tells goes elsewhere, so that a disk that is
/// full does not hide what is said about it.
pub(crate) struct Folder {
    temp: TempDir,
    mounted: bool,
    commands: AtomicU32,
}

/// What a command is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// The largest file it may write, in blocks of `ulimit -f`.
    pub(crate) file_blocks: Option<u64>,
    pub(crate) clock: Option<JumpingClock>,
}

impl Folder {
    /// On a disk of its own where this is wanted, and the user may mount one.
    pub(crate) fn new(own_disk: bool) -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        for name in ["work", "told"] {
            fs::create_dir(temp.path().join(name)).expect("a folder");
        }
        let work = temp.path().join("work");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&work);
        let mounted = own_disk && mount.output().is_ok_and(|done| done.status.success());
        Self {
            temp,
            mounted,
            commands: AtomicU32::new(0),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("work").join(name)
    }

    /// A place outside of what the plan works in.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join("told").join(name)
    }

    /// Writes a file that only its owner may read, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file in the folder")).expect("a folder");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        path
    }

    /// Bytes of everything in it, as far as it can be told while it changes.
    pub(crate) fn bytes(folder: &Path) -> u64 {
        let Ok(entries) = fs::read_dir(folder) else {
            return 0;
        };
        let size = |entry: fs::DirEntry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => Self::bytes(&entry.path()),
            _ => entry.metadata().map_or(0, |file| file.len()),
        };
        entries.flatten().map(size).sum()
    }

    /// Fills the disk but for so many bytes; false where it has none of its own.
    pub(crate) fn fill(&self, but: u64) -> bool {
        if !self.mounted {
            return false;
        }
        let block = [1; 4096];
        let mut filler = File::create(self.path("filler")).expect("a file");
        let mut written = 0;
        while filler.write_all(&block).is_ok() {
            written += block.len() as u64;
        }
        filler
            .set_len(written.saturating_sub(but))
            .expect("a file becomes shorter");
        true
    }

    /// The disk has room again.
    pub(crate) fn make_room(&self) {
        let _ = fs::remove_file(self.path("filler"));
    }

    /// Starts the command.
    pub(crate) fn start(&self, arguments: &[&str], limits: &Limits) -> Started {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let mut command = match limits.file_blocks {
            None => Command::new(binary()),
            Some(blocks) => {
                let mut shell = Command::new("sh");
                let script = r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#;
                shell.args(["-c", script, "sh", &blocks.to_string()]);
                shell.arg(binary());
                shell
            }
        };
        if let Some(clock) = &limits.clock {
            clock.give_to(&mut command);
        }
        let told = ["out", "err"].map(|name| self.beside(&format!("{number}.{name}")));
        let [stdout, stderr] = told
            .each_ref()
            .map(|path| File::create(path).expect("a file"));
        let child = command
            .args(arguments)
            .current_dir(self.path(""))
            .env("INGEST_KEY_PASSPHRASE", PASSPHRASE)
            .env_remove("INGEST_CONFIG")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .expect("the command starts");
        Started {
            child: Shared(Arc::new(Mutex::new(child))),
            told,
            arguments: arguments.join(" "),
        }
    }

    /// Runs the command to its end, undisturbed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments, &Limits::default()).wait()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.mounted {
            let mut umount = Command::new("umount");
            let _ = umount.arg("-l").arg(self.path("")).output();
        }
    }
}

/// A child that several threads look after, and none signals after its end.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Child>>);

impl Shared {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.child().try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// `kill -9`; it is gone afterwards.
    pub(crate) fn kill(&self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Another signal, by its name; whether it was still there to get it.
    pub(crate) fn signal(&self, name: &str) -> bool {
        let mut child = self.child();
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return false;
        }
        let mut kill = Command::new("kill");
        kill.arg(format!("-{name}")).arg(child.id().to_string());
        kill.output().is_ok_and(|done| done.status.success())
    }
}

/// A command under way. Dropped, it is killed.
pub(crate) struct Started {
    pub(crate) child: Shared,
    told: [PathBuf; 2],
    arguments: String,
}

impl Started {
    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        read(&self.told[1])
    }

    /// What it has written to standard output so far.
    pub(crate) fn out(&self) -> String {
        read(&self.told[0])
    }

    /// All that it writes to standard output, byte for byte.
    pub(crate) fn out_at_end(self) -> Vec<u8> {
        eventually(PATIENCE, || self.child.is_over());
        fs::read(&self.told[0]).unwrap_or_default()
    }

    /// Waits until it has ended. One that does not is killed, and told of.
    pub(crate) fn wait(self) -> Ran {
        let ended = eventually(PATIENCE, || self.child.is_over());
        if !ended {
            let _ = self.child.signal("CONT");
            self.child.kill();
        }
        let status = self.child.child().wait().expect("a child");
        Ran {
            code: status.code(),
            signal: status.signal(),
            hung: !ended,
            json: serde_json::from_str(&self.out()).ok(),
            log: self.log(),
            arguments: self.arguments.clone(),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let mut child = self.child.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A command that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// It would not end.
    pub(crate) hung: bool,
    /// The one object on standard output.
    pub(crate) json: Option<Value>,
    pub(crate) log: String,
    arguments: String,
}

impl Ran {
    /// A number of the summary.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.json.as_ref()?.get(name)?.as_u64()
    }

    /// For messages: what was run and how it ended.
    pub(crate) fn told(&self) -> String {
        let json = self.json.as_ref().map(Value::to_string);
        let last: Vec<_> = self.log.lines().rev().take(4).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        format!(
            "`ingest {}`: code {:?}, signal {:?}{}\n  {}\n  {}",
            self.arguments,
            self.code,
            self.signal,
            if self.hung { ", it did not end" } else { "" },
            json.unwrap_or_default(),
            last.join("\n  ")
        )
    }
}

/// Whether something comes about in that time.
pub(crate) fn eventually(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let from = SystemClock.now();
    while !is_so() {
        if SystemClock.now().duration_since(from).unwrap_or_default() > patience {
            return false;
        }
        SystemClock.sleep(Duration::from_millis(2));
    }
    true
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Of key rings that are made for a plan and gone with it.
const PASSPHRASE: &str = "passphrase of a campaign";
