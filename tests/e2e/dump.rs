//! A store in a form that two loads of the same input have in common.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::util::query;

/// Everything the views show but the runs, as sorted rows by view.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Dump(BTreeMap<&'static str, Vec<String>>);

/// Columns that are the same in every store that holds the same.
const TIMELESS: &[(&str, &str)] = &[
    (
        "resources",
        "type, id, version, content_hash, source_system, source_id, deleted, body",
    ),
    (
        "resource_versions",
        "type, id, version, content_hash, source_system, source_id, deleted, body",
    ),
    (
        "provenances",
        "id, target_type, target_id, target_version, activity, source_system, remediations, \
         json_remove(body, '$.recorded')",
    ),
    (
        "quarantine",
        "file, line, byte_offset, reason, detail, body",
    ),
    ("dead_letters", "reason, detail, attempts, control_id, body"),
];

/// Columns that only an untouched store keeps.
const WHOLE: &[(&str, &str)] = &[
    ("resources", "*"),
    ("resource_versions", "*"),
    ("provenances", "*"),
    ("quarantine", "*"),
    ("dead_letters", "*"),
];

impl Dump {
    /// Without instants, runs and row numbers.
    pub(crate) fn of(reader: &Connection) -> Self {
        Self::columns(reader, TIMELESS)
    }

    /// With all columns: equal only while nothing was written.
    pub(crate) fn whole(reader: &Connection) -> Self {
        Self::columns(reader, WHOLE)
    }

    fn columns(reader: &Connection, columns: &[(&'static str, &str)]) -> Self {
        let view = |(view, columns): &(&'static str, &str)| {
            let mut rows = query(reader, &format!("SELECT {columns} FROM {view}"));
            rows.sort_unstable();
            (*view, rows)
        };
        Self(columns.iter().map(view).collect())
    }

    pub(crate) fn rows(&self, view: &str) -> &[String] {
        &self.0[view]
    }

    /// Asserts that two stores hold the same; tells the first differing rows.
    #[track_caller]
    pub(crate) fn assert_eq(&self, other: &Self, what: &str) {
        for (view, rows) in &self.0 {
            let others = &other.0[view];
            if rows == others {
                continue;
            }
            let only = |rows: &[String], others: &[String]| -> Vec<String> {
                let differing = rows.iter().filter(|row| others.binary_search(row).is_err());
                differing
                    .take(3)
                    .map(|row| row.chars().take(600).collect())
                    .collect()
            };
            panic!(
                "{what}: {view} differs, {} rows and {}\nonly left: {:#?}\nonly right: {:#?}",
                rows.len(),
                others.len(),
                only(rows, others),
                only(others, rows)
            );
        }
    }
}

/// A column as text; bytes that are no UTF-8 in hexadecimal.
pub(crate) fn cell(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    })
}
