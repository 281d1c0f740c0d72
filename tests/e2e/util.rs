//! A folder to work in, and the command to run in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::binary;
use crate::dump::Dump;

/// How the header of a JWT may begin, and its claims after it. Less than that
/// a run's or a key's id may have by chance.
pub(crate) const JWT: [&str; 4] = ["eyJhbGci", "eyJ0eXAi", "eyJraWQi", ".eyJ"];

/// A folder of its own for each test; commands run in it, with an environment
/// that holds nothing of the developer's.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file in the sandbox")).expect("a folder");
        fs::write(&path, content).expect("a file");
        path
    }

    pub(crate) fn lines<T: AsRef<str>>(&self, name: &str, lines: &[T]) -> PathBuf {
        let text: String = lines
            .iter()
            .map(|line| format!("{}\n", line.as_ref()))
            .collect();
        self.write(name, text)
    }

    /// The command, not started yet.
    pub(crate) fn command<I: IntoIterator>(&self, arguments: I) -> Command
    where
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("INGEST_CONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run<I: IntoIterator>(&self, arguments: I) -> Ran
    where
        I::Item: AsRef<OsStr>,
    {
        Ran::of(self.command(arguments).output().expect("the command runs"))
    }

    /// Runs the command with this on its standard input.
    pub(crate) fn run_with_stdin<I: IntoIterator>(&self, arguments: I, input: &[u8]) -> Ran
    where
        I::Item: AsRef<OsStr>,
    {
        let mut child = self.spawn(arguments);
        // The command may end before it has read everything.
        let _ = child.stdin.take().expect("piped").write_all(input);
        Ran::of(child.wait_with_output().expect("the command ends"))
    }

    /// Starts the command with pipes to it.
    pub(crate) fn spawn<I: IntoIterator>(&self, arguments: I) -> Child
    where
        I::Item: AsRef<OsStr>,
    {
        self.command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts")
    }

    /// `ingest load --json` of paths into `ingest.db`: the summary.
    pub(crate) fn load<P: AsRef<OsStr>>(&self, paths: &[P]) -> Value {
        self.load_with(&[], paths, 0)
    }

    /// The same with options, and with the exit code to expect.
    pub(crate) fn load_with<P: AsRef<OsStr>>(
        &self,
        options: &[&str],
        paths: &[P],
        exit: i32,
    ) -> Value {
        let arguments = ["load", "--json"].iter().chain(options).map(OsStr::new);
        let ran = self.run(arguments.chain(paths.iter().map(AsRef::as_ref)));
        let summary = ran.exits(exit).json();
        assert_balances(&summary);
        summary
    }

    /// A reader of `ingest.db`, as any user of SQLite is.
    pub(crate) fn reader(&self) -> Connection {
        open(&self.path("ingest.db"))
    }

    pub(crate) fn dump(&self) -> Dump {
        Dump::of(&self.reader())
    }

    /// Rows of a query on `ingest.db`, columns as text with `|` between.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        query(&self.reader(), sql)
    }
}

/// A command that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.text(),
            self.stderr
        );
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output, which has to be exactly one JSON object on one line.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        assert_eq!(text.lines().count(), 1, "one line: {text}");
        assert!(text.ends_with('\n'), "a whole line: {text}");
        let value: Value = serde_json::from_str(&text).expect("JSON on standard output");
        assert!(value.is_object(), "{text}");
        value
    }

    /// The code of the error that standard output tells of.
    #[track_caller]
    pub(crate) fn error_code(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        assert!(!text("message").is_empty(), "{json}");
        assert!(error.get("hint").is_some(), "{json}");
        text("code")
    }
}

/// The two equations of every summary, also for each type.
#[track_caller]
pub(crate) fn assert_balances(summary: &Value) {
    let sum = |value: &Value, names: &[&str]| -> u64 {
        let number = |name: &&str| {
            let count = value[*name].as_u64();
            count.unwrap_or_else(|| panic!("no {name} in {summary}"))
        };
        names.iter().map(number).sum()
    };
    let outcomes = ["created", "updated", "unchanged", "deleted", "quarantined"];
    assert_eq!(sum(summary, &["resources"]), sum(summary, &outcomes));
    let writes = sum(summary, &["created", "updated", "deleted"]);
    assert_eq!(sum(summary, &["provenance"]), writes);
    let types = summary["by_type"].as_object().expect("by_type");
    for counts in types.values() {
        assert_eq!(sum(counts, &["resources"]), sum(counts, &outcomes));
    }
    for name in outcomes.iter().chain(&["resources", "remediated"]) {
        let by_type: u64 = types.values().map(|counts| sum(counts, &[name])).sum();
        assert_eq!(by_type, sum(summary, &[name]), "{name}");
    }
}

/// Asserts members of a summary.
#[track_caller]
pub(crate) fn assert_counts(summary: &Value, counts: &[(&str, u64)]) {
    for (name, count) in counts {
        assert_eq!(summary[*name].as_u64(), Some(*count), "{name} in {summary}");
    }
}

/// Reads the log of a command that runs with `-v` up to a line with this text.
/// The rest is to be kept as long as the command may want to write.
pub(crate) fn until_logged(child: &mut Child, text: &str) -> BufReader<ChildStderr> {
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        let read = log.read_line(&mut line).expect("UTF-8 on standard error");
        assert!(read > 0, "the log ends without {text}");
    }
    log
}

/// Tells whoever runs the tests something, with `--nocapture`.
#[expect(
    clippy::print_stderr,
    reason = "what was left out, and figures, are to be seen"
)]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

/// Opens a store as a reader that knows nothing of this project.
pub(crate) fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database")
}

/// Rows with their columns as text, `|` between.
pub(crate) fn query(reader: &Connection, sql: &str) -> Vec<String> {
    let mut statement = reader.prepare(sql).expect("SQL");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells: Result<Vec<_>, _> = (0..columns).map(|at| crate::dump::cell(row, at)).collect();
        Ok(cells?.join("|"))
    });
    let rows: Result<Vec<_>, _> = rows.expect("rows").collect();
    rows.expect("rows")
}

/// A file of this package's data.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}
