//! Every member's manifest and README.

use std::fs;

use serde_json::json;
use toml::{Table, Value};

use crate::finding::{Finding, assert_found, assert_none};
use crate::workspace::{METADATA, Package, root};

/// A member with the files the checks look at.
struct Member<'a> {
    package: &'a Package,
    /// Path of the manifest from the root.
    path: String,
    manifest: Table,
    readme: bool,
    /// Whether the texts of both licences are beside it.
    licences: bool,
    /// Source of the library target.
    library: Option<String>,
}

/// Files that every package has to bring along.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Line that makes the README the documentation of the crate, and its code blocks doctests.
const README_IS_DOC: &str = "#![doc = include_str!(\"../README.md\")]";

impl<'a> Member<'a> {
    fn read(package: &'a Package) -> Self {
        let text = fs::read_to_string(&package.manifest_path).expect("cargo has read it as well");
        Self {
            package,
            path: format!("{}/Cargo.toml", package.folder()),
            manifest: text.parse().expect("cargo has read it as well"),
            readme: package.manifest_path.with_file_name("README.md").is_file(),
            licences: LICENCES.iter().all(|name| {
                fs::read(package.manifest_path.with_file_name(name)).ok()
                    == fs::read(root().join(name)).ok()
            }),
            library: package
                .library()
                .and_then(|t| fs::read_to_string(&t.src_path).ok()),
        }
    }

    fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::new(&self.path, message)
    }

    fn check(&self) -> Vec<Finding> {
        let mut findings = self.inheritance();
        findings.extend(self.bench_switches());
        findings.extend(self.dependencies("", &self.manifest));
        for (target, table) in self
            .manifest
            .get("target")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            let table = table.as_table().into_iter();
            findings.extend(
                table.flat_map(|table| self.dependencies(&format!("target.{target}."), table)),
            );
        }
        findings.extend(self.documentation());
        findings.extend(self.publication());
        findings
    }

    fn inheritance(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let inherits = |value: Option<&Value>| {
            value
                .and_then(|value| value.get("workspace"))
                .and_then(Value::as_bool)
                == Some(true)
        };
        let package = self.manifest.get("package");
        // Members that are never published keep 0.0.0, and are in no package.
        let published = ["version", "include"].into_iter();
        let published = published.filter(|_| self.package.is_published());
        for key in ["edition", "rust-version", "license"]
            .into_iter()
            .chain(published)
        {
            if !inherits(package.and_then(|package| package.get(key))) {
                findings.push(self.finding(format!("package.{key} is not `workspace = true`")));
            }
        }
        if !inherits(self.manifest.get("lints").map(|_| &self.manifest["lints"])) {
            findings.push(self.finding("[lints] is not `workspace = true`"));
        }
        findings
    }

    /// Without `bench = false` libtest's own runner refuses the arguments meant for criterion.
    fn bench_switches(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for target in &self.package.targets {
            let is = |kind: &str| target.kind.iter().any(|name| name == kind);
            let section = if is("lib") || is("proc-macro") {
                self.manifest.get("lib")
            } else if is("bin") {
                let bins = self.manifest.get("bin").and_then(Value::as_array);
                let named =
                    |bin: &&Value| bin.get("name").and_then(Value::as_str) == Some(&target.name);
                bins.and_then(|bins| bins.iter().find(named))
            } else {
                continue;
            };
            if section
                .and_then(|s| s.get("bench"))
                .and_then(Value::as_bool)
                != Some(false)
            {
                findings
                    .push(self.finding(format!("target {} lacks `bench = false`", target.name)));
            }
        }
        findings
    }

    fn dependencies(&self, prefix: &str, table: &Table) -> Vec<Finding> {
        let mut findings = Vec::new();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in table
                .get(section)
                .and_then(Value::as_table)
                .into_iter()
                .flatten()
            {
                // A crate that tests itself with more features names its own folder.
                let own = value.get("path").and_then(Value::as_str) == Some(".")
                    && value.get("version").is_none();
                if value.get("workspace").and_then(Value::as_bool) != Some(true) && !own {
                    let message = "versions belong in the root manifest, use `workspace = true`";
                    findings.push(self.finding(format!("{prefix}{section}.{name}: {message}")));
                }
            }
        }
        findings
    }

    fn documentation(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.package.is_published() {
            return findings;
        }
        if !self.readme {
            findings.push(self.finding("README.md is missing beside it"));
        }
        if let Some(library) = &self.library
            && library.lines().next() != Some(README_IS_DOC)
        {
            findings.push(self.finding(format!("src/lib.rs does not start with {README_IS_DOC}")));
        }
        findings
    }

    /// What a registry wants to know, within its limits.
    fn publication(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.package.is_published() {
            return findings;
        }
        let value = |key: &str| self.manifest.get("package").and_then(|p| p.get(key));
        if value("description").and_then(Value::as_str).is_none() {
            findings.push(self.finding("package.description is missing"));
        }
        if value("readme").and_then(Value::as_str) != Some("README.md") {
            findings.push(self.finding("package.readme is not README.md"));
        }
        for key in ["keywords", "categories"] {
            let list = value(key).and_then(Value::as_array);
            if !list.is_some_and(|list| (1..=5).contains(&list.len())) {
                findings.push(self.finding(format!("package.{key} has not one to five entries")));
            }
        }
        if !self.licences {
            let names = LICENCES.join(" and ");
            findings.push(self.finding(format!("{names} of the root are not beside it")));
        }
        findings
    }
}

#[test]
fn manifests_follow_the_workspace() {
    let findings: Vec<_> = METADATA
        .members()
        .flat_map(|p| Member::read(p).check())
        .collect();
    assert_none(&findings);
}

/// Every member inherits the lints; this is the one that nothing may allow again.
#[test]
fn unsafe_code_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: Table = manifest.parse().unwrap();
    let lint = &manifest["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(lint.as_str(), Some("forbid"));
}

#[test]
fn a_good_manifest_passes() {
    let manifest = "
        [package]
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        include.workspace = true
        description = 'What it is for'
        readme = 'README.md'
        keywords = ['fhir']
        categories = ['science']
        [lib]
        bench = false
        [[bin]]
        name = 'ingest'
        bench = false
        [lints]
        workspace = true
        [dependencies]
        thiserror.workspace = true
        [target.'cfg(unix)'.dev-dependencies]
        some = { path = '.', features = ['more'] }
        tempfile = { workspace = true }";
    assert_none(&check(manifest, json!(null), true, README_IS_DOC));
}

#[test]
fn every_check_can_fail() {
    let manifest = "
        [package]
        version = '0.1.0'
        edition.workspace = false
        rust-version = '1.89'
        [lib]
        [[bin]]
        name = 'other'
        bench = false
        [dependencies]
        thiserror = '2'
        [target.'cfg(unix)'.dev-dependencies]
        some = { path = '.', version = '0.1.0' }
        tempfile = { version = '3' }";
    let expected = [
        "package.edition is not",
        "package.rust-version is not",
        "package.license is not",
        "package.version is not",
        "package.include is not",
        "[lints] is not",
        "target some_lib lacks",
        "target ingest lacks",
        "some/Cargo.toml: dependencies.thiserror: versions belong",
        "target.cfg(unix).dev-dependencies.some: versions belong",
        "target.cfg(unix).dev-dependencies.tempfile: versions belong",
        "README.md is missing",
        "src/lib.rs does not start with",
        "package.description is missing",
        "package.readme is not",
        "package.keywords has not",
        "package.categories has not",
        "LICENSE-APACHE and LICENSE-MIT of the root",
    ];
    assert_found(
        &check(manifest, json!(null), false, "//! Docs\n"),
        &expected,
    );
    // Unpublished packages are free to have their own version and documentation.
    let expected = [&expected[..3], &expected[5..11]].concat();
    assert_found(&check(manifest, json!([]), false, "//! Docs\n"), &expected);
}

fn check(manifest: &str, publish: serde_json::Value, readme: bool, library: &str) -> Vec<Finding> {
    let package = serde_json::from_value(json!({
        "id": "some", "name": "some", "publish": publish,
        "targets": [
            { "kind": ["lib"], "name": "some_lib", "src_path": "" },
            { "kind": ["bin"], "name": "ingest", "src_path": "" },
            { "kind": ["test"], "name": "it", "src_path": "" },
        ],
    }));
    let member = Member {
        package: &package.unwrap(),
        path: "some/Cargo.toml".to_owned(),
        manifest: manifest.parse().unwrap(),
        readme,
        licences: readme,
        library: Some(library.to_owned()),
    };
    member.check()
}
