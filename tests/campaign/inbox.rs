//! What a listener and its inbox tell of themselves.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::folder::{Started, eventually};
use crate::held::open;

/// Control ids of the messages that were taken, and where the archive has them.
pub(crate) fn known(state: &Path) -> rusqlite::Result<Vec<(String, String)>> {
    let reader = open(state)?;
    let sql = "SELECT control_id, CAST(raw_key AS BLOB) FROM message";
    let mut statement = reader.prepare(sql)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let rows = statement.query_map([], |row| Ok((text(row.get(0)?), text(row.get(1)?))))?;
    rows.collect()
}

/// Fetches and messages that wait for something to be done.
pub(crate) fn waiting(state: &Path) -> Option<i64> {
    let reader = open(state).ok()?;
    let sql = "SELECT (SELECT count(*) FROM fetch) + (SELECT count(*) FROM raw)";
    reader.query_row(sql, [], |row| row.get(0)).ok()
}

/// Where a listener listens; none where it is gone before.
pub(crate) fn address(started: &Started) -> Option<SocketAddr> {
    let mut found = None;
    eventually(Duration::from_secs(60), || {
        let log = started.log();
        let line = log.lines().find(|line| line.contains("\"listen\""));
        let told = line.and_then(|line| serde_json::from_str::<Value>(line).ok());
        found = told.and_then(|told| told["listen"].as_str()?.parse().ok());
        found.is_some() || started.child.is_over()
    });
    found
}
