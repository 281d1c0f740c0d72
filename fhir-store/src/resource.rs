use std::fmt;

use fhir_provenance::{Message, ProvenanceIds, Remediation};

use crate::{KnownLines, LineDigest, Result};

/// A store of FHIR resources that keeps every version, each together with its Provenance.
///
/// A resource is known by type and id. Its versions count 1, 2, 3…, whatever `meta.versionId` says.
/// Every write commits with its Provenance or not at all.
///
/// A store has one writer: methods take `&mut self`.
/// Where a method fails, everything since the last [`flush`](Self::flush) may be gone; what was flushed before never is.
pub trait ResourceStore {
    /// Writes `batch` in order and appends one outcome for each member.
    ///
    /// A member sees what earlier members of the same batch wrote.
    ///
    /// # Errors
    ///
    /// When the store can't write. `outcomes` is then as it was.
    fn put(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()>;

    /// Why puts were [`Refused`](PutOutcome::Refused) since the last call, in their order.
    ///
    /// A store that refuses nothing has nothing to say.
    fn take_refusals(&mut self) -> Vec<Refusal> {
        Vec::new()
    }

    /// Deletes the resources of `batch` in order and appends one outcome for each.
    ///
    /// A delete is a version without a body; the versions before it stay.
    ///
    /// # Errors
    ///
    /// When the store can't write. `outcomes` is then as it was.
    fn delete(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Delete<'_>],
        outcomes: &mut Vec<DeleteOutcome>,
    ) -> Result<()>;

    /// Replaces body, hash and identifiers of versions in place: no new version, and the Provenance stays.
    ///
    /// Meant for versions of a run that has not finished, where a later line of the input shows that an earlier one refers to a resource under the wrong id.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownResource`](crate::Error::UnknownResource) when there is no such version, or it is a delete.
    fn amend(&mut self, batch: &[Amend<'_>]) -> Result<()>;

    /// Makes everything written so far safe from a crash and visible to other readers.
    ///
    /// Before it, a crash loses what was written since the last flush; never a part of a resource.
    ///
    /// # Errors
    ///
    /// When the store can't commit.
    fn flush(&mut self) -> Result<()>;

    /// The current version of a resource, also when that is a delete.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn get(&mut self, resource_type: &str, id: &str) -> Result<Option<Stored>>;

    /// Every version of a resource, oldest first.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn history(&mut self, resource_type: &str, id: &str) -> Result<Vec<Stored>>;

    /// Current versions, deletes among them, in the order they were written.
    ///
    /// Begins after the [sequence number](Stored::sequence) `after`, 0 for the start, and stops once the bodies hold `max_bytes` or more.
    /// Gives at least one version, or none when there are no more.
    /// Writes between two calls are fine: what they write comes last.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn scan(
        &mut self,
        resource_type: Option<&str>,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<Stored>>;

    /// Ids of the resources, at most `limit`, whose current version was put with this identifier and is not deleted.
    ///
    /// They come in the order they were written. An identifier without a system is looked up with `""`.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn find_by_identifier(
        &mut self,
        resource_type: &str,
        system: &str,
        value: &str,
        limit: usize,
    ) -> Result<Vec<String>>;

    /// The Provenance of one version, as FHIR R4 JSON.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn provenance(
        &mut self,
        resource_type: &str,
        id: &str,
        version: u64,
    ) -> Result<Option<Vec<u8>>>;

    /// The resource types that were ever written, sorted.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn types(&mut self) -> Result<Vec<String>>;

    /// The secret under which digests of texts are made, in a store that keeps [them](Put::line).
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn line_key(&mut self) -> Result<Option<[u8; 16]>> {
        Ok(None)
    }

    /// The texts that the current resources of a source were made from, in a store that keeps their digests.
    ///
    /// A text that is among them needs no put: its resource is [`Unchanged`](PutOutcome::Unchanged), as long as it is [still current](Self::still_current).
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn known_lines(&mut self, source_system: &str) -> Result<Option<Box<dyn KnownLines>>> {
        let _ = source_system;
        Ok(None)
    }

    /// Whether nothing has happened to the version with this sequence number since [`known_lines`](Self::known_lines) was called.
    ///
    /// # Errors
    ///
    /// When the store can't read.
    fn still_current(&mut self, sequence: u64) -> Result<bool> {
        let _ = sequence;
        Ok(false)
    }

    /// The sequence number after the last resource that was found by a put: where an input that is read again goes on.
    fn next_expected(&self) -> Option<u64> {
        None
    }
}

/// On whose behalf a batch is written, and when.
#[derive(Clone, Copy)]
pub struct WriteContext<'a> {
    /// URI of the system the resources come from.
    pub source_system: &'a str,
    /// Display name of the organisation that runs the ingestion, the agent of the Provenance.
    pub organization: &'a str,
    /// Id of the run that writes, if one does.
    pub run: Option<&'a str>,
    /// Instant of the write: milliseconds since the Unix epoch, UTC.
    ///
    /// Moved to the nearer end where it is outside the years 0001 to 9999.
    pub recorded: i64,
    /// Makes the ids of the Provenance resources.
    pub ids: &'a dyn ProvenanceIds,
}

impl fmt::Debug for WriteContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `ids` may hold a key.
        f.debug_struct("WriteContext")
            .field("source_system", &self.source_system)
            .field("organization", &self.organization)
            .field("run", &self.run)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}

/// One resource to write.
#[derive(Clone, Copy)]
pub struct Put<'a> {
    /// Resource type, such as `Patient`.
    pub resource_type: &'a str,
    /// Id in the store.
    pub id: &'a str,
    /// Id in the source system.
    pub source_id: &'a str,
    /// Digest that tells whether the content changed.
    pub content_hash: [u8; 32],
    /// The resource as JSON text.
    pub body: &'a str,
    /// What [`find_by_identifier`](ResourceStore::find_by_identifier) shall find it by.
    pub identifiers: &'a [Identifier<'a>],
    /// What was mended, for the Provenance.
    pub remediations: &'a [Remediation<'a>],
    /// The HL7 v2 message that caused the write, if one did.
    pub message: Option<Message<'a>>,
    /// Whether content that equals an earlier version, but not the current one, is a new version.
    ///
    /// With `false` such a put gives [`PutOutcome::SeenBefore`]: it is how a replay of older data doesn't undo newer data.
    pub revert: bool,
    /// Digest of the text it was made from, where that is all of the text and nothing else decides what becomes of it.
    pub line: Option<LineDigest>,
}

/// One resource to delete.
#[derive(Clone, Copy)]
pub struct Delete<'a> {
    /// Resource type.
    pub resource_type: &'a str,
    /// Id in the store.
    pub id: &'a str,
    /// Id in the source system.
    pub source_id: &'a str,
    /// The HL7 v2 message that caused the delete, if one did.
    pub message: Option<Message<'a>>,
}

/// New content for a version, the current one or one before it.
#[derive(Clone, Copy)]
pub struct Amend<'a> {
    /// Resource type.
    pub resource_type: &'a str,
    /// Id in the store.
    pub id: &'a str,
    /// Number of the version.
    pub version: u64,
    /// Digest of the new content.
    pub content_hash: [u8; 32],
    /// The new content as JSON text.
    pub body: &'a str,
    /// All identifiers of the new content; those of the old one are forgotten.
    pub identifiers: &'a [Identifier<'a>],
    /// Whether the text that the version was made from makes the new content from now on, so that it stays [known](ResourceStore::known_lines).
    pub keeps_line: bool,
}

/// A business identifier of a resource.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Identifier<'a> {
    /// `Identifier.system`, or `""` without one.
    pub system: &'a str,
    /// `Identifier.value`.
    pub value: &'a str,
}

/// What became of a [`Put`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PutOutcome {
    /// The resource was not there; it is version 1 now.
    Created,
    /// The resource has another version.
    Updated {
        /// Number of the new version.
        version: u64,
    },
    /// The content equals the current version: nothing was written.
    Unchanged,
    /// The content equals an earlier version, not the current one, and [`Put::revert`] was false: nothing was written.
    SeenBefore {
        /// Number of the latest version with this content.
        version: u64,
    },
    /// Type and id belong to a resource of another source system: nothing was written.
    Conflict,
    /// The FHIR server behind the store doesn't take the resource: nothing was written.
    ///
    /// [`ResourceStore::take_refusals`] says why.
    Refused,
}

/// Why a FHIR server doesn't take a resource, in words that hold no content of it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Refusal {
    /// Status of the answer, or of the entry of a Bundle.
    pub status: u16,
    /// [Type of the issue](https://hl7.org/fhir/R4/valueset-issue-type.html), such as `invariant`; empty where the server names none.
    pub code: String,
    /// Where in the resource, as FHIRPath; empty where the server doesn't say.
    pub expression: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, ", {}", self.code)?;
        }
        if !self.expression.is_empty() {
            write!(f, " at {}", self.expression)?;
        }
        Ok(())
    }
}

/// What became of a [`Delete`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeleteOutcome {
    /// The resource has a last version that says it is deleted.
    Deleted {
        /// Number of that version.
        version: u64,
    },
    /// The resource was never there, or is deleted already: nothing was written.
    Absent,
    /// Type and id belong to a resource of another source system: nothing was written.
    Conflict,
}

/// One version of a resource as it is stored.
#[derive(Clone, Eq, PartialEq)]
pub struct Stored {
    /// Place in the order of all writes to the store, from 1.
    pub sequence: u64,
    /// Resource type.
    pub resource_type: String,
    /// Id in the store.
    pub id: String,
    /// Version number, from 1.
    pub version: u64,
    /// Digest of the content; for a delete, that of the content deleted.
    pub content_hash: [u8; 32],
    /// URI of the system it came from.
    pub source_system: String,
    /// Id in that system.
    pub source_id: String,
    /// Instant of the write: milliseconds since the Unix epoch, UTC.
    pub last_updated: i64,
    /// Whether this version is a delete.
    pub deleted: bool,
    /// The resource as JSON text; none for a delete.
    pub body: Option<String>,
    /// Id of the run that wrote it.
    pub run: Option<String>,
}

impl fmt::Debug for Put<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_type_only("Put", self.resource_type, f)
    }
}

impl fmt::Debug for Delete<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_type_only("Delete", self.resource_type, f)
    }
}

impl fmt::Debug for Amend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_type_only("Amend", self.resource_type, f)
    }
}

impl fmt::Debug for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifier")
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("sequence", &self.sequence)
            .field("resource_type", &self.resource_type)
            .field("version", &self.version)
            .field("deleted", &self.deleted)
            .finish_non_exhaustive()
    }
}

/// Ids and content of patients have no place in a log.
fn write_type_only(name: &str, resource_type: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("resource_type", &resource_type)
        .finish_non_exhaustive()
}
