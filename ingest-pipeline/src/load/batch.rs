//! What a worker hands to the writer: one chunk's records, in few buffers.

use std::ops::Range;

use fhir_normalize::{Normalized, Reason};
use fhir_store::{KnownLine, LineDigest};

/// Records of one chunk in their order, with all their text in one place.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The chunk as it was read; the records' own bytes are ranges of it.
    pub(crate) data: Vec<u8>,
    /// Ids, bodies, identifiers and so on, end to end.
    pub(crate) text: String,
    pub(crate) records: Vec<Record>,
    pub(crate) identifiers: Vec<(Span, Span)>,
    pub(crate) remediations: Vec<(Span, &'static str)>,
    /// Patients found to be known by their medical record number.
    pub(crate) aliases: Vec<String>,
    /// Patients referenced under their source id.
    pub(crate) patients: Vec<String>,
    /// Line feeds in `data`.
    pub(crate) lines: u64,
    pub(crate) offset: u64,
    /// The type that every resource of the file has to have.
    pub(crate) expected: Option<&'static str>,
    /// Length of the chunk in the file, which may be longer than `data`.
    pub(crate) length: u64,
}

/// A part of [`Batch::text`].
pub(crate) type Span = Range<u32>;

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// Where a record stood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Line in the chunk, from 0; `None` in a document.
    pub(crate) line: Option<u64>,
    /// Offset in the file of the line, or of the Bundle entry.
    pub(crate) offset: u64,
    /// Its bytes in [`Batch::data`].
    pub(crate) bytes: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Resource(Resource),
    Deletion {
        resource_type: &'static str,
        id: Span,
        source_id: Span,
    },
    /// A line from which a current resource was made; it is not parsed.
    Known {
        resource_type: &'static str,
        line: KnownLine,
    },
    Refused {
        reason: Reason,
        detail: String,
        resource_type: Option<&'static str>,
    },
}

#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) resource_type: &'static str,
    pub(crate) id: Span,
    pub(crate) source_id: Span,
    pub(crate) body: Span,
    pub(crate) content_hash: [u8; 32],
    /// Ranges of [`Batch::identifiers`] and [`Batch::remediations`].
    pub(crate) identifiers: Span,
    pub(crate) remediations: Span,
    pub(crate) conditional: bool,
    /// Digest of the line, where it is all of one.
    pub(crate) line: Option<LineDigest>,
}

impl Batch {
    /// Forgets the records and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        let Self {
            data,
            text,
            records,
            identifiers,
            remediations,
            aliases,
            patients,
            ..
        } = self;
        data.clear();
        text.clear();
        records.clear();
        identifiers.clear();
        remediations.clear();
        aliases.clear();
        patients.clear();
    }

    pub(crate) fn text(&self, span: &Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    pub(crate) fn push(&mut self, place: Place, content: Content) {
        self.records.push(Record { place, content });
    }

    /// Adds a line of the chunk that is known.
    pub(crate) fn known(&mut self, bytes: Range<usize>, number: u64, line: &KnownLine) {
        let place = Place {
            line: Some(number),
            offset: self.offset + bytes.start as u64,
            bytes,
        };
        // A type that was stored is one of R4.
        if let Some(resource_type) = fhir_normalize::resource_type(&line.resource_type) {
            let line = line.clone();
            self.push(
                place,
                Content::Known {
                    resource_type,
                    line,
                },
            );
        }
    }

    /// Copies what has been borrowed from a normalizer.
    pub(crate) fn resource(&mut self, normalized: &Normalized<'_>) -> Resource {
        let identifiers = self.identifiers.len() as u32;
        for identifier in normalized.identifiers {
            let entry = (
                self.append(&identifier.system),
                self.append(&identifier.value),
            );
            self.identifiers.push(entry);
        }
        let remediations = self.remediations.len() as u32;
        for remediation in normalized.remediations {
            let entry = (self.append(&remediation.path), remediation.rule);
            self.remediations.push(entry);
        }
        let id = self.append(normalized.id);
        let same = normalized.id == normalized.source_id;
        Resource {
            resource_type: normalized.resource_type,
            source_id: if same {
                id.clone()
            } else {
                self.append(normalized.source_id)
            },
            id,
            body: self.append(normalized.body),
            content_hash: normalized.content_hash,
            identifiers: identifiers..self.identifiers.len() as u32,
            remediations: remediations..self.remediations.len() as u32,
            conditional: normalized.conditional,
            line: None,
        }
    }

    pub(crate) fn append(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        start..self.text.len() as u32
    }
}
