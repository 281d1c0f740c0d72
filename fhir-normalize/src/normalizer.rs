//! One resource at a time: bytes in, bytes out.

use std::collections::HashSet;

use fhir_json::{Edits, Emitter, Kind, Tape, Value};
use sha2::{Digest, Sha256};

use crate::bundle::Links;
use crate::ids::{Cache, IdHasher, hex, is_legal_id};
use crate::reference::{Conditional, Form, form};
use crate::rejected::{Reason, Rejected};
use crate::remediate::{Remediation, remediate};
use crate::required::{resource_type, rules, type_name};
use crate::settings::{IdMode, Settings};

/// Turns resources of one source into what is stored.
///
/// Its buffers are reused from record to record, so keep one a thread.
#[derive(Debug)]
pub struct Normalizer {
    pub(crate) settings: Settings,
    hasher: IdHasher,
    cache: Cache,
    mrn_patients: HashSet<String>,
    pub(crate) tape: Tape,
    edits: Edits,
    emitter: Emitter,
    output: Output,
}

/// What a record became; borrowed from by [`Normalized`].
#[derive(Debug, Default)]
struct Output {
    body: Vec<u8>,
    canonical: Vec<u8>,
    id: String,
    source_id: String,
    remediations: Vec<Remediation>,
    identifiers: Vec<Identifier>,
    patients: Vec<String>,
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

/// `Identifier.system` (may be empty) and `Identifier.value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// Empty where the identifier has none.
    pub system: String,
    /// Never empty.
    pub value: String,
}

/// A stored resource whose references were resolved later.
#[derive(Clone, Copy, Debug)]
pub struct Rewritten<'a> {
    /// The resource as it is to be stored now.
    pub body: &'a str,
    /// Its content hash.
    pub content_hash: [u8; 32],
    /// Whether anything changed.
    pub changed: bool,
    /// Conditional references that stayed as they are.
    pub unresolved: usize,
    /// The resource's own identifiers that have a value.
    pub identifiers: &'a [Identifier],
}

/// What [`Normalizer::process`] tells besides the output.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    type_index: usize,
    content_hash: [u8; 32],
    mrn_patient: bool,
    conditional: bool,
}

/// What the members of a resource's top level say.
pub(crate) struct Head<'a> {
    pub(crate) type_index: usize,
    id: Option<Value<'a>>,
    meta: Option<Value<'a>>,
    text: Option<Value<'a>>,
    contained: Option<Value<'a>>,
    identifier: Option<Value<'a>>,
}

impl Normalizer {
    /// A normalizer for a source.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            hasher: IdHasher::new(&settings),
            settings,
            cache: Cache::new(),
            mrn_patients: HashSet::new(),
            tape: Tape::new(),
            edits: Edits::new(),
            emitter: Emitter::new(),
            output: Output::default(),
        }
    }

    /// The source's id hasher.
    #[must_use]
    pub const fn hasher(&self) -> &IdHasher {
        &self.hasher
    }

    /// Takes note that a patient's source id is a medical record number, so
    /// that references to the patient are rewritten from here on. Patients
    /// that go through [`normalize`](Self::normalize) are noted by it.
    pub fn note_mrn_patient(&mut self, source_id: &str) {
        if !self.mrn_patients.contains(source_id) {
            self.mrn_patients.insert(source_id.to_owned());
        }
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
        let done = match tape.parse(line) {
            Ok(document) => self.process(document.root(), fallback_id, links),
            Err(error) => Err(error.into()),
        };
        self.tape = tape;
        Ok(self.normalized(done?))
    }

    /// Fills the output from a parsed resource.
    pub(crate) fn process(
        &mut self,
        root: Value<'_>,
        fallback_id: Option<&str>,
        links: &Links,
    ) -> Result<Done, Rejected> {
        let head = head(root)?;
        self.edits.clear();
        self.output.remediations.clear();
        omit(&head, &mut self.edits);
        let mrn_patient = self.identify(root, &head, fallback_id)?;
        remediate(
            root,
            rules(head.type_index),
            &mut self.edits,
            &mut self.output.remediations,
        )?;
        let conditional = self.rewrite_references(root, links);
        collect_identifiers(&head, &mut self.output.identifiers);
        let content_hash = emit(root, &self.edits, &mut self.emitter, &mut self.output);
        Ok(Done {
            type_index: head.type_index,
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
            body: text(&output.body),
            content_hash: done.content_hash,
            canonical: &output.canonical,
            remediations: &output.remediations,
            identifiers: &output.identifiers,
            mrn_patient: done.mrn_patient,
            patients: &output.patients,
            conditional: done.conditional,
        }
    }

    /// Resolves the references of a stored resource that could not be
    /// resolved when it was normalized: conditional ones by `find`, which
    /// gives the id of the one match, and patients noted as known by their
    /// medical record number since.
    ///
    /// # Errors
    /// Where `body` is not the body of a [`Normalized`].
    pub fn rewrite(
        &mut self,
        body: &[u8],
        mut find: impl FnMut(&Conditional<'_>) -> Option<String>,
    ) -> Result<Rewritten<'_>, Rejected> {
        let root = self.tape.parse(body)?.root();
        let head = head(root)?;
        self.edits.clear();
        omit(&head, &mut self.edits);
        let mut unresolved = 0;
        for value in root.descendants_named(["reference"]) {
            let Some(reference) = value.as_str() else {
                continue;
            };
            match form(&reference, &self.settings.bases) {
                Form::Conditional(conditional) => match find(&conditional) {
                    Some(id) => {
                        let reference = format!("{}/{id}", conditional.resource_type);
                        self.edits.replace_with_str(value, &reference);
                    }
                    None => unresolved += 1,
                },
                Form::Local {
                    resource_type: "Patient",
                    id,
                    ..
                } if self.settings.id_mode == IdMode::Preserve
                    && self.mrn_patients.contains(id) =>
                {
                    let id = self.cache.hashed(&self.hasher, "Patient", id);
                    self.edits.replace_with_str(value, &format!("Patient/{id}"));
                }
                _ => {}
            }
        }
        collect_identifiers(&head, &mut self.output.identifiers);
        let changed = !self.edits.is_empty();
        let content_hash = emit(root, &self.edits, &mut self.emitter, &mut self.output);
        Ok(Rewritten {
            body: text(&self.output.body),
            content_hash,
            changed,
            unresolved,
            identifiers: &self.output.identifiers,
        })
    }

    /// Sets the ids of the output and plans the change of the resource's own.
    fn identify(
        &mut self,
        root: Value<'_>,
        head: &Head<'_>,
        fallback_id: Option<&str>,
    ) -> Result<bool, Rejected> {
        let mrn_patient = self.new_id(root, head, fallback_id)?;
        let id = &self.output.id;
        match head.id {
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
        head: &Head<'_>,
        fallback_id: Option<&str>,
    ) -> Result<bool, Rejected> {
        let output = &mut self.output;
        output.id.clear();
        output.source_id.clear();
        let resource_type = type_name(head.type_index);
        match source_id(head)?.or_else(|| fallback_id.map(Into::into)) {
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
            && head.identifier.is_some_and(|identifier| {
                is_mrn(identifier, source_id, self.settings.mrn_system.as_deref())
            });
        if is_mrn && !self.mrn_patients.contains(source_id) {
            self.mrn_patients.insert(source_id.to_owned());
        }
        if keeps_id(self.settings.id_mode, source_id) && !is_mrn {
            output.id.push_str(source_id);
        } else {
            output
                .id
                .push_str(self.cache.hashed(&self.hasher, resource_type, source_id));
        }
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
                omit(&head, &mut self.edits);
                self.new_id(document.root(), &head, fallback_id)?;
                Ok(type_name(head.type_index))
            });
        self.tape = tape;
        Ok((result?, &self.output.id))
    }

    /// The id in the store of a resource known by its source id alone.
    pub(crate) fn id_for(&mut self, resource_type: &'static str, source_id: &str) -> String {
        let mrn = resource_type == "Patient" && self.mrn_patients.contains(source_id);
        if keeps_id(self.settings.id_mode, source_id) && !mrn {
            return source_id.to_owned();
        }
        self.cache
            .hashed(&self.hasher, resource_type, source_id)
            .to_owned()
    }

    /// Plans the change of every reference; tells whether conditional ones
    /// are left.
    fn rewrite_references(&mut self, root: Value<'_>, links: &Links) -> bool {
        self.output.patients.clear();
        let mut conditional = false;
        let mut rewritten = String::new();
        for value in root.descendants_named(["reference", "url"]) {
            let attachment = value.is_named("url");
            let Some(reference) = value.as_str() else {
                continue;
            };
            let (resource_type, id, plain) = match form(&reference, &self.settings.bases) {
                Form::Local {
                    resource_type,
                    id,
                    plain,
                } if !attachment || resource_type == "Binary" => (resource_type, id, plain),
                Form::Uuid if !attachment => {
                    if let Some(target) = links.get(&reference) {
                        self.edits.replace_with_str(value, target);
                    }
                    continue;
                }
                Form::Conditional(_) if !attachment => {
                    conditional = true;
                    continue;
                }
                _ => continue,
            };
            let patient = resource_type == "Patient";
            let mrn = patient && self.mrn_patients.contains(id);
            rewritten.clear();
            rewritten.push_str(resource_type);
            rewritten.push('/');
            if keeps_id(self.settings.id_mode, id) && !mrn {
                if patient && !self.output.patients.iter().any(|known| known == id) {
                    self.output.patients.push(id.to_owned());
                }
                if plain {
                    continue;
                }
                rewritten.push_str(id);
            } else {
                rewritten.push_str(self.cache.hashed(&self.hasher, resource_type, id));
            }
            self.edits.replace_with_str(value, &rewritten);
        }
        conditional
    }
}

fn collect_identifiers(head: &Head<'_>, identifiers: &mut Vec<Identifier>) {
    identifiers.clear();
    let Some(identifier) = head.identifier else {
        return;
    };
    for identifier in identifier.elements_or_self() {
        let member = |name| identifier.get(name).and_then(Value::as_str);
        if let Some(value) = member("value").filter(|value| !value.is_empty()) {
            identifiers.push(Identifier {
                system: member("system").unwrap_or_default().into_owned(),
                value: value.into_owned(),
            });
        }
    }
}

fn emit(root: Value<'_>, edits: &Edits, emitter: &mut Emitter, output: &mut Output) -> [u8; 32] {
    output.body.clear();
    emitter.compact(root, edits, &mut output.body);
    output.canonical.clear();
    emitter.canonical(root, edits, &mut output.canonical);
    Sha256::digest(&output.canonical).into()
}

/// Reads the top level.
pub(crate) fn head(root: Value<'_>) -> Result<Head<'_>, Rejected> {
    if root.kind() != Kind::Object {
        return Err(Rejected::new(Reason::InvalidJson, "not a JSON object"));
    }
    let mut type_member = None;
    let mut head = Head {
        type_index: 0,
        id: None,
        meta: None,
        text: None,
        contained: None,
        identifier: None,
    };
    for member in root.members() {
        let slot = if member.is_named("id") {
            &mut head.id
        } else if member.is_named("resourceType") {
            &mut type_member
        } else if member.is_named("meta") {
            &mut head.meta
        } else if member.is_named("text") {
            &mut head.text
        } else if member.is_named("contained") {
            &mut head.contained
        } else if member.is_named("identifier") {
            &mut head.identifier
        } else {
            continue;
        };
        *slot = Some(member);
    }
    let name = type_member
        .and_then(|member| member.as_str())
        .filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(Rejected::new(
            Reason::MissingResourceType,
            "no resourceType",
        ));
    };
    head.type_index = resource_type(&name).ok_or_else(|| {
        Rejected::new(
            Reason::UnknownResourceType,
            "resourceType is not one of FHIR R4",
        )
    })?;
    Ok(head)
}

/// Plans what is left out of the hash: what a server changes by itself, and
/// narrative.
fn omit(head: &Head<'_>, edits: &mut Edits) {
    if let Some(text) = head.text {
        edits.omit(text);
    }
    for resource in head
        .contained
        .iter()
        .flat_map(|contained| contained.elements_or_self())
    {
        if let Some(text) = resource.get("text") {
            edits.omit(text);
        }
    }
    let Some(meta) = head.meta.filter(|meta| meta.kind() == Kind::Object) else {
        return;
    };
    let volatile =
        |member: &Value<'_>| member.is_named("versionId") || member.is_named("lastUpdated");
    if meta.members().all(|member| volatile(&member)) {
        edits.omit(meta);
    } else {
        meta.members()
            .filter(volatile)
            .for_each(|member| edits.omit(member));
    }
}

/// The id at the source. A number is taken by its digits; an empty string is
/// no id, since all resources with one would become the same resource.
fn source_id<'a>(head: &Head<'a>) -> Result<Option<std::borrow::Cow<'a, str>>, Rejected> {
    let Some(id) = head.id else { return Ok(None) };
    match id.kind() {
        Kind::String => Ok(id.as_str().filter(|id| !id.is_empty())),
        Kind::Number => Ok(id.as_number().map(Into::into)),
        _ => Err(Rejected::new(Reason::InvalidJson, "id is not a string")),
    }
}

fn keeps_id(mode: IdMode, id: &str) -> bool {
    mode == IdMode::Preserve && is_legal_id(id)
}

/// Whether one of a Patient's identifiers is a medical record number and
/// equals `id`.
fn is_mrn(identifier: Value<'_>, id: &str, mrn_system: Option<&str>) -> bool {
    identifier.elements_or_self().any(|identifier| {
        identifier
            .get("value")
            .is_some_and(|value| value.is_str(id))
            && (mrn_system.is_some_and(|mrn_system| {
                identifier
                    .get("system")
                    .is_some_and(|system| system.is_str(mrn_system))
            }) || has_type_mr(identifier))
    })
}

/// HL7 table 0203 by its names; a coding without system is taken at its word.
const IDENTIFIER_TYPES: [&str; 3] = [
    "http://terminology.hl7.org/CodeSystem/v2-0203",
    "http://hl7.org/fhir/v2/0203",
    "urn:oid:2.16.840.1.113883.18.108",
];

fn has_type_mr(identifier: Value<'_>) -> bool {
    let coding = identifier
        .get("type")
        .and_then(|concept| concept.get("coding"));
    coding
        .iter()
        .flat_map(|coding| coding.elements_or_self())
        .any(|coding| {
            coding.get("code").is_some_and(|code| code.is_str("MR"))
                && coding
                    .get("system")
                    .is_none_or(|system| IDENTIFIER_TYPES.iter().any(|known| system.is_str(known)))
        })
}

/// Output is made of validated text and ASCII.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
