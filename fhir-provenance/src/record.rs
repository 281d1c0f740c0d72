use std::io::Write as _;

use crate::instant::write_instant;
use crate::json::{write_hex, write_string};

/// The facts behind the Provenance of one write.
///
/// FHIR forbids empty strings: every text of a record but those of [`Message`] is taken to hold at least one character.
/// [`Record::write_json`] doesn't check that.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The id of the Provenance itself, from [`ProvenanceIds`](crate::ProvenanceIds); written as 64 hex digits.
    pub provenance_id: [u8; 32],
    /// URI of the system the resource came from.
    pub source_system: &'a str,
    /// The resource's id in that system.
    pub source_id: &'a str,
    /// Resource type, such as `Patient`.
    pub resource_type: &'a str,
    /// The resource's id in the store.
    pub id: &'a str,
    /// The version this write made, from 1; FHIR's `integer` ends at 2<sup>31</sup> − 1.
    pub version: u64,
    /// What the write did.
    pub activity: Activity,
    /// When it was written: milliseconds since the Unix epoch, UTC.
    pub recorded: i64,
    /// Display name of the organisation that did the writing.
    pub organization: &'a str,
    /// What was mended on the way.
    pub remediations: &'a [Remediation<'a>],
    /// The HL7 v2 message that caused the write, if one did.
    pub message: Option<Message<'a>>,
}

impl Record<'_> {
    /// Appends the R4 Provenance as compact JSON.
    ///
    /// Members come in a fixed order: `resourceType`, `id`, `meta`, `extension`, `target`, `recorded`, `activity`, `agent`, `entity`.
    /// Specification: <https://hl7.org/fhir/R4/provenance.html>.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"resourceType":"Provenance","id":""#);
        write_hex(&self.provenance_id, out);
        out.extend_from_slice(br#"","meta":{"tag":[{"system":"urn:ingest:source-system","code":"#);
        write_string(self.source_system, out);
        out.extend_from_slice(br#"}]},"extension":["#);
        self.write_extensions(out);
        out.extend_from_slice(br#"],"target":[{"reference":"#);
        write_string(&format!("{}/{}", self.resource_type, self.id), out);
        out.extend_from_slice(br#"}],"recorded":""#);
        write_instant(self.recorded, out);
        out.extend_from_slice(
            br#"","activity":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-DataOperation","code":"#,
        );
        write_string(self.activity.code(), out);
        out.extend_from_slice(
            br#"}]},"agent":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/provenance-participant-type","code":"assembler"}]},"who":{"display":"#,
        );
        write_string(self.organization, out);
        out.extend_from_slice(br#"}}],"entity":["#);
        self.write_entities(out);
        out.extend_from_slice(b"]}");
    }

    fn write_extensions(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"url":"urn:ingest:version","valueInteger":"#);
        // Writing to a vector can't fail.
        let _ = write!(out, "{}", self.version);
        out.push(b'}');
        for remediation in self.remediations {
            out.extend_from_slice(
                br#",{"url":"urn:ingest:remediation","extension":[{"url":"path","valueString":"#,
            );
            write_string(remediation.path, out);
            out.extend_from_slice(br#"},{"url":"rule","valueString":"#);
            write_string(remediation.rule, out);
            out.extend_from_slice(b"}]}");
        }
    }

    fn write_entities(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"role":"source","what":{"identifier":{"system":"#);
        write_string(self.source_system, out);
        out.extend_from_slice(br#","value":"#);
        write_string(&format!("{}/{}", self.resource_type, self.source_id), out);
        out.extend_from_slice(b"}}}");
        if let Some(message) = self.message.filter(|message| !message.is_empty()) {
            out.extend_from_slice(br#",{"role":"source","what":{"#);
            if !message.control_id.is_empty() {
                out.extend_from_slice(br#""identifier":{"value":"#);
                write_string(message.control_id, out);
                out.push(b'}');
            }
            if !message.raw_key.is_empty() {
                if !message.control_id.is_empty() {
                    out.push(b',');
                }
                out.extend_from_slice(br#""display":"#);
                write_string(message.raw_key, out);
            }
            out.extend_from_slice(b"}}");
        }
    }
}

/// What a write did to its resource: `Provenance.activity`, a code of [v3-DataOperation].
///
/// [v3-DataOperation]: https://terminology.hl7.org/CodeSystem-v3-DataOperation.html
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Activity {
    /// The first version of a resource.
    Create,
    /// Another version, also when it brings a deleted resource back.
    Update,
    /// The resource is gone from the source.
    Delete,
}

impl Activity {
    /// The code: `CREATE`, `UPDATE` or `DELETE`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// One element that was mended before the write.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Remediation<'a> {
    /// FHIRPath of the element, such as `Condition.code`.
    pub path: &'a str,
    /// The rule that mended it.
    pub rule: &'a str,
}

/// The HL7 v2 message that caused a write.
///
/// An empty text is left out of the Provenance; a message with both empty is left out whole.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Message<'a> {
    /// Message control id, MSH-10.
    pub control_id: &'a str,
    /// Key of the raw message in the archive.
    pub raw_key: &'a str,
}

impl Message<'_> {
    /// Whether there is nothing to write of this message.
    pub fn is_empty(&self) -> bool {
        self.control_id.is_empty() && self.raw_key.is_empty()
    }
}
