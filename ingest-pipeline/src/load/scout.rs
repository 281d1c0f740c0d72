//! Patients that stand behind those who refer to them.

use std::io::Read;

use fhir_normalize::{Normalizer, Record};
use memchr::{memchr, memmem, memrchr};

use crate::source::{Chunks, Content, Input};

/// Looks for the patients in a file before anything of it is normalized.
///
/// Who is known by a medical record number is referred to by another id. Where
/// that is found out after most of those references were written, most of the
/// store is written again, and the load takes three times as long. To look through
/// a file first costs little beside that.
pub(super) struct Scout {
    chunks: Chunks<Box<dyn Read + Send>>,
    limit: usize,
}

impl Scout {
    /// One for lines up to `limit` bytes of an input, which is read to its end.
    pub(super) fn new(text: Box<dyn Read + Send>, input: &Input, limit: usize) -> Self {
        Self {
            chunks: Chunks::new(text, input, limit),
            limit,
        }
    }

    /// The patients known by their medical record number, and whether all of the
    /// file was read. It ends early where `going` says so, and at what can't be
    /// read: whoever reads the file next will say so.
    pub(super) fn run(
        mut self,
        normalizer: &mut Normalizer,
        going: impl Fn() -> bool,
    ) -> (Vec<String>, bool) {
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        while going() {
            match self.chunks.next(buffer) {
                Ok(Some(chunk)) => {
                    if chunk.content == Content::Lines {
                        self.look(&chunk.data, normalizer, &mut found);
                    }
                    buffer = chunk.data;
                }
                Ok(None) => return (found, true),
                Err(_) => break,
            }
        }
        (found, false)
    }

    fn look(&self, lines: &[u8], normalizer: &mut Normalizer, found: &mut Vec<String>) {
        let mut from = 0;
        while let Some(at) = memmem::find(&lines[from..], PATIENT) {
            let at = from + at;
            from = at + PATIENT.len();
            if !is_type(&lines[..at]) {
                continue;
            }
            let start = memrchr(b'\n', &lines[..at]).map_or(0, |end| end + 1);
            let end = memchr(b'\n', &lines[from..]).map_or(lines.len(), |end| from + end);
            from = end;
            let line = lines[start..end].trim_ascii();
            if line.len() > self.limit {
                continue;
            }
            normalizer.records(line, &mut |_, result| {
                if let Ok(Record::Resource(resource)) = result
                    && resource.mrn_patient
                {
                    found.push(resource.source_id.to_owned());
                }
            });
        }
    }
}

const PATIENT: &[u8] = b"\"Patient\"";

/// Whether what comes next is the type of a resource.
fn is_type(before: &[u8]) -> bool {
    let name = before.trim_ascii_end().strip_suffix(b":");
    name.is_some_and(|name| name.trim_ascii_end().ends_with(b"\"resourceType\""))
}
