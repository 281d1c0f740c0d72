//! Normalizing without a store.

use std::collections::BTreeMap;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fhir_normalize::{Conditional, Normalized, Normalizer, Reason, Record, Rejected, Settings};

use crate::matches::Matches;
use crate::source::{self, Chunks, Content, FileRefused, Input, OverLimit};
use crate::{Error, Event, Interrupt, Observer, Result};

/// How [`normalize`] works.
#[derive(Clone, Debug)]
pub struct NormalizeOptions {
    /// How resources of the source are normalized.
    pub settings: Settings,
    /// What is written.
    pub output: Output,
    /// The longest line, or JSON document, that is taken, in bytes.
    pub max_line: usize,
    /// Folder for temporary files.
    pub spool: PathBuf,
}

/// What [`normalize`] writes for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The resource, one a line.
    Ndjson,
    /// Its type, id and content hash, with tabs between.
    Hashes,
}

/// What [`normalize`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct NormalizeSummary {
    /// Resources written.
    pub resources: u64,
    /// Records refused.
    pub quarantined: u64,
    /// Resources with missing data that was marked as absent.
    pub remediated: u64,
    /// Deletions, which have no normalized form.
    pub deletions: u64,
    /// Conditional references left as they are, for want of exactly one match.
    pub unresolved_references: u64,
    /// Files that could not be read to their end.
    pub refused_files: u64,
    /// Resources written by type.
    pub by_type: BTreeMap<&'static str, u64>,
}

/// Writes the normalized form of every resource in `inputs`, in order.
///
/// The input is read at least twice, since references can point at what
/// comes later; what comes by a pipe is kept in a temporary file for that.
///
/// # Errors
/// Where `out` or a temporary file can't be written. Bad input is no error:
/// `observer` hears of it.
pub fn normalize(
    options: &NormalizeOptions,
    inputs: &[Input],
    out: &mut dyn Write,
    observer: &mut dyn Observer,
) -> Result<NormalizeSummary> {
    let inputs = keep_pipes(inputs, &options.spool)?;
    let mut job = Job {
        options,
        inputs: &inputs,
        normalizer: Normalizer::new(options.settings.clone()),
    };
    let matches = job.matches();
    job.write(&matches, out, observer)
}

/// The same inputs, with each that can be read only once in a file without a
/// name, which is gone with the process however it ends.
fn keep_pipes(inputs: &[Input], folder: &Path) -> Result<Vec<Input>> {
    let mut kept: Vec<Input> = Vec::new();
    for input in inputs {
        if !input.piped {
            kept.push(input.clone());
            continue;
        }
        // The same once more, where it is named twice.
        let before = inputs.iter().take(kept.len()).position(|own| own == input);
        kept.push(match before {
            Some(before) => kept[before].clone(),
            None => keep(input, folder)?,
        });
    }
    Ok(kept)
}

fn keep(input: &Input, folder: &Path) -> Result<Input> {
    let unread = |source| Error::Input {
        path: input.name().into(),
        source,
    };
    let unwritten = |source| Error::Spool {
        folder: folder.to_owned(),
        source,
    };
    let mut pipe = source::pipe(input, &Interrupt::new()).map_err(unread)?;
    let mut file = tempfile::tempfile_in(folder).map_err(unwritten)?;
    let (mut buffer, mut size) = (vec![0; 64 * 1024], 0);
    loop {
        let read = pipe.read(&mut buffer).map_err(unread)?;
        if read == 0 {
            return Ok(Input {
                document: input.document,
                ..Input::opened(file, size, input.name())
            });
        }
        file.write_all(&buffer[..read]).map_err(unwritten)?;
        size += read as u64;
    }
}

struct Job<'a> {
    options: &'a NormalizeOptions,
    inputs: &'a [Input],
    normalizer: Normalizer,
}

impl Job<'_> {
    /// Reads everything for what later records tell of earlier ones: patients
    /// known by their medical record number, and what references ask for.
    fn matches(&mut self) -> Matches {
        let mut matches = Matches::default();
        let mut reader = Normalizer::new(self.options.settings.clone());
        self.each(|resource| {
            if resource.conditional {
                matches.want(resource.body, &mut reader);
            }
        });
        if !matches.is_empty() {
            self.each(|resource| {
                for own in resource.identifiers {
                    matches.offer(resource.resource_type, &own.system, &own.value, resource.id);
                }
            });
        }
        matches
    }

    fn write(
        &mut self,
        matches: &Matches,
        out: &mut dyn Write,
        observer: &mut dyn Observer,
    ) -> Result<NormalizeSummary> {
        let mut summary = NormalizeSummary::default();
        let mut rewriter = Normalizer::new(self.options.settings.clone());
        let output = self.options.output;
        let mut failed = None;
        let mut refusals: Vec<Rejected> = Vec::new();
        let refused = self.each_with(observer, |normalizer, found, observer| {
            let Found { file, line, .. } = found;
            let text = match found.text {
                Ok(text) => text,
                Err(over) => {
                    summary.quarantined += 1;
                    observer.event(&Event::Quarantined {
                        file,
                        line,
                        reason: Reason::TooLong.code(),
                        detail: &over.to_string(),
                    });
                    return true;
                }
            };
            normalizer.records(text, &mut |_, result| match result {
                Ok(Record::Resource(resource)) => {
                    *summary.by_type.entry(resource.resource_type).or_default() += 1;
                    summary.resources += 1;
                    summary.remediated += u64::from(!resource.remediations.is_empty());
                    let (mut body, mut hash) = (resource.body, resource.content_hash);
                    if resource.conditional {
                        let find = |conditional: &Conditional<'_>| matches.one(conditional);
                        if let Ok(rewritten) = rewriter.rewrite(resource.body.as_bytes(), find) {
                            (body, hash) = (rewritten.body, rewritten.content_hash);
                            summary.unresolved_references += rewritten.unresolved as u64;
                        }
                    }
                    let written = match output {
                        Output::Ndjson => writeln!(out, "{body}"),
                        Output::Hashes => {
                            let hash = Hex(&hash);
                            writeln!(out, "{}\t{}\t{hash}", resource.resource_type, resource.id)
                        }
                    };
                    failed = failed.take().or(written.err());
                }
                Ok(Record::Deletion(_)) => summary.deletions += 1,
                Err(rejected) => {
                    summary.quarantined += 1;
                    refusals.push(rejected);
                }
            });
            for Rejected { reason, detail, .. } in refusals.drain(..) {
                let reason = reason.code();
                observer.event(&Event::Quarantined {
                    file,
                    line,
                    reason,
                    detail: &detail,
                });
            }
            failed.is_none()
        });
        if let Some(source) = failed {
            return Err(Error::Output {
                path: "standard output".into(),
                source,
            });
        }
        summary.refused_files = refused;
        out.flush().map_err(|source| Error::Output {
            path: "standard output".into(),
            source,
        })?;
        Ok(summary)
    }

    /// Calls `visit` with every resource.
    fn each(&mut self, mut visit: impl FnMut(&Normalized<'_>)) {
        self.each_with(&mut (), |normalizer, found, _| {
            if let Ok(text) = found.text {
                normalizer.records(text, &mut |_, result| {
                    if let Ok(Record::Resource(resource)) = result {
                        visit(&resource);
                    }
                });
            }
            true
        });
    }

    /// Calls `visit` with every line or document until it wants no more. Gives
    /// the number of files refused.
    fn each_with(
        &mut self,
        observer: &mut dyn Observer,
        mut visit: impl FnMut(&mut Normalizer, Found<'_>, &mut dyn Observer) -> bool,
    ) -> u64 {
        let mut refused = 0;
        let limit = self.options.max_line;
        let position = Arc::new(AtomicU64::new(0));
        for input in self.inputs {
            let file = &*input.name();
            let mut refuse = |reason: FileRefused, observer: &mut dyn Observer| {
                refused += 1;
                let reason = &reason.0;
                observer.event(&Event::FileRefused { file, reason });
            };
            let mut visit = |text: Text<'_>, line, observer: &mut dyn Observer| {
                visit(&mut self.normalizer, Found { text, file, line }, observer)
            };
            let opened = source::open(input, &self.options.spool, &position, &Interrupt::new());
            let mut chunks = match opened.and_then(source::Text::proved) {
                Ok(reader) => Chunks::new(reader, input, limit),
                Err(reason) => {
                    refuse(reason, observer);
                    continue;
                }
            };
            let (mut buffer, mut number) = (Vec::new(), 0);
            loop {
                let chunk = match chunks.next(buffer) {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => break,
                    Err(reason) => {
                        refuse(reason, observer);
                        break;
                    }
                };
                let going = match chunk.content {
                    Content::Document => visit(Ok(&chunk.data), None, observer),
                    Content::TooLong(length) => {
                        number += 1;
                        let line = (!chunk.document).then_some(number);
                        visit(Err(OverLimit { length, limit }), line, observer)
                    }
                    Content::Lines => {
                        let mut lines = chunk.data.split_inclusive(|&byte| byte == b'\n');
                        lines.all(|line| {
                            number += 1;
                            let line = line.trim_ascii();
                            let length = line.len() as u64;
                            let over = OverLimit { length, limit };
                            let text = (line.len() <= limit).then_some(line).ok_or(over);
                            line.is_empty() || visit(text, Some(number), observer)
                        })
                    }
                };
                if !going {
                    return refused;
                }
                buffer = chunk.data;
            }
        }
        refused
    }
}

/// A line or document, and where it stands.
struct Found<'a> {
    text: Text<'a>,
    file: &'a str,
    line: Option<u64>,
}

type Text<'a> = std::result::Result<&'a [u8], OverLimit>;

/// A digest in lower-case hexadecimal.
struct Hex<'a>(&'a [u8; 32]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
