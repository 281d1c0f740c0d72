//! What may stand in a file of this repository.

use std::sync::LazyLock;

use crate::finding::{Finding, assert_found, assert_none};
use crate::workspace::{FILES, METADATA, SourceFile};

/// Calls a library may make none of: output, environment, clock and waiting are its caller's.
const FORBIDDEN_IN_LIBRARIES: &[&str] = &[
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "dbg!",
    "std::env",
    "env::",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "thread::sleep",
];

/// Exceptions: file, call, reason.
const ALLOWED_IN_LIBRARIES: &[(&str, &str, &str)] = &[
    (
        "fhir-http/src/clock.rs",
        "SystemTime::now",
        "the clock that callers hand in",
    ),
    (
        "fhir-http/src/clock.rs",
        "thread::sleep",
        "the clock that callers hand in",
    ),
    (
        "hl7v2-adt/src/listener/clock.rs",
        "Instant::now",
        "the clock of the system's socket timeouts, which its deadlines are measured by",
    ),
    (
        "http-serve/src/clock.rs",
        "Instant::now",
        "the clock of the runtime, which its deadlines are measured by",
    ),
];

/// Marks of unfinished work. Written in two halves, for this file is checked as well.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[igno", "re"),
];

/// Paths of one machine and hosts of package mirrors.
const FOREIGN: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("registry.np", "mjs.org"),
    concat!("py", "pi.o", "rg"),
    concat!("files.python", "hosted.org"),
    concat!("proxy.go", "lang.org"),
    concat!("replace", "-with"),
];

const MAX_LINES: usize = 400;

/// `// length: <reason>` within these many lines excuses a longer file.
const TOP: usize = 20;

static LIBRARY_FOLDERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let libraries = METADATA
        .members()
        .filter(|p| p.is_published() && p.library().is_some());
    libraries
        .map(|package| format!("{}/src/", package.folder()))
        .collect()
});

type Allowance<'a> = (&'a str, &'a str, &'a str);

fn forbidden_calls(
    files: &[SourceFile],
    folders: &[String],
    allowed: &[Allowance<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = vec![false; allowed.len()];
    let in_library = |file: &&SourceFile| {
        has_extension(file, &["rs"]) && folders.iter().any(|folder| file.path.starts_with(folder))
    };
    for file in files.iter().filter(in_library) {
        for (number, line) in code_lines(&file.text) {
            let Some(call) = FORBIDDEN_IN_LIBRARIES
                .iter()
                .find(|call| has_word(line, call))
            else {
                continue;
            };
            match allowed
                .iter()
                .position(|(path, name, _)| *path == file.path && has_word(line, name))
            {
                Some(place) => used[place] = true,
                None => findings.push(Finding::at(
                    &file.path,
                    number,
                    format!("`{call}` in a library: take it as an argument"),
                )),
            }
        }
    }
    for ((path, call, _), _) in allowed.iter().zip(used).filter(|(_, used)| !used) {
        findings.push(Finding::new(
            *path,
            format!("no `{call}` there any more to allow"),
        ));
    }
    findings
}

/// Lines with their numbers, up to the unit tests and without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let numbered = (1..).zip(text[..tests].lines());
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn leftovers(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_written_by_hand(file)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(mark) = LEFTOVERS.iter().find(|mark| has_word(line, mark)) {
                findings.push(Finding::at(
                    &file.path,
                    number,
                    format!("`{mark}` is left over"),
                ));
            }
        }
    }
    findings
}

fn lengths(files: &[SourceFile]) -> Vec<Finding> {
    let excused = |file: &SourceFile| {
        let reason = |line: &str| {
            line.strip_prefix("// length: ")
                .is_some_and(|why| !why.trim().is_empty())
        };
        file.text.starts_with("// @generated") || file.text.lines().take(TOP).any(reason)
    };
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| has_extension(file, &["rs"])) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES && !excused(file) {
            let message = format!(
                "{lines} lines, {MAX_LINES} are allowed: split it, or say why not in a line \
                 `// length: <reason>` near the top"
            );
            findings.push(Finding::new(&file.path, message));
        }
    }
    findings
}

fn trailing_space(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| is_written_by_hand(file) || has_extension(file, &["csv"]))
    {
        for (number, line) in (1..).zip(file.text.split('\n')) {
            if line.ends_with(char::is_whitespace) {
                findings.push(Finding::at(&file.path, number, "white space at the end"));
            }
        }
    }
    findings
}

fn foreign(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The lock file names the registry; where packages come from is checked in the graph.
    for file in files.iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(name) = FOREIGN.iter().find(|name| has_word(line, name)) {
                findings.push(Finding::at(
                    &file.path,
                    number,
                    format!("`{name}` is of one machine"),
                ));
            }
        }
    }
    findings
}

/// Whether the text is there and is not the rest of a longer word or path.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let longer_word = word.starts_with(joins) && before.is_some_and(joins)
            || word.ends_with(joins) && after.is_some_and(joins);
        let longer_path =
            word.starts_with('/') && before.is_some_and(|c| joins(c) || ".-~}*".contains(c));
        !longer_word && !longer_path
    })
}

/// Sources and papers, in contrast to test data, which is kept as it was found.
fn is_written_by_hand(file: &SourceFile) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    has_extension(file, &["rs", "toml", "md", "sh", "yml", "yaml"]) || !name[1..].contains('.')
}

fn has_extension(file: &SourceFile, extensions: &[&str]) -> bool {
    file.path
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extensions.contains(&extension))
}

#[test]
fn libraries_leave_the_world_alone() {
    assert!(!LIBRARY_FOLDERS.is_empty());
    assert_none(&forbidden_calls(
        &FILES,
        &LIBRARY_FOLDERS,
        ALLOWED_IN_LIBRARIES,
    ));
}

#[test]
fn nothing_is_left_over() {
    assert_none(&leftovers(&FILES));
}

#[test]
fn files_are_short() {
    assert_none(&lengths(&FILES));
}

#[test]
fn lines_end_in_something() {
    assert_none(&trailing_space(&FILES));
}

#[test]
fn nothing_belongs_to_one_machine() {
    assert_none(&foreign(&FILES));
}

#[test]
fn forbidden_calls_are_found() {
    let text = "\
//! println! in a doc is fine
use std::{env, fs};
fn f() { eprintln!(\"x\"); }
    // thread::sleep in a comment is fine
fn g() { let now = SystemTime::now(); }
fn h() { env::var(\"X\"); my_env::var(); env!(\"X\"); }
fn i() { std::thread::sleep(d); }
#[cfg(test)]
mod tests {
    fn f() { println!(); }
}
";
    let files = [
        file("a/src/lib.rs", text),
        file("cli/src/main.rs", text),
        file("a/tests/it.rs", text),
    ];
    let folders = ["a/src/".to_owned()];
    let expected = [
        "a/src/lib.rs:3: `eprintln!` in a library",
        "a/src/lib.rs:5: `SystemTime::now` in a library",
        "a/src/lib.rs:6: `env::` in a library",
        "a/src/lib.rs:7: `thread::sleep` in a library",
    ];
    assert_found(&forbidden_calls(&files, &folders, &[]), &expected);

    let allowed = [
        ("a/src/lib.rs", "SystemTime::now", "the clock itself"),
        ("a/src/clock.rs", "SystemTime::now", "gone since"),
    ];
    let expected = [
        expected[0],
        expected[2],
        expected[3],
        "a/src/clock.rs: no `SystemTime::now`",
    ];
    assert_found(&forbidden_calls(&files, &folders, &allowed), &expected);
}

#[test]
fn leftovers_are_found() {
    for mark in LEFTOVERS {
        let files = [
            file("a.rs", &format!("fine\n// {mark}\n")),
            file("a.json", mark),
        ];
        assert_found(&leftovers(&files), &["a.rs:2: "]);
    }
    let longer: Vec<_> = LEFTOVERS.iter().map(|mark| format!("a{mark}")).collect();
    assert_found(
        &leftovers(&[file(".ci/run", &longer.join(" "))]),
        &[".ci/run:1: "],
    );
}

#[test]
fn long_files_are_found() {
    let long = "//\n".repeat(MAX_LINES + 1);
    let files = [
        file("long.rs", &long),
        file("short.rs", &long[3..]),
        file("long.md", &long),
        file("generated.rs", &format!("// @generated by a test\n{long}")),
        file(
            "excused.rs",
            &format!("//! Doc\n\n// length: one table\n{long}"),
        ),
        file("mute.rs", &format!("// length: \n{long}")),
        file("late.rs", &format!("{long}// length: one table\n")),
    ];
    assert_found(
        &lengths(&files),
        &["long.rs: 401 lines", "mute.rs: 402", "late.rs: 402"],
    );
}

#[test]
fn trailing_space_is_found() {
    let files = [
        file("a.md", "a\nb \n"),
        file("LICENSE", "a\t\n"),
        file("a.toml", "a\r\n"),
        file("a.hl7", "a \n"),
        file("b.rs", "a\n\nb\n"),
    ];
    assert_found(
        &trailing_space(&files),
        &["a.md:2: ", "LICENSE:1: ", "a.toml:1: "],
    );
}

#[test]
fn foreign_names_are_found() {
    for name in FOREIGN {
        let files = [
            file("a.json", &format!("\n\n\"{name}\"\n")),
            file("Cargo.lock", name),
        ];
        assert_found(&foreign(&files), &["a.json:3: "]);
    }
    let path = FOREIGN[0];
    let relative = format!("https://example.org{path} ..{path} a{path}");
    assert_none(&foreign(&[file("a.md", &relative)]));
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
