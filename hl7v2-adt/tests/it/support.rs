//! Messages for tests.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// An ADT message with the given trigger event and segments behind EVN.
pub(crate) fn adt(trigger: &str, segments: &[&str]) -> Vec<u8> {
    let mut text = format!(
        "MSH|^~\\&|ADTSYS|NORTHGATE|INGEST|TENANT|20240305101500+0000||ADT^{trigger}|C1|P|2.5.1\r\
         EVN|{trigger}|20240305101459\r"
    );
    for segment in segments {
        text.push_str(segment);
        text.push('\r');
    }
    text.into_bytes()
}

/// Folders of messages with their `expected.jsonl`: the one in the repository,
/// and the one that `ADT_CORPUS` names.
pub(crate) fn corpora() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adt");
    let more = env::var_os("ADT_CORPUS").map(PathBuf::from);
    std::iter::once(own).chain(more).collect()
}

/// All messages of a corpus, with their paths in it.
pub(crate) fn files(corpus: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![corpus.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if folder != *corpus && !path.ends_with("_own-synthetic/expected.json") {
                let name = path.strip_prefix(corpus).unwrap();
                files.push((name.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    assert!(!files.is_empty(), "no messages in {}", corpus.display());
    files.sort();
    files
}
