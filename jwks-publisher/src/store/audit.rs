//! The log of changes: one line of JSON each, only ever appended to.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Counts the changes of a ring from 1.
    pub(super) serial: u64,
    pub(super) time: Timestamp,
    pub(super) actor: String,
    pub(super) action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pruned: Vec<String>,
    /// The keys that sign after the change.
    pub(super) active: Vec<String>,
    /// How many keys the ring has after the change.
    pub(super) keys: usize,
}

/// Appends `line` unless the log has it. The file of the ring is written first,
/// so a crash between the two leaves the log one line behind, and the next one
/// who looks makes up for it.
pub(super) fn append(path: &Path, line: &Line) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let (last, whole) = last(&mut file)?;
    if last.is_some_and(|last| last >= line.serial) {
        return Ok(());
    }
    let mut text = String::new();
    // A line that a crash cut stays, and the next one begins on its own.
    if !whole {
        text.push('\n');
    }
    text.push_str(&serde_json::to_string(line).map_err(io::Error::from)?);
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The serial number of the last line that can be read, and whether the file
/// ends with a whole line.
fn last(file: &mut std::fs::File) -> io::Result<(Option<u64>, bool)> {
    #[derive(Deserialize)]
    struct Serial {
        serial: u64,
    }
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut last = None;
    let mut whole = true;
    let mut line = Vec::new();
    let mut reader = BufReader::new(Read::take(file, TAIL));
    while reader.read_until(b'\n', &mut line)? > 0 {
        whole = line.ends_with(b"\n");
        if let Ok(Serial { serial }) = serde_json::from_slice(&line) {
            last = Some(serial);
        }
        line.clear();
    }
    Ok((last, whole))
}

/// Longer than any line.
const TAIL: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(serial: u64) -> Line {
        Line {
            serial,
            time: Timestamp::UNIX_EPOCH,
            actor: "anna".into(),
            action: "rotate".into(),
            kid: Some("k".into()),
            pruned: Vec::new(),
            active: vec!["k".into()],
            keys: 2,
        }
    }

    #[test]
    fn a_change_is_logged_once_also_after_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        append(&path, &line(1)).unwrap();
        append(&path, &line(1)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);

        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"serial":2,"ti"#).unwrap();
        append(&path, &line(2)).unwrap();
        append(&path, &line(3)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(serde_json::from_str::<Line>(lines[2]).is_ok_and(|found| found == line(2)));
        assert!(serde_json::from_str::<Line>(lines[3]).is_ok_and(|found| found == line(3)));
    }
}
