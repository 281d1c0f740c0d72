//! Who may know whom, and what may be in the graph at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::json;
use toml::{Table, Value};

use crate::finding::{Finding, assert_found, assert_none};
use crate::policy::{Ban, POLICY};
use crate::workspace::{METADATA, Metadata, root};

/// Every crate of the family with the ones it may depend on. Dev-dependencies are free.
const FAMILY: &[(&str, &[&str])] = &[
    ("fhir-json", &[]),
    ("fhir-provenance", &[]),
    ("hl7v2-adt", &[]),
    ("jose-keys", &[]),
    ("fhir-http", &[]),
    ("fhir-http-serve", &[]),
    ("fhir-normalize", &["fhir-json"]),
    (
        "fhir-resource-store",
        &["fhir-json", "fhir-provenance", "fhir-http"],
    ),
    ("jwks-publisher", &["jose-keys", "fhir-http-serve"]),
    ("smart-auth", &["jose-keys", "fhir-http"]),
    ("fhir-bulk", &["fhir-http"]),
    (
        "ingest-pipeline",
        &[
            "fhir-json",
            "fhir-provenance",
            "fhir-normalize",
            "fhir-resource-store",
            "hl7v2-adt",
            "jose-keys",
            "fhir-http",
            "fhir-http-serve",
            "jwks-publisher",
            "smart-auth",
            "fhir-bulk",
        ],
    ),
    // The sandbox is for `ingest demo`.
    ("ingest-cli", &["ingest-pipeline", "ehr-sandbox"]),
    // It fetches the keys of its clients.
    ("ehr-sandbox", &["fhir-http", "fhir-http-serve"]),
];

/// Third parties that belong to some crates only, dev-dependencies included.
const CONFINED: &[(&[&str], &[&str], &str)] = &[
    (
        &["rusqlite"],
        &["fhir-resource-store", "ingest-pipeline"],
        "opens databases",
    ),
    (&["ureq"], &["fhir-http"], "connects out"),
    (
        &["hyper", "hyper-util", "tokio", "tokio-rustls"],
        &["fhir-http-serve"],
        "libraries are synchronous",
    ),
    (
        &["flate2"],
        &["ingest-pipeline", "fhir-http", "fhir-bulk", "ehr-sandbox"],
        "packs, and unpacks under a cap",
    ),
    (
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "indicatif",
            "signal-hook",
        ],
        &["ingest-cli"],
        "is for the command line",
    ),
];

/// Crates that others still want in an older version, with who does.
const OLDER_VERSIONS: &[(&str, &str)] = &[("getrandom", "ring is on 0.2")];

/// How cargo names a package's source where that is a registry. `deny.toml` says which one.
const REGISTRY: &str = "registry+";

fn direction(metadata: &Metadata) -> Vec<Finding> {
    let family: BTreeMap<_, _> = FAMILY.iter().copied().collect();
    let mut findings = Vec::new();
    for package in metadata.members().filter(|package| package.is_published()) {
        let name = &package.name;
        let Some(allowed) = family.get(name.as_str()) else {
            findings.push(Finding::new(
                name,
                "is not in FAMILY of tests/tidy/dependencies.rs",
            ));
            continue;
        };
        let edges = package
            .dependencies
            .iter()
            .filter(|edge| edge.kind.as_deref() != Some("dev"));
        for edge in edges.filter(|edge| metadata.members().any(|member| member.name == edge.name)) {
            if !allowed.contains(&edge.name.as_str()) {
                let message = format!("may not depend on {} (FAMILY lists {allowed:?})", edge.name);
                findings.push(Finding::new(name, message));
            }
        }
    }
    findings
}

fn confinement(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.members().filter(|package| package.is_published()) {
        for (names, owners, why) in CONFINED {
            if owners.contains(&package.name.as_str()) {
                continue;
            }
            for edge in package
                .dependencies
                .iter()
                .filter(|e| names.contains(&e.name.as_str()))
            {
                let message = format!("{} {why}: only in {}", edge.name, owners.join(" and "));
                findings.push(Finding::new(&package.name, message));
            }
        }
    }
    findings
}

fn bans(metadata: &Metadata, banned: &[Ban]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        for ban in banned.iter().filter(|ban| ban.name == package.name) {
            let message = format!("banned by deny.toml: {}", ban.reason);
            findings.push(Finding::new(&package.name, message));
        }
    }
    findings
}

fn origin(metadata: &Metadata) -> Vec<Finding> {
    let foreign = metadata
        .packages
        .iter()
        .filter(|package| match &package.source {
            Some(source) => !source.starts_with(REGISTRY),
            None => !metadata.workspace_members.contains(&package.id),
        });
    let finding = |name: &String| Finding::new(name, "comes neither from here nor the registry");
    foreign.map(|package| finding(&package.name)).collect()
}

fn json_features(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata
        .packages
        .iter()
        .filter(|package| package.name == "serde_json")
    {
        for node in metadata
            .resolve
            .nodes
            .iter()
            .filter(|node| node.id == package.id)
        {
            for feature in ["arbitrary_precision", "preserve_order"] {
                if node.features.iter().any(|name| name == feature) {
                    let message = format!("feature {feature} changes the embedder's whole build");
                    findings.push(Finding::new("serde_json", message));
                }
            }
        }
    }
    findings
}

fn second_versions(metadata: &Metadata, chosen: &[String]) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata
        .packages
        .iter()
        .filter(|package| chosen.contains(&package.name))
    {
        versions
            .entry(&package.name)
            .or_default()
            .insert(major(&package.version));
    }
    let older = |name: &str| OLDER_VERSIONS.iter().any(|(known, _)| *known == name);
    versions.retain(|name, majors| majors.len() > 1 && !older(name));
    let finding = |(name, majors)| {
        Finding::new(
            name,
            format!("is in the graph in several major versions: {majors:?}"),
        )
    };
    versions.into_iter().map(finding).collect()
}

/// The part of a version that has to be the same for two to be compatible.
fn major(version: &str) -> &str {
    let significant = version
        .find(|c: char| c != '0' && c != '.')
        .unwrap_or(version.len());
    let end = version[significant..].find(['.', '-', '+']);
    end.map_or(version, |end| &version[..significant + end])
}

/// Names of the third parties in `[workspace.dependencies]`.
fn chosen(root_manifest: &str) -> Vec<String> {
    let manifest: Table = root_manifest.parse().expect("the root manifest");
    let dependencies = manifest["workspace"]["dependencies"].as_table();
    let third_parties = dependencies
        .into_iter()
        .flatten()
        .filter(|(_, d)| d.get("path").is_none());
    let name = |(key, value): (&String, &Value)| {
        value
            .get("package")
            .and_then(Value::as_str)
            .unwrap_or(key)
            .to_owned()
    };
    third_parties.map(name).collect()
}

#[test]
fn dependencies_point_downwards() {
    assert_none(&direction(&METADATA));
}

#[test]
fn third_parties_stay_where_they_belong() {
    assert_none(&confinement(&METADATA));
}

#[test]
fn banned_crates_are_absent() {
    assert_none(&bans(&METADATA, &POLICY.banned));
}

#[test]
fn packages_come_from_the_registry() {
    assert_none(&origin(&METADATA));
}

#[test]
fn serde_json_keeps_its_meaning() {
    assert!(
        METADATA
            .packages
            .iter()
            .any(|package| package.name == "serde_json")
    );
    assert_none(&json_features(&METADATA));
}

#[test]
fn chosen_crates_have_one_version() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let chosen = chosen(&manifest);
    assert!(chosen.iter().any(|name| name == "serde_json"), "{chosen:?}");
    assert_none(&second_versions(&METADATA, &chosen));
}

#[test]
fn every_check_can_fail() {
    let metadata: Metadata = serde_json::from_value(json!({
        "packages": [
            {
                "id": "json", "name": "fhir-json",
                "dependencies": [
                    { "name": "fhir-resource-store", "kind": null },
                    { "name": "ureq", "kind": "dev" },
                    { "name": "thiserror", "kind": null },
                ],
            },
            {
                "id": "store", "name": "fhir-resource-store",
                "dependencies": [
                    { "name": "fhir-json", "kind": null },
                    { "name": "fhir-normalize", "kind": "build" },
                    { "name": "unheard-of", "kind": "dev" },
                    { "name": "rusqlite", "kind": null },
                ],
            },
            { "id": "normalize", "name": "fhir-normalize", "dependencies": [] },
            { "id": "new", "name": "unheard-of", "dependencies": [] },
            {
                "id": "tests", "name": "ingest-tests", "publish": [],
                "dependencies": [{ "name": "unheard-of" }, { "name": "flate2" }],
            },
            { "id": "rsa", "name": "rsa", "source": REGISTRY },
            { "id": "git", "name": "forked", "source": "git+https://example.org/forked" },
            { "id": "beside", "name": "beside", "source": null },
            { "id": "serde_json", "name": "serde_json", "version": "1.0.1", "source": REGISTRY },
            { "id": "old", "name": "digest", "version": "0.10.7", "source": REGISTRY },
            { "id": "older", "name": "digest", "version": "0.11.3", "source": REGISTRY },
        ],
        "workspace_members": ["json", "store", "normalize", "new", "tests"],
        "resolve": { "nodes": [{ "id": "serde_json", "features": ["preserve_order", "std"] }] },
    }))
    .unwrap();

    let expected = [
        "fhir-json: may not depend on fhir-resource-store",
        "fhir-resource-store: may not depend on fhir-normalize",
        "unheard-of: is not in FAMILY",
    ];
    assert_found(&direction(&metadata), &expected);
    assert_found(
        &confinement(&metadata),
        &["fhir-json: ureq connects out: only in fhir-http"],
    );
    assert_found(
        &bans(&metadata, &POLICY.banned),
        &["rsa: banned by deny.toml: open advisory"],
    );
    assert_found(
        &origin(&metadata),
        &["forked: comes neither", "beside: comes neither"],
    );
    assert_found(
        &json_features(&metadata),
        &["serde_json: feature preserve_order"],
    );

    let manifest = "[workspace.dependencies]\nserde_json = '1'\nfhir-json = { path = 'fhir-json' }\n\
                    hash = { version = '0.11', package = 'digest' }\n";
    assert_eq!(chosen(manifest), ["digest", "serde_json"]);
    assert_found(
        &second_versions(&metadata, &chosen(manifest)),
        &["digest: is in the graph in several"],
    );
}

#[test]
fn majors_are_those_of_semver() {
    let cases = [
        ("1.2.3", "1"),
        ("12.0.1", "12"),
        ("0.11.3", "0.11"),
        ("0.0.3", "0.0.3"),
    ];
    for (version, expected) in cases {
        assert_eq!(major(version), expected, "{version}");
    }
    assert_eq!(major("0.25.1+spec-1.1.0"), "0.25");
    assert_eq!(major("2.0.0-rc.1"), "2");
}
