//! References to where their targets will be.

use fhir_json::{HIGHEST_MAX_DEPTH, Value};

use crate::bundle::Links;
use crate::head::head;
use crate::layout::Layout;
use crate::normalizer::Normalizer;
use crate::output::Identifier;
use crate::reference::{Conditional, Form, form};
use crate::rejected::Rejected;

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

impl Normalizer {
    /// Resolves the references of a stored resource that could not be
    /// resolved when it was normalized: conditional ones by `find`, which
    /// gives the id of the one match, and patients noted as known by their
    /// medical record number since.
    ///
    /// # Errors
    /// Where `body` is not the body of a [`Normalized`](crate::Normalized).
    pub fn rewrite(
        &mut self,
        body: &[u8],
        mut find: impl FnMut(&Conditional<'_>) -> Option<String>,
    ) -> Result<Rewritten<'_>, Rejected> {
        // Marks of absence may have nested it deeper than what is taken in.
        let root = self.tape.parse_nested(body, HIGHEST_MAX_DEPTH)?.root();
        let head = head(root)?;
        self.edits.clear();
        head.omit(&mut self.edits);
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
                // All other ids are new ones already.
                Form::Local {
                    resource_type: "Patient",
                    id,
                    ..
                } if self.ids.keeps(id) => {
                    if let Some(new) = self.ids.mrn_reference(id) {
                        self.edits.replace(value, new.as_bytes());
                    }
                }
                _ => {}
            }
        }
        self.output.collect_identifiers(&head.names);
        let changed = !self.edits.is_empty();
        let content_hash = self.output.write(root, &self.edits, &mut self.emitter);
        Ok(Rewritten {
            body: &self.output.body,
            content_hash,
            changed,
            unresolved,
            identifiers: self.output.identifiers.items(),
        })
    }

    /// Plans the change of every reference; tells whether conditional ones
    /// are left.
    pub(crate) fn rewrite_references(
        &mut self,
        root: Value<'_>,
        layout: &Layout,
        links: &Links,
    ) -> bool {
        self.output.patients.clear();
        let mut conditional = false;
        for (value, is_url) in layout.references(root.document()) {
            conditional |= self.rewrite_reference(root, value, is_url, links);
        }
        conditional
    }

    /// Plans the change of what may be a reference; tells whether it is a
    /// conditional one.
    fn rewrite_reference(
        &mut self,
        root: Value<'_>,
        value: Value<'_>,
        is_url: bool,
        links: &Links,
    ) -> bool {
        let Some(reference) = value.as_str() else {
            return false;
        };
        match form(&reference, &self.settings.bases) {
            Form::Local {
                resource_type,
                id,
                legal,
                plain,
            } if !is_url || resource_type == "Binary" && is_in_attachment(root, value) => {
                if let Some(new) = self.ids.reference(resource_type, id, legal) {
                    self.edits.replace(value, new.as_bytes());
                } else {
                    self.keep_id(value, resource_type, id, plain);
                }
            }
            Form::Uuid if !is_url => {
                if let Some(target) = links.get(&reference) {
                    self.edits.replace_with_str(value, target);
                }
            }
            Form::Conditional(_) if !is_url => return true,
            _ => {}
        }
        false
    }

    /// Plans what there is to change in a reference whose id stays.
    fn keep_id(&mut self, value: Value<'_>, resource_type: &str, id: &str, plain: bool) {
        if resource_type == "Patient" {
            self.output.add_patient(id);
        }
        if !plain {
            self.reference.clear();
            self.reference.push_str(resource_type);
            self.reference.push('/');
            self.reference.push_str(id);
            self.edits.replace_with_str(value, &self.reference);
        }
    }
}

/// Whether a `url` is that of an Attachment, by the names that R4 gives to
/// elements of this type. Extensions, links and requests have a `url` as well.
pub(crate) fn is_in_attachment(root: Value<'_>, url: Value<'_>) -> bool {
    const NAMES: [&str; 7] = [
        "attachment",
        "content",
        "document",
        "form",
        "image",
        "photo",
        "presentedForm",
    ];
    let place = url.span();
    let mut element = None;
    let mut outer = root;
    while let Some(inner) = outer
        .members()
        .chain(outer.elements())
        .find(|inner| inner.span().contains(&place.start))
        .filter(|inner| inner.span() != place)
    {
        element = inner.name().or(element);
        outer = inner;
    }
    element.is_some_and(|name| NAMES.contains(&&*name) || name.ends_with("Attachment"))
}
