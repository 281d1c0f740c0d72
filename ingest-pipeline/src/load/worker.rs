//! From a chunk to a batch.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use fhir_normalize::{IdMode, Normalizer, Reason, Record, Rejected, Settings};

use super::batch::{Batch, Content, Place};
use super::lines::{LineHasher, Marked};
use crate::source::{self, Chunk, OverLimit};

/// Patients known by their medical record number, shared by the workers of a
/// run: a list to which each adds, and from which each takes what is new.
#[derive(Debug, Default)]
pub(crate) struct Aliases(Mutex<(Vec<String>, HashSet<String>)>);

impl Aliases {
    pub(crate) fn new(known: Vec<String>) -> Self {
        let set = known.iter().cloned().collect();
        Self(Mutex::new((known, set)))
    }

    /// Adds the patients that are new to the list and gives them back.
    pub(crate) fn add(&self, patients: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (list, set) = &mut *shared;
        let new: Vec<_> = patients
            .into_iter()
            .filter(|patient| set.insert(patient.clone()))
            .collect();
        list.extend_from_slice(&new);
        new
    }

    /// Hands over the patients from `seen` on, and moves it to the end.
    pub(crate) fn since(&self, seen: &mut usize, mut take: impl FnMut(&str)) {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.0[*seen..].iter().for_each(|patient| take(patient));
        *seen = shared.0.len();
    }
}

/// Normalizes chunks; one a thread.
pub(crate) struct Worker<'a> {
    normalizer: Normalizer,
    aliases: &'a Aliases,
    seen: usize,
    /// Hashes of the patients reported as referenced. Each is reported once,
    /// or once more where there are very many.
    reported: HashSet<u64>,
    state: RandomState,
    preserve: bool,
    limit: usize,
    hasher: Option<LineHasher>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        settings: &Settings,
        aliases: &'a Aliases,
        limit: usize,
        hasher: Option<LineHasher>,
    ) -> Self {
        Self {
            normalizer: Normalizer::new(settings.clone()),
            aliases,
            seen: 0,
            reported: HashSet::new(),
            state: RandomState::new(),
            preserve: settings.id_mode == IdMode::Preserve,
            limit,
            hasher,
        }
    }

    /// Fills `batch` with the records of `chunk`, of which some are known.
    pub(crate) fn process(&mut self, chunk: Chunk, known: &[Marked], batch: &mut Batch) {
        batch.clear();
        let Self {
            aliases,
            normalizer,
            seen,
            ..
        } = self;
        aliases.since(seen, |patient| normalizer.note_mrn_patient(patient));
        batch.offset = chunk.offset;
        batch.length = chunk.data.len() as u64;
        batch.expected = chunk.resource_type;
        match chunk.content {
            source::Content::TooLong(length) => self.too_long(chunk, length, batch),
            content => {
                let lines = content == source::Content::Lines;
                // Before the chunk: those that it refers to are asked for below.
                if self.reported.len() >= MOST_REPORTED {
                    self.reported.clear();
                }
                let expected = chunk.resource_type;
                let mrn_patients = self.records(&chunk.data, lines, expected, known, batch);
                let new = if self.preserve {
                    self.aliases.add(mrn_patients)
                } else {
                    Vec::new()
                };
                // Records before the patient's own have the old reference.
                if new
                    .iter()
                    .any(|patient| self.reported.contains(&self.hash(patient)))
                {
                    batch.clear();
                    self.records(&chunk.data, lines, expected, known, batch);
                }
                batch.aliases = new;
                batch.data = chunk.data;
            }
        }
    }

    /// Normalizes all records of a text and gives the source ids of the
    /// patients known by their medical record number.
    fn records(
        &mut self,
        data: &[u8],
        lines: bool,
        expected: Option<&'static str>,
        known: &[Marked],
        batch: &mut Batch,
    ) -> Vec<String> {
        let mut known = known.iter().peekable();
        let mut mrn_patients = Vec::new();
        if !lines {
            self.record(data, (None, 0), expected, batch, &mut mrn_patients);
            return mrn_patients;
        }
        let mut start = 0;
        let mut number = 0;
        for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
            if let Some(marked) = known.next_if(|marked| marked.start == start) {
                batch.known(start..end, number, &marked.line);
            } else if start < end {
                self.record(
                    &data[start..end],
                    (Some(number), start),
                    expected,
                    batch,
                    &mut mrn_patients,
                );
            }
            start = end + 1;
            number += 1;
        }
        batch.lines = number - 1;
        mrn_patients
    }

    /// Normalizes one document, or the line with that number, which stands at
    /// `start` of the chunk.
    fn record(
        &mut self,
        bytes: &[u8],
        (line, start): (Option<u64>, usize),
        expected: Option<&'static str>,
        batch: &mut Batch,
        mrn_patients: &mut Vec<String>,
    ) {
        let kept = bytes.trim_ascii_start();
        let start = start + bytes.len() - kept.len();
        let bytes = kept.trim_ascii_end();
        if bytes.is_empty() {
            return;
        }
        let base = batch.offset;
        let place = |own: Range<usize>| Place {
            line,
            offset: base + (start + own.start) as u64,
            bytes: start + own.start..start + own.end,
        };
        if bytes.len() > self.limit {
            return batch.push(
                place(0..self.limit),
                too_long(bytes.len() as u64, self.limit),
            );
        }
        let Self {
            normalizer,
            reported,
            state,
            hasher,
            ..
        } = self;
        let all = 0..bytes.len();
        // White space at the end of a line that was cut may be that of a string.
        let end = kept.strip_suffix(b"\r").unwrap_or(kept).len();
        normalizer.records(bytes, &mut |own, result| {
            let is_line = line.is_some() && own == all;
            let content = match result {
                Ok(Record::Resource(normalized))
                    if expected.is_some_and(|expected| expected != normalized.resource_type) =>
                {
                    wrong_type(expected, normalized.resource_type)
                }
                Ok(Record::Resource(normalized)) => {
                    if normalized.mrn_patient {
                        mrn_patients.push(normalized.source_id.to_owned());
                    }
                    for patient in normalized.patients {
                        if reported.insert(state.hash_one(patient.as_str())) {
                            batch.patients.push(patient.clone());
                        }
                    }
                    let mut resource = batch.resource(&normalized);
                    if let Some(hasher) = hasher
                        && is_line
                        && !resource.conditional
                    {
                        resource.line = Some(hasher.digest(bytes));
                    }
                    Content::Resource(resource)
                }
                Ok(Record::Deletion(deletion)) => Content::Deletion {
                    resource_type: deletion.resource_type,
                    id: batch.append(deletion.id),
                    source_id: batch.append(deletion.source_id),
                },
                Err(Rejected {
                    reason,
                    detail,
                    resource_type,
                    ..
                }) => Content::Refused {
                    reason,
                    detail,
                    resource_type,
                },
            };
            let own = if is_line { 0..end } else { own };
            batch.push(place(own), content);
        });
    }

    /// A chunk that is the beginning of something over the limit.
    fn too_long(&self, chunk: Chunk, length: u64, batch: &mut Batch) {
        let line = (!chunk.document).then_some(0);
        let place = Place {
            line,
            offset: chunk.offset,
            bytes: 0..chunk.data.len(),
        };
        batch.push(place, too_long(length, self.limit));
        batch.lines = 1;
        batch.length = length;
        batch.data = chunk.data;
    }

    fn hash(&self, patient: &str) -> u64 {
        self.state.hash_one(patient)
    }
}

/// Memory stays flat: some 600 KiB.
const MOST_REPORTED: usize = 50_000;

fn wrong_type(expected: Option<&str>, found: &'static str) -> Content {
    let expected = expected.unwrap_or_default();
    Content::Refused {
        reason: Reason::WrongResourceType,
        detail: format!("{found} in a file that has to hold {expected} only"),
        resource_type: Some(found),
    }
}

fn too_long(length: u64, limit: usize) -> Content {
    Content::Refused {
        reason: Reason::TooLong,
        detail: format!(
            "{}; the first {limit} are kept",
            OverLimit { length, limit }
        ),
        resource_type: None,
    }
}
