//! The command that is tried.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The command as it was built for this profile. It belongs to another
/// package, so it is brought up to date here, once for the whole run.
/// `INGEST_BIN` names another one, such as a release build for figures.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("INGEST_BIN") {
            return path.into();
        }
        let own = std::env::current_exe().expect("the path of this program");
        let folder = own.parent().expect("target/PROFILE");
        // Tests are one folder below.
        let folder = match folder.file_name() {
            Some(name) if name == "deps" => folder.parent().expect("target/PROFILE"),
            _ => folder,
        };
        let profile = match folder.file_name().and_then(OsStr::to_str) {
            Some("debug") | None => "dev",
            Some(profile) => profile,
        };
        let mut cargo = Command::new(env!("CARGO"));
        // What Cargo says about this package is not for the build of another:
        // build scripts that look at it would run again each time.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        let status = cargo
            .args(["build", "--quiet", "--package", "ingest-cli"])
            .args(["--profile", profile, "--target-dir"])
            .arg(folder.parent().expect("target"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(status.is_ok_and(|status| status.success()), "a build");
        folder.join(format!("ingest{}", std::env::consts::EXE_SUFFIX))
    })
}
