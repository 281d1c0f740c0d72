//! The new ids of a source's resources.

use std::collections::HashSet;

use crate::ids::{IdHasher, hex, is_legal_id};
use crate::output::text;
use crate::settings::{IdMode, Settings};

/// Gives source ids their new ids, and remembers those asked for last: the
/// same few thousand patients, encounters and practitioners are named again
/// and again.
#[derive(Debug)]
pub(crate) struct NewIds {
    mode: IdMode,
    hasher: IdHasher,
    /// Source ids of patients that are medical record numbers.
    mrn_patients: HashSet<String>,
    lines: Vec<Line>,
}

/// What is known of one source id.
#[derive(Clone, Debug)]
struct Line {
    resource_type: &'static str,
    source_id: String,
    is_mrn: bool,
    /// `"TYPE/HASH"` as JSON has it; empty until it is asked for.
    reference: String,
}

impl NewIds {
    const LINES: usize = 4096;

    pub(crate) fn new(settings: &Settings) -> Self {
        let line = Line {
            resource_type: "",
            source_id: String::new(),
            is_mrn: false,
            reference: String::new(),
        };
        Self {
            mode: settings.id_mode,
            hasher: IdHasher::new(settings),
            mrn_patients: HashSet::new(),
            lines: vec![line; Self::LINES],
        }
    }

    pub(crate) const fn hasher(&self) -> &IdHasher {
        &self.hasher
    }

    pub(crate) fn note_mrn_patient(&mut self, source_id: &str) {
        let (line, _) = self.line("Patient", source_id);
        if !std::mem::replace(&mut line.is_mrn, true) {
            self.mrn_patients.insert(source_id.to_owned());
        }
    }

    /// The hashed id that takes the place of a source id, or `None` where the
    /// source id stays.
    pub(crate) fn replacing(
        &mut self,
        resource_type: &'static str,
        source_id: &str,
    ) -> Option<&str> {
        let reference = self.reference(resource_type, source_id, is_legal_id(source_id))?;
        Some(id_in(reference, resource_type))
    }

    /// What takes the place of a reference: type and hashed id as a JSON
    /// string, or `None` where the source id stays. The caller knows whether
    /// that is `legal`.
    pub(crate) fn reference(
        &mut self,
        resource_type: &'static str,
        source_id: &str,
        legal: bool,
    ) -> Option<&str> {
        if self.mode == IdMode::Preserve && legal && !self.is_mrn(resource_type, source_id) {
            return None;
        }
        Some(self.hashed_reference(resource_type, source_id))
    }

    /// The reference in the place of one that would stay, were its id no
    /// medical record number.
    pub(crate) fn mrn_reference(&mut self, source_id: &str) -> Option<&str> {
        if !self.is_mrn("Patient", source_id) {
            return None;
        }
        Some(self.hashed_reference("Patient", source_id))
    }

    /// Whether a source id stays, as far as its form tells.
    pub(crate) fn keeps(&self, source_id: &str) -> bool {
        self.mode == IdMode::Preserve && is_legal_id(source_id)
    }

    pub(crate) fn hashed(&mut self, resource_type: &'static str, source_id: &str) -> &str {
        id_in(
            self.hashed_reference(resource_type, source_id),
            resource_type,
        )
    }

    fn is_mrn(&mut self, resource_type: &'static str, source_id: &str) -> bool {
        resource_type == "Patient"
            && !self.mrn_patients.is_empty()
            && self.line(resource_type, source_id).0.is_mrn
    }

    fn hashed_reference(&mut self, resource_type: &'static str, source_id: &str) -> &str {
        let (line, hasher) = self.line(resource_type, source_id);
        if line.reference.is_empty() {
            let hex = hex(&hasher.digest(resource_type, source_id));
            let parts = ["\"", resource_type, "/", text(&hex), "\""];
            line.reference.reserve(parts.map(str::len).iter().sum());
            line.reference.extend(parts);
        }
        &line.reference
    }

    /// The line of a source id, and what may have to fill it.
    fn line(&mut self, resource_type: &'static str, source_id: &str) -> (&mut Line, &IdHasher) {
        let line = &mut self.lines[slot(resource_type, source_id)];
        if line.source_id != source_id || line.resource_type != resource_type {
            line.resource_type = resource_type;
            line.source_id.clear();
            line.source_id.push_str(source_id);
            line.is_mrn = resource_type == "Patient" && self.mrn_patients.contains(source_id);
            line.reference.clear();
        }
        (line, &self.hasher)
    }
}

/// The id in a reference of this type, which is a JSON string.
fn id_in<'a>(reference: &'a str, resource_type: &str) -> &'a str {
    reference
        .get(resource_type.len() + 2..reference.len() - 1)
        .unwrap_or_default()
}

/// A line for an id, by the end of it, which is where source ids differ.
fn slot(resource_type: &str, source_id: &str) -> usize {
    let id = source_id.as_bytes();
    let tail = match id.last_chunk() {
        Some(&tail) => tail,
        None => {
            let mut padded = [0; 16];
            padded[..id.len()].copy_from_slice(id);
            padded
        }
    };
    let tail = u128::from_le_bytes(tail);
    let mixed = (tail as u64 ^ resource_type.len() as u64)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(32)
        ^ (tail >> 64) as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize % NewIds::LINES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_noted_late_is_hashed_from_then_on() {
        let mut ids = NewIds::new(&Settings::new("urn:x"));
        assert_eq!(ids.replacing("Patient", "p1"), None);
        ids.note_mrn_patient("p2");
        // Now asked for and known not to be a medical record number, then noted.
        assert_eq!(ids.replacing("Patient", "p1"), None);
        ids.note_mrn_patient("p1");
        let expected = hex(&ids.hasher().digest("Patient", "p1"));
        assert_eq!(
            ids.replacing("Patient", "p1").map(str::as_bytes),
            Some(&expected[..])
        );
        assert_eq!(ids.replacing("Group", "p1"), None);
    }

    #[test]
    fn ids_that_share_a_line_are_told_apart() {
        let mut ids = NewIds::new(&Settings::new("urn:x"));
        ids.note_mrn_patient("p0");
        for round in 0..2 {
            for number in 0..2 * NewIds::LINES {
                let id = format!("p{number}");
                let expected = (number == 0).then(|| hex(&ids.hasher().digest("Patient", &id)));
                let new = ids.replacing("Patient", &id).map(str::as_bytes);
                assert_eq!(new, expected.as_ref().map(|hex| &hex[..]), "{round} {id}");
            }
        }
        let illegal = "_".repeat(70);
        for resource_type in ["Encounter", "Procedure"] {
            let expected = hex(&ids.hasher().digest(resource_type, &illegal));
            let new = ids.replacing(resource_type, &illegal).map(str::as_bytes);
            assert_eq!(new, Some(&expected[..]));
        }
    }
}
