//! HL7's own examples: what is stored is what came in, but for what
//! normalization names.

use std::fs;
use std::path::PathBuf;

use fhir_json::{Kind, Tape, Value};
use rusqlite::Row;
use serde_json::Value as Json;

use crate::util::{Sandbox, assert_counts, data};

/// All examples where `FHIR_TEST_DATA` names a folder that has them as
/// `r4-examples/TYPE.ndjson`, else those committed here.
fn folder() -> PathBuf {
    match std::env::var_os("FHIR_TEST_DATA") {
        Some(folder) => PathBuf::from(folder).join("r4-examples"),
        None => data("r4"),
    }
}

/// A resource as it came in.
struct Received {
    resource_type: String,
    id: Option<String>,
    text: String,
}

/// A version as it is stored, with the paths its Provenance names.
struct Stored {
    resource_type: String,
    source_id: String,
    body: String,
    mended: Vec<String>,
}

#[test]
fn stored_bodies_are_the_examples() {
    let sandbox = Sandbox::new();
    let summary = sandbox.load(&[folder()]);
    assert_eq!(summary["state"], "completed");
    let received = received();
    let stored = stored(&sandbox);
    assert!(received.len() >= 140);
    assert_counts(&summary, &[("provenance", stored.len() as u64)]);

    let mut seen = vec![false; received.len()];
    for version in &stored {
        let of_id = |received: &&(usize, &Received)| {
            received.1.resource_type == version.resource_type
                && received
                    .1
                    .id
                    .as_ref()
                    .is_none_or(|id| *id == version.source_id)
        };
        let candidates: Vec<_> = received.iter().enumerate().collect();
        let candidates: Vec<_> = candidates.iter().filter(of_id).collect();
        let mut found = false;
        let mut closest: Option<Vec<String>> = None;
        for (at, candidate) in candidates {
            let differences = differences(&candidate.text, version);
            if differences.is_empty() {
                seen[*at] = true;
                found = true;
            } else if closest
                .as_ref()
                .is_none_or(|all| all.len() > differences.len())
            {
                closest = Some(differences);
            }
        }
        let Stored {
            resource_type,
            source_id,
            ..
        } = version;
        assert!(found, "{resource_type}/{source_id}: {closest:?}");
    }
    for (received, seen) in received.iter().zip(seen) {
        let Received {
            resource_type, id, ..
        } = received;
        assert!(seen, "{resource_type}/{id:?} is not stored");
    }
}

/// Every resource of the files, Bundles taken apart as the load does.
fn received() -> Vec<Received> {
    let mut all = Vec::new();
    let mut files: Vec<_> = fs::read_dir(folder())
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.retain(|file| file.extension().is_some_and(|end| end == "ndjson"));
    let mut tape = Tape::new();
    for file in files {
        let text = fs::read(&file).expect("a file");
        for line in text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let root = tape.parse(line).expect("JSON").root();
            let bundle_type = root.get("type").and_then(Value::as_str).unwrap_or_default();
            let apart = ["transaction", "batch", "collection", "searchset", "history"];
            if !is(root, "Bundle") || !apart.contains(&&*bundle_type) {
                all.push(read(root));
                continue;
            }
            let entries = root.get("entry").expect("entries").elements();
            let carried_out = entries.filter(|entry| {
                let text = |pointer| entry.pointer(pointer).and_then(Value::as_str);
                let operation = text("/request/url").is_some_and(|url| url.contains('$'));
                let outcome = text("/search/mode").is_some_and(|mode| mode == "outcome");
                !operation && !outcome
            });
            all.extend(
                carried_out
                    .filter_map(|entry| entry.get("resource"))
                    .map(read),
            );
        }
    }
    all
}

fn is(resource: Value<'_>, name: &str) -> bool {
    resource
        .get("resourceType")
        .is_some_and(|value| value.is_str(name))
}

fn read(resource: Value<'_>) -> Received {
    let text = |name| resource.get(name).and_then(Value::as_str);
    Received {
        resource_type: text("resourceType").expect("a type").into_owned(),
        id: text("id").map(Into::into),
        text: resource.raw().to_owned(),
    }
}

fn stored(sandbox: &Sandbox) -> Vec<Stored> {
    let reader = sandbox.reader();
    let sql = "SELECT v.type, v.source_id, v.body, p.body
               FROM resource_versions v JOIN provenances p
                 ON p.target_type = v.type AND p.target_id = v.id AND p.target_version = v.version
               WHERE v.deleted = 0";
    let mut statement = reader.prepare(sql).expect("the views");
    let version = |row: &Row<'_>| {
        let provenance: String = row.get(3)?;
        let provenance: Json = serde_json::from_str(&provenance).expect("JSON");
        let mended = provenance["extension"].as_array().into_iter().flatten();
        let mended = mended.filter_map(|extension| {
            let path = extension["extension"][0]["valueString"].as_str()?;
            Some(path.to_owned())
        });
        Ok(Stored {
            resource_type: row.get(0)?,
            source_id: row.get(1)?,
            body: row.get(2)?,
            mended: mended.collect(),
        })
    };
    let rows = statement.query_map([], version).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// Paths at which a stored version differs from what came in, without those
/// at which it may.
fn differences(received: &str, version: &Stored) -> Vec<String> {
    let (mut first, mut second) = (Tape::new(), Tape::new());
    let received = first.parse(received.as_bytes()).expect("JSON");
    let stored = second.parse(version.body.as_bytes()).expect("JSON");
    let mut all = Vec::new();
    compare(
        Some(received.root()),
        Some(stored.root()),
        &version.resource_type,
        &mut all,
    );
    let named = |path: &str| {
        let path = path.replace("._", ".");
        path == format!("{}.id", version.resource_type)
            || version
                .mended
                .iter()
                .any(|mended| path.starts_with(mended.as_str()))
    };
    all.retain(|path| !named(path));
    all
}

/// Numbers are compared by their digits.
fn compare(
    received: Option<Value<'_>>,
    stored: Option<Value<'_>>,
    path: &str,
    differing: &mut Vec<String>,
) {
    let (Some(received), Some(stored)) = (received, stored) else {
        return differing.push(path.to_owned());
    };
    if received.kind() != stored.kind() {
        return differing.push(path.to_owned());
    }
    match received.kind() {
        Kind::Object => {
            let name = |member: Value<'_>| member.name().expect("a member").into_owned();
            for member in received.members() {
                let name = name(member);
                compare(
                    Some(member),
                    stored.get(&name),
                    &format!("{path}.{name}"),
                    differing,
                );
            }
            let added = stored.members().map(name);
            let added = added.filter(|name| received.get(name).is_none());
            differing.extend(added.map(|name| format!("{path}.{name}")));
        }
        Kind::Array => {
            let (mut left, mut right) = (received.elements(), stored.elements());
            for at in 0.. {
                match (left.next(), right.next()) {
                    (None, None) => break,
                    (one, other) => compare(one, other, &format!("{path}[{at}]"), differing),
                }
            }
        }
        Kind::String => {
            let (one, other) = (received.as_str(), stored.as_str());
            if one != other && !is_local(other.as_deref().unwrap_or_default(), path) {
                differing.push(path.to_owned());
            }
        }
        _ => {
            if received.raw() != stored.raw() {
                differing.push(path.to_owned());
            }
        }
    }
}

/// Whether a changed string is a reference of the form that all local ones get.
fn is_local(text: &str, path: &str) -> bool {
    let Some((name, id)) = text.split_once('/') else {
        return false;
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let plain = (1..=64).contains(&id.len()) && id.bytes().all(legal);
    let reference = path.ends_with(".reference");
    plain && (reference || path.ends_with(".url") && name == "Binary")
}
