//! Results on standard output, failures where they belong.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use crate::exit::{Exit, Failure};

/// Prints a failure: as the JSON result, or as text on standard error.
pub(crate) fn failure(failure: &Failure, json: bool) {
    let Failure {
        exit,
        message,
        hint,
    } = failure;
    if json {
        let error = json!({ "code": exit.code(), "message": message, "hint": hint });
        let _ = writeln!(io::stdout(), "{}", json!({ "error": error }));
        return;
    }
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "error: {}", plain(message));
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "hint: {}", plain(hint));
    }
}

/// Prints a result as one line of JSON.
pub(crate) fn json(result: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(result)
        .map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
    lines([text])
}

/// Prints lines for people.
pub(crate) fn text<T: AsRef<str>>(text: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    lines(
        text.into_iter()
            .map(|line| plain(line.as_ref()).into_owned()),
    )
}

/// A line with what steers a terminal, or turns text around, as an escape: names
/// of files come from anywhere.
fn plain(line: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        // Marks of direction, and separators of lines.
        let turns = matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns
    };
    if !line.contains(steers) {
        return line.into();
    }
    let escaped = |c: char| match steers(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    line.chars().map(escaped).collect::<String>().into()
}

/// Prints lines as they are. A reader that has gone away, as `head` does, is fine.
pub(crate) fn lines<T: AsRef<[u8]>>(lines: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let written = lines
        .into_iter()
        .try_for_each(|line| {
            stdout.write_all(line.as_ref())?;
            stdout.write_all(b"\n")
        })
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("cannot write to standard output: {error}");
            Err(Failure::new(Exit::Unexpected, message))
        }
        _ => Ok(()),
    }
}

/// Tells a person something that is no result, on standard error.
pub(crate) fn note(text: &str) {
    // Without standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", plain(text));
}

/// A table with columns as wide as their widest cell; numbers to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<_>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let number = |column: usize| {
        rows.iter()
            .skip(1)
            .filter_map(|row| row.get(column))
            .all(|cell| cell.chars().all(|character| character.is_ascii_digit()))
    };
    let numbers: Vec<_> = (0..columns).map(number).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if numbers[column] {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
