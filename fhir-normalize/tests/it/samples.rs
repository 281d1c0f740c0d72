//! Real resources against the oracle: those in `tests/data`, and all below the
//! folder that the environment variable `FHIR_TEST_DATA` names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::pair::{Pair, entries};
use crate::support::{hash, normalized, preserve};
use crate::tree::Tree;

#[test]
fn committed_samples_become_what_the_contract_says() {
    let mut types = BTreeSet::new();
    for file in ["r4-examples.ndjson", "vendor-like.ndjson"] {
        for mut pair in Pair::all() {
            for text in lines(&data().join(file)) {
                assert_eq!(pair.assert_agree(&text), None, "{}", text_of(&text));
                let normalized = pair.normalizer.normalize(&text).expect("stored");
                types.insert(normalized.resource_type);
                let (stored, refused) = pair.assert_records_agree(text_of(&text));
                assert_eq!(stored == 0, holds_no_data(&text), "{}", text_of(&text));
                assert!(refused.is_empty(), "{refused:?} {}", text_of(&text));
            }
        }
    }
    assert!(types.len() >= 125, "{} resource types", types.len());
}

#[test]
fn committed_samples_without_each_of_their_elements() {
    let mut pair = Pair::new(preserve());
    let (mut mended, mut refused) = (0, 0);
    for text in sample_lines() {
        let Tree::Object(members) = Tree::parse(&text) else {
            panic!("not an object");
        };
        for left_out in 0..members.len() {
            let mut rest = members.clone();
            rest.remove(left_out);
            let text = Tree::Object(rest).text();
            match pair.assert_agree(text.as_bytes()) {
                Some("missing-resource-type" | "missing-required-reference") => refused += 1,
                Some(reason) => panic!("{reason}: {text}"),
                None => {
                    let normalized = pair.normalizer.normalize(text.as_bytes());
                    mended += normalized.expect(&text).remediations.len();
                }
            }
        }
    }
    assert!(mended > 200 && refused > 300, "{mended} {refused}");
}

#[test]
fn committed_samples_differ_by_id_mode_in_ids_and_references_alone() {
    for text in sample_lines() {
        let [preserved, hashed] = [preserve(), hash()].map(|settings| {
            let mut tree = Tree::parse(normalized(settings, text_of(&text)).0);
            mask("", &mut tree);
            tree.sorted()
        });
        assert_eq!(preserved, hashed);
    }
}

#[test]
fn what_is_refused_is_refused_for_its_reason() {
    let mut files = 0;
    for path in files_below(&data().join("refused")) {
        files += 1;
        let reason = path.file_stem().and_then(|name| name.to_str());
        for text in lines(&path) {
            for mut pair in Pair::all() {
                let shown = String::from_utf8_lossy(&text);
                assert_eq!(pair.assert_agree(&text), reason, "{shown}");
                let mut visits = 0;
                pair.normalizer.records(&text, &mut |span, result| {
                    visits += 1;
                    let rejected = result.expect_err("refused");
                    assert_eq!(Some(rejected.reason.code()), reason, "{shown}");
                    assert_eq!(span, 0..text.len());
                });
                assert_eq!(visits, 1, "{shown}");
            }
        }
    }
    assert_eq!(files, 7);
}

/// Runs over whatever data is at hand, and reports to standard error.
#[test]
fn data_named_by_the_environment() {
    let Some(folder) = env::var_os("FHIR_TEST_DATA") else {
        return;
    };
    // Reasons by file; what was stored, together.
    let mut refused: BTreeMap<(String, &str), usize> = BTreeMap::new();
    let (mut resources, mut records) = (0, 0);
    for path in files_below(Path::new(&folder)) {
        let name = path.display().to_string();
        let texts = match path.extension().and_then(|extension| extension.to_str()) {
            Some("ndjson" | "jsonl") => lines(&path),
            Some("json") => vec![fs::read(&path).expect("a file")],
            _ => continue,
        };
        for (at, mut pair) in Pair::all().into_iter().enumerate() {
            for text in &texts {
                let verdict = pair.assert_agree(text);
                let (stored, reasons) = str::from_utf8(text)
                    .map(|text| pair.assert_records_agree(text))
                    .unwrap_or_default();
                if at == 0 {
                    resources += usize::from(verdict.is_none());
                    records += stored;
                    for reason in reasons.into_iter().chain(verdict) {
                        *refused.entry((name.clone(), reason)).or_default() += 1;
                    }
                }
            }
        }
    }
    let mut out = std::io::stderr().lock();
    writeln!(out, "{resources} texts and {records} records agree").expect("standard error");
    for ((name, reason), count) in refused {
        writeln!(out, "{name}: {count} {reason}").expect("standard error");
    }
}

/// The lines of the committed samples that are stored.
pub(crate) fn sample_lines() -> Vec<Vec<u8>> {
    ["r4-examples.ndjson", "vendor-like.ndjson"]
        .iter()
        .flat_map(|file| lines(&data().join(file)))
        .collect()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

fn text_of(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("UTF-8")
}

/// A Bundle of reads, search outcomes or nothing.
fn holds_no_data(text: &[u8]) -> bool {
    let tree = Tree::parse(text);
    let is_outcome = |entry: &Tree| {
        let mode = entry.get("search").and_then(|search| search.str("mode"));
        entry.get("resource").is_none() || mode == Some("outcome")
    };
    tree.str("resourceType") == Some("Bundle") && entries(&tree).iter().all(is_outcome)
}

/// Empties the id and all that may be a reference.
pub(crate) fn mask(path: &str, tree: &mut Tree) {
    match tree {
        Tree::Array(elements) => elements.iter_mut().for_each(|inner| mask("[]", inner)),
        Tree::Object(members) => {
            for (name, value) in members {
                match value {
                    Tree::String(text) if path.is_empty() && name == "id" => text.clear(),
                    Tree::String(text) if name == "reference" => text.clear(),
                    Tree::String(text) if name == "url" && text.contains("Binary/") => text.clear(),
                    value => mask(name, value),
                }
            }
        }
        _ => {}
    }
}
