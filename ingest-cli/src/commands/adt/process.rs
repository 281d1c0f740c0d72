use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ingest_pipeline::Error;
use ingest_pipeline::adt::Received;

use super::{Site, received};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

pub(super) fn run(
    context: &Context<'_>,
    site: &Site<'_>,
    connection: Option<&str>,
    paths: &[PathBuf],
) -> Result<Exit, Failure> {
    let settings = site.connection(connection)?;
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    let receiver = site.receiver(&settings, &site.inbox(&settings)?)?;
    let mut failed = false;
    for path in files {
        if site.around.interrupt.is_interrupted() {
            received(context, &receiver.summary())?;
            return Ok(Exit::Interrupted);
        }
        let text = read(&path)?;
        let (outcomes, _) = receiver.take(&text);
        for (number, outcome) in (1..).zip(&outcomes) {
            let reason = match outcome {
                Received::Dead { reason } => reason,
                Received::Failed => "could not be kept",
                _ => continue,
            };
            failed |= *outcome == Received::Failed;
            if !context.global.quiet {
                report::note(&format!("{}: message {number}: {reason}", path.display()));
            }
        }
    }
    received(context, &receiver.summary())?;
    // What could not be kept is in no dead letter: the files are still needed.
    Ok(if failed { Exit::Store } else { Exit::Ok })
}

/// Files in the order of their names; of a folder, those at any depth.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if path == Path::new("-") {
        files.push(path.to_owned());
        return Ok(());
    }
    let fail = |source| {
        Failure::from(Error::Input {
            path: path.to_owned(),
            source,
        })
        .hint("give files of HL7 v2 messages, or folders of them; - is standard input")
    };
    if !fs::metadata(path).map_err(fail)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(fail)?;
    let names: io::Result<Vec<_>> = entries.map(|entry| entry.map(|it| it.path())).collect();
    let mut names = names.map_err(fail)?;
    names.sort();
    let hidden = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with('.')
    };
    names
        .iter()
        .filter(|path| !hidden(path))
        .try_for_each(|path| collect(path, files))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map(|_| text)
    } else {
        fs::read(path)
    };
    read.map_err(|source| {
        Error::Input {
            path: path.to_owned(),
            source,
        }
        .into()
    })
}
