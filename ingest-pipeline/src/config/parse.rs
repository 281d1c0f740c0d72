//! From the errors of the TOML parser and the checks to messages with line,
//! place and the nearest known word. No value of the file is repeated: it may
//! be a secret in the wrong place.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// Words less alike than this are no slip of the pen.
const ALIKE: f64 = 0.75;

/// An error of the TOML parser, explained.
pub(super) fn explained(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or(0..0);
    let (tables, key) = located_at(text, span.start, error.message()).unwrap_or_default();
    ConfigError::Parse {
        path: path.to_owned(),
        line: line(text, span.start),
        problem: problem(error.message(), &tables, key.as_deref()),
    }
}

/// An error of the checks, with the line where its value stands.
pub(super) fn located(path: &Path, text: &str, error: ConfigError) -> ConfigError {
    let ConfigError::Invalid { table, key, .. } = &error else {
        return error;
    };
    ConfigError::Parse {
        path: path.to_owned(),
        line: span_of(text, table, key).map_or(1, |span| line(text, span.start)),
        problem: error.to_string(),
    }
}

/// `` `key` in [table]`` as messages name places.
pub(super) fn place(tables: &[String], key: Option<&str>) -> String {
    let bare = |name: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        match !name.is_empty() && name.bytes().all(plain) {
            true => name.clone(),
            false => format!("{name:?}"),
        }
    };
    let table = match tables {
        [] => None,
        tables => Some(tables.iter().map(bare).collect::<Vec<_>>().join(".")),
    };
    match (key, table) {
        (Some(key), Some(table)) => format!("`{key}` in [{table}]"),
        (Some(key), None) => format!("`{key}`"),
        (None, Some(table)) => format!("[{table}]"),
        (None, None) => "the file".to_owned(),
    }
}

/// `; did you mean …?`, or all known words where none is near.
pub(super) fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known = by_likeness(word, known);
    match known.first() {
        None => String::new(),
        Some(nearest) if likeness(word, nearest) >= ALIKE => {
            format!("; did you mean `{nearest}`?")
        }
        Some(_) => format!("; there are `{}`", known.join("`, `")),
    }
}

/// Known words, the most similar first.
pub(crate) fn by_likeness<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut known: Vec<_> = known.collect();
    known.sort_by(|a, b| likeness(word, b).total_cmp(&likeness(word, a)));
    known.into_iter().map(str::to_owned).collect()
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(&a.to_lowercase(), &b.to_lowercase())
}

fn problem(message: &str, tables: &[String], key: Option<&str>) -> String {
    let words: Vec<_> = message.split('`').skip(1).step_by(2).collect();
    let known = || words.iter().skip(1).copied();
    if message.starts_with("unknown field ")
        && let Some(word) = words.first()
    {
        let table = match tables {
            [] => "at the top level".to_owned(),
            tables => format!("in {}", place(tables, None)),
        };
        return format!("unknown key `{word}` {table}{}", hint(word, known()));
    }
    if message.starts_with("unknown variant ")
        && let Some(word) = words.first()
    {
        let list = known().collect::<Vec<_>>().join("`, `");
        let near = by_likeness(word, known());
        let near = near
            .first()
            .filter(|near| likeness(word, near) >= ALIKE)
            .map(|near| format!("; did you mean `{near}`?"));
        let place = place(tables, key);
        return format!("{place} is none of `{list}`{}", near.unwrap_or_default());
    }
    if message.starts_with("missing field ")
        && let Some(word) = words.first()
    {
        // The parser names the table by its key where it stands on one line.
        let mut table = tables.to_vec();
        table.extend(key.map(str::to_owned));
        return format!("{} needs `{word}`", place(&table, None));
    }
    let message = without_strings(message);
    match key {
        Some(_) => format!("{}: {message}", place(tables, key)),
        None => message,
    }
}

/// A message without the strings that stand in the file: `invalid type:
/// string "…", expected …`. The names of our types are not the user's words.
fn without_strings(message: &str) -> String {
    let message = match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}string{}", &message[..start], &message[end + 1..])
        }
        _ => message.to_owned(),
    };
    match message.split_once(", expected struct ") {
        Some((found, _)) => format!("{found}, expected a table"),
        None => message
            .replace("expected a map", "expected a table")
            .replace("expected a sequence", "expected a list"),
    }
}

/// Tables and key at an offset. A header such as `[a.b]` is the place of
/// several; the innermost is meant, unless the message names another.
fn located_at(text: &str, offset: usize, message: &str) -> Option<(Vec<String>, Option<String>)> {
    let unknown = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split('`').next());
    let mut there = entries(text);
    there.retain(|entry| entry.spans.iter().any(|span| span.contains(&offset)));
    let named = there
        .iter()
        .position(|entry| unknown == Some(entry.key.as_str()));
    let index = named.or(there.len().checked_sub(1))?;
    let entry = there.swap_remove(index);
    Some((entry.tables, Some(entry.key)))
}

/// Where the value of a key stands; its table where there is no such key.
fn span_of(text: &str, table: &[String], key: &str) -> Option<Range<usize>> {
    let entries = entries(text);
    let value = entries
        .iter()
        .find(|entry| entry.tables == table && entry.key == key);
    let header = || {
        let (last, above) = table.split_last()?;
        entries
            .iter()
            .find(|entry| entry.tables == above && entry.key == *last)
    };
    value.or_else(header).map(|entry| entry.spans[0].clone())
}

/// One key of a file.
struct Entry {
    tables: Vec<String>,
    key: String,
    /// Of the key, and of its value.
    spans: [Range<usize>; 2],
}

/// All keys of a file, tables before what is in them; none where it is no TOML.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    if let Ok(root) = DeTable::parse(text) {
        in_table(root.get_ref(), &mut Vec::new(), &mut entries);
    }
    entries
}

fn in_table(table: &DeTable<'_>, tables: &mut Vec<String>, entries: &mut Vec<Entry>) {
    for (key, value) in table {
        entries.push(Entry {
            tables: tables.clone(),
            key: key.get_ref().to_string(),
            spans: [key.span(), value.span()],
        });
        tables.push(key.get_ref().to_string());
        in_value(value.get_ref(), tables, entries);
        tables.pop();
    }
}

fn in_value(value: &DeValue<'_>, tables: &mut Vec<String>, entries: &mut Vec<Entry>) {
    match value {
        DeValue::Table(table) => in_table(table, tables, entries),
        DeValue::Array(values) => {
            for value in values.iter() {
                in_value(value.get_ref(), tables, entries);
            }
        }
        _ => {}
    }
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|&&byte| byte == b'\n').count() + 1
}
