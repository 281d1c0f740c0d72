//! A folder where commands run whose every output is searched.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::canary;
use super::disk::{assert_clean, assert_owner_only, files};
use crate::util::{Ran, Sandbox};

/// Commands whose standard output is content: whoever calls them asks for it.
/// What they log is searched like that of all others.
const CONTENT: &[&[&str]] = &[
    &["normalize"],
    &["quarantine", "show"],
    &["quarantine", "export"],
    &["adt", "dead-letters", "show"],
    &["adt", "raw", "show"],
];

/// Every level of the log, in both forms.
pub(super) const LEVELS: &[&[&str]] = &[
    &["--quiet"],
    &[],
    &["-v"],
    &["-vv", "--log-format", "json"],
    &["-vvv"],
    &["-vvv", "--log-format", "json"],
];

pub(super) struct Audit {
    folder: Sandbox,
    /// What the test wrote itself.
    given: RefCell<BTreeSet<PathBuf>>,
    /// Folders that are for content.
    content: RefCell<Vec<PathBuf>>,
    /// Folders that are for everybody.
    public: RefCell<Vec<PathBuf>>,
    environment: Vec<(&'static str, String)>,
}

impl Audit {
    pub(super) fn new() -> Self {
        let folder = Sandbox::new();
        fs::create_dir(folder.path("tmp")).expect("a folder");
        let given = BTreeSet::from([folder.path("tmp")]);
        Self {
            folder,
            given: RefCell::new(given),
            content: RefCell::default(),
            public: RefCell::default(),
            environment: Vec::new(),
        }
    }

    /// With a variable that the configuration may refer to.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// A file that is not searched, for it is where the canaries come from. Only
    /// its owner may read it.
    pub(super) fn give(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.write(name, content);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&path, mode).expect("a mode");
        }
        let mut given = self.given.borrow_mut();
        let above = path
            .ancestors()
            .take_while(|it| *it != self.folder.path(""));
        given.extend(above.map(Path::to_owned));
        path
    }

    /// What is below this is content, and only for its owner.
    pub(super) fn is_content(&self, name: &str) {
        self.content.borrow_mut().push(self.folder.path(name));
    }

    /// What is below this is searched, and may be read by everybody.
    pub(super) fn is_public(&self, name: &str) {
        self.public.borrow_mut().push(self.folder.path(name));
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// The command, in a shell's place that leaves every mode to it.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let plain = self.folder.command(arguments);
        let mut command = match cfg!(unix) {
            true => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
                shell.arg(plain.get_program()).args(arguments);
                shell
            }
            false => plain,
        };
        command
            .current_dir(self.folder.path(""))
            .env_remove("INGEST_CONFIG")
            .env("TMPDIR", self.folder.path("tmp"))
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that may tell nothing.
    #[track_caller]
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output();
        self.examine(arguments, Ran::of(output.expect("the command runs")))
    }

    /// The same with these bytes on its standard input.
    #[track_caller]
    pub(super) fn run_with_stdin(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self.start(arguments, Stdio::piped());
        let mut stdin = child.stdin.take().expect("piped");
        // The command may end before it has read everything.
        let _ = std::io::Write::write_all(&mut stdin, input);
        drop(stdin);
        let output = child.wait_with_output().expect("the command ends");
        self.examine(arguments, Ran::of(output))
    }

    pub(super) fn start(&self, arguments: &[&str], stdin: Stdio) -> Child {
        let mut command = self.command(arguments);
        command.stdin(stdin);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the command starts")
    }

    #[track_caller]
    pub(super) fn examine(&self, arguments: &[&str], ran: Ran) -> Ran {
        let is_content = CONTENT.iter().any(|own| arguments.starts_with(own));
        let what = format!("{arguments:?}");
        canary::assert_none(&format!("the log of {what}"), ran.stderr.as_bytes());
        if !is_content {
            canary::assert_none(&format!("the output of {what}"), &ran.stdout);
        }
        assert!(!ran.stderr.contains("panicked"), "{what}: {}", ran.stderr);
        let left = files(&self.path("tmp"));
        assert!(left.is_empty(), "{what} left {left:?}");
        ran
    }

    /// Runs a command that is there to show content, and does.
    #[track_caller]
    pub(super) fn shows(&self, arguments: &[&str]) {
        let ran = self.run(arguments);
        let found = canary::find(&ran.stdout);
        assert!(
            found.is_some(),
            "{arguments:?} shows nothing: {}",
            ran.stderr
        );
    }

    /// Searches everything that the commands left on the disk, and looks who may
    /// read it.
    #[track_caller]
    pub(super) fn assert_disk(&self) {
        self.assert_disk_but(&[]);
    }

    /// The same but for these folders, which are for content at the moment.
    #[track_caller]
    pub(super) fn assert_disk_but(&self, folders: &[&str]) {
        let given = self.given.borrow();
        let content = self.content.borrow();
        let mut written = files(&self.path(""));
        written.retain(|path| !given.contains(path));
        // First all of them: to look into a database may end its journal.
        let public = self.public.borrow();
        let is_public = |path: &&PathBuf| public.iter().any(|own| path.starts_with(own));
        for path in written.iter().filter(|path| !is_public(path)) {
            assert_owner_only(path);
            let above = path.ancestors().skip(1);
            let above = above.take_while(|it| *it != self.path(""));
            above
                .filter(|it| !given.contains(*it))
                .for_each(assert_owner_only);
        }
        let but = folders.iter().map(|name| self.path(name));
        let content: Vec<_> = content.iter().cloned().chain(but).collect();
        written.retain(|path| !content.iter().any(|folder| path.starts_with(folder)));
        assert!(!written.is_empty(), "nothing is there");
        written.iter().for_each(|path| assert_clean(path));
    }

    /// Arguments and environment of a process, and of those it started, if any:
    /// none of ours does.
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub(super) fn assert_process(&self, child: &Child) {
        let folder = PathBuf::from(format!("/proc/{}", child.id()));
        let arguments = fs::read(folder.join("cmdline")).expect("a process");
        assert!(arguments.windows(6).any(|part| part == b"ingest"));
        canary::assert_none("the arguments", &arguments);
        let environment = fs::read(folder.join("environ")).expect("a process");
        let mut own = environment.split(|byte| *byte == 0);
        // What the caller put there is for the process alone.
        let ours = |entry: &[u8]| {
            let mut names = self.environment.iter().map(|(name, _)| name);
            names.any(|name| entry.starts_with(format!("{name}=").as_bytes()))
        };
        assert!(own.all(|entry| ours(entry) || canary::find(entry).is_none()));
        for task in fs::read_dir(folder.join("task")).expect("threads") {
            // A thread may end meanwhile, and a kernel may not tell.
            let path = task.expect("a thread").path().join("children");
            let children = fs::read_to_string(path).unwrap_or_default();
            assert_eq!(children, "", "a process starts others");
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn assert_process(&self, _: &Child) {}
}
