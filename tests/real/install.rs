//! The server's Python environment.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Installs sekmet-fhir unless it is there, and gives the Python that has it;
/// else says what is missing.
pub(crate) fn sekmet() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sekmet-fhir");
    let python = folder.join("bin").join("python");
    // Two test runs may share a target folder.
    let lock = File::create(folder.with_extension("lock")).expect("a file under target");
    lock.lock().expect("a lock");

    let marker = folder.join("installed");
    let installed = fs::read_to_string(&marker).is_ok_and(|with| with == REQUIREMENTS);
    if installed && imports(&python) {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&folder);
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).expect("a file under target");
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args([
            "--disable-pip-version-check",
            "--retries=2",
            "--only-binary=:all:",
        ])
        .arg("--requirement")
        .arg(&requirements))?;
    fs::write(&marker, REQUIREMENTS).expect("a file under target");
    Ok(python)
}

/// Whether this Python runs and has the server: the one it was made from may be
/// gone since.
fn imports(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import sekmet"]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command to its end; says what was wrong where it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    Err(format!("{name}: {}", last.unwrap_or("fails")))
}
