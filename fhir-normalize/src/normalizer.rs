//! One resource at a time: bytes in, bytes out.

use fhir_json::{Edits, Emitter, Kind, Tape, Value};
use sha2::{Digest, Sha256};

use crate::bundle::Links;
use crate::head::{Names, head};
use crate::ids::{IdHasher, hex};
use crate::layout::{Layout, Layouts};
use crate::mrn::is_mrn;
use crate::new_ids::NewIds;
use crate::output::{Identifier, Output, text};
use crate::rejected::Rejected;
use crate::remediate::{Remediation, remediate};
use crate::required::{rules, type_name};
use crate::settings::Settings;

/// Turns resources of one source into what is stored.
///
/// Its buffers are reused from record to record, so keep one a thread.
#[derive(Debug)]
pub struct Normalizer {
    pub(crate) settings: Settings,
    pub(crate) ids: NewIds,
    pub(crate) tape: Tape,
    pub(crate) layouts: Layouts,
    pub(crate) edits: Edits,
    pub(crate) emitter: Emitter,
    pub(crate) output: Output,
    /// A reference under construction.
    pub(crate) reference: String,
}

/// A resource ready to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Normalized<'a> {
    /// `resourceType`
    pub resource_type: &'static str,
    /// The id in the store.
    pub id: &'a str,
    /// The id at the source; for a resource without one, what the hashed id
    /// was made of.
    pub source_id: &'a str,
    /// The resource as it is stored: compact JSON.
    pub body: &'a str,
    /// SHA-256 of the canonical form, without what changes by itself.
    pub content_hash: [u8; 32],
    /// The text that was hashed: UTF-8.
    pub canonical: &'a [u8],
    /// What was missing and is now marked as absent.
    pub remediations: &'a [Remediation],
    /// The resource's own identifiers that have a value.
    pub identifiers: &'a [Identifier],
    /// The resource is a Patient whose id is its medical record number.
    pub mrn_patient: bool,
    /// Patients that it references under their source id, which might turn
    /// out to be a medical record number.
    pub patients: &'a [String],
    /// It has conditional references, see [`Normalizer::rewrite`].
    pub conditional: bool,
}

/// What [`Normalizer::process`] tells besides the output.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    type_index: usize,
    content_hash: [u8; 32],
    mrn_patient: bool,
    conditional: bool,
}

impl Normalizer {
    /// A normalizer for a source.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            ids: NewIds::new(&settings),
            settings,
            tape: Tape::new(),
            layouts: Layouts::default(),
            edits: Edits::new(),
            emitter: Emitter::new(),
            output: Output::default(),
            reference: String::new(),
        }
    }

    /// The source's id hasher.
    #[must_use]
    pub const fn hasher(&self) -> &IdHasher {
        self.ids.hasher()
    }

    /// Takes note that a patient's source id is a medical record number, so
    /// that references to the patient are rewritten from here on. Patients
    /// that go through [`normalize`](Self::normalize) are noted by it.
    pub fn note_mrn_patient(&mut self, source_id: &str) {
        self.ids.note_mrn_patient(source_id);
    }

    /// Normalizes one resource, a Bundle included; see
    /// [`records`](Self::records) for what is inside Bundles.
    ///
    /// # Errors
    /// What makes the resource unfit for the store.
    pub fn normalize(&mut self, line: &[u8]) -> Result<Normalized<'_>, Rejected> {
        self.normalize_entry(line, None, &Links::default())
    }

    /// [`normalize`](Self::normalize) for a Bundle entry: `fallback_id`
    /// serves where the resource has no id, `links` resolve `urn:uuid:`.
    pub(crate) fn normalize_entry(
        &mut self,
        line: &[u8],
        fallback_id: Option<&str>,
        links: &Links,
    ) -> Result<Normalized<'_>, Rejected> {
        let mut tape = std::mem::take(&mut self.tape);
        let done = tape
            .parse(line)
            .map_err(Rejected::from)
            .and_then(|document| {
                let root = document.root();
                let mut layout = self.layouts.take(root)?;
                let done = self.process(root, &mut layout, fallback_id, links);
                self.layouts.give_back(layout);
                done
            });
        self.tape = tape;
        Ok(self.normalized(done?))
    }

    /// Fills the output from a parsed resource.
    pub(crate) fn process(
        &mut self,
        root: Value<'_>,
        layout: &mut Layout,
        fallback_id: Option<&str>,
        links: &Links,
    ) -> Result<Done, Rejected> {
        self.edits.clear();
        self.output.remediations.clear();
        layout.omit(root.document(), &mut self.edits);
        let names = layout.names(root.document());
        let mrn_patient = self.identify(root, &names, fallback_id)?;
        if !layout.complete {
            layout.complete = remediate(
                root,
                rules(names.type_index),
                &mut self.edits,
                &mut self.output.remediations,
            )?;
        }
        layout.find_references(root);
        let conditional = self.rewrite_references(root, layout, links);
        self.output.collect_identifiers(&names);
        let content_hash = self.output.write(root, &self.edits, &mut self.emitter);
        Ok(Done {
            type_index: names.type_index,
            content_hash,
            mrn_patient,
            conditional,
        })
    }

    /// The output with what [`process`](Self::process) told about it.
    pub(crate) fn normalized(&self, done: Done) -> Normalized<'_> {
        let output = &self.output;
        Normalized {
            resource_type: type_name(done.type_index),
            id: &output.id,
            source_id: &output.source_id,
            body: &output.body,
            content_hash: done.content_hash,
            canonical: &output.canonical,
            remediations: &output.remediations,
            identifiers: output.identifiers.items(),
            mrn_patient: done.mrn_patient,
            patients: output.patients.items(),
            conditional: done.conditional,
        }
    }

    /// Sets the ids of the output and plans the change of the resource's own.
    fn identify(
        &mut self,
        root: Value<'_>,
        names: &Names<'_>,
        fallback_id: Option<&str>,
    ) -> Result<bool, Rejected> {
        let mrn_patient = self.new_id(root, names, fallback_id)?;
        let id = &self.output.id;
        match names.id {
            Some(own) if own.kind() == Kind::String && own.is_str(id) => {}
            Some(own) => self.edits.replace_with_str(own, id),
            None => self.edits.insert_str(root, "id", id),
        }
        Ok(mrn_patient)
    }

    /// Sets `output.id` and `output.source_id`.
    fn new_id(
        &mut self,
        root: Value<'_>,
        names: &Names<'_>,
        fallback_id: Option<&str>,
    ) -> Result<bool, Rejected> {
        let output = &mut self.output;
        output.id.clear();
        output.source_id.clear();
        let resource_type = type_name(names.type_index);
        match names.source_id()?.or_else(|| fallback_id.map(Into::into)) {
            Some(id) => output.source_id.push_str(&id),
            None => {
                // As received: nothing but the omissions is among the edits.
                output.canonical.clear();
                self.emitter
                    .canonical(root, &self.edits, &mut output.canonical);
                let digest = Sha256::digest(&output.canonical).into();
                output.source_id.push_str(text(&hex(&digest)));
            }
        }
        let source_id = output.source_id.as_str();
        let is_mrn = resource_type == "Patient"
            && names.identifier.is_some_and(|identifier| {
                is_mrn(identifier, source_id, self.settings.mrn_system.as_deref())
            });
        if is_mrn {
            self.ids.note_mrn_patient(source_id);
        }
        // Its own identifiers alone count, and not what was noted before: the
        // same resource gets the same id each time.
        output.id.push_str(if !is_mrn && self.ids.keeps(source_id) {
            source_id
        } else {
            self.ids.hashed(resource_type, source_id)
        });
        Ok(is_mrn)
    }

    /// The type and new id that a resource will have, without normalizing it.
    pub(crate) fn preview(
        &mut self,
        line: &[u8],
        fallback_id: Option<&str>,
    ) -> Result<(&'static str, &str), Rejected> {
        let mut tape = std::mem::take(&mut self.tape);
        let result = tape
            .parse(line)
            .map_err(Rejected::from)
            .and_then(|document| {
                let head = head(document.root())?;
                self.edits.clear();
                head.omit(&mut self.edits);
                self.new_id(document.root(), &head.names, fallback_id)?;
                Ok(type_name(head.names.type_index))
            });
        self.tape = tape;
        Ok((result?, &self.output.id))
    }

    /// The id in the store of a resource known by its source id alone.
    pub(crate) fn id_for(&mut self, resource_type: &'static str, source_id: &str) -> String {
        self.ids
            .replacing(resource_type, source_id)
            .unwrap_or(source_id)
            .to_owned()
    }
}
