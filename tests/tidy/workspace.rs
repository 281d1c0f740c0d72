//! The workspace as cargo and git see it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use serde::Deserialize;

/// `cargo metadata` with all features, so that optional dependencies are in the graph.
pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let offline = cargo_metadata(&["--offline"]);
    // A build leaves out the packages of other platforms; metadata wants them all.
    let text = offline.or_else(|_| cargo_metadata(&[]));
    let text = text.unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    serde_json::from_slice(&text).expect("cargo metadata in format version 1")
});

/// The UTF-8 files of the workspace.
pub(crate) static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let paths = tracked().unwrap_or_else(|| {
        let mut paths = Vec::new();
        walk(Path::new(""), &mut paths);
        paths
    });
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).ok()?;
        Some(SourceFile { path, text })
    };
    let files: Vec<_> = paths.into_iter().filter_map(read).collect();
    assert!(
        files.iter().any(|file| file.path == "Cargo.toml"),
        "no files of the workspace found"
    );
    files
});

/// The part of `cargo metadata` that the checks look at.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) license: Option<String>,
    /// None for a path dependency.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// Empty where publishing is off.
    #[serde(default)]
    pub(crate) publish: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or none for a normal dependency.
    #[serde(default)]
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) name: String,
    pub(crate) src_path: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package with the features that the whole graph has switched on.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
}

/// A file of the workspace, by its path from the root with forward slashes.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Metadata {
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }
}

impl Package {
    /// Whether the package is for other people; the tests, examples and benches are not.
    pub(crate) fn is_published(&self) -> bool {
        self.publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
    }

    pub(crate) fn library(&self) -> Option<&Target> {
        self.targets
            .iter()
            .find(|target| target.kind.iter().any(|kind| kind == "lib"))
    }

    /// Folder of the package, from the root.
    pub(crate) fn folder(&self) -> String {
        let folder = self
            .manifest_path
            .parent()
            .expect("a manifest is in a folder");
        relative(folder)
    }
}

/// Root folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the workspace")
}

fn cargo_metadata(more: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--all-features"])
        .args(more)
        .current_dir(root())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What git tracks or would add; none where there is no git.
fn tracked() -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .ok()?;
    let paths: Vec<_> = String::from_utf8(output.stdout)
        .ok()?
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder))
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = folder.join(entry.file_name());
        match entry.file_type() {
            // In a worktree `.git` is a file with an absolute path in it.
            _ if path == Path::new("target") || path == Path::new(".git") => {}
            Ok(kind) if kind.is_file() => paths.push(slashed(&path)),
            Ok(kind) if kind.is_dir() => walk(&path, paths),
            _ => {}
        }
    }
}

fn relative(path: &Path) -> String {
    slashed(path.strip_prefix(root()).unwrap_or(path))
}

fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

#[test]
fn walking_finds_what_git_tracks() {
    let mut walked = Vec::new();
    walk(Path::new(""), &mut walked);
    for file in ["Cargo.toml", "tests/tidy/main.rs", ".ci/run"] {
        assert!(walked.iter().any(|path| path == file), "{file}");
        assert!(FILES.iter().any(|tracked| tracked.path == file), "{file}");
    }
}
