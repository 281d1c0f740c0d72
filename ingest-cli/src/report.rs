//! Results on standard output, failures where they belong.

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
    let _ = writeln!(stderr, "error: {message}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "hint: {hint}");
    }
}

/// Prints a result as one line of JSON.
pub(crate) fn json(result: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(result)
        .map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
    lines([text])
}

/// Prints lines of text. A reader that has gone away, as `head` does, is fine.
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
    let _ = writeln!(io::stderr(), "{text}");
}

/// A table with columns as wide as their widest cell; numbers to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
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
