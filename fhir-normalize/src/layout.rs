//! Where a resource has what the normalizer looks for: the same places in all
//! resources of a type and a shape.

use std::mem;

use fhir_json::{Document, Edits, Kind, Shape, Value};

use crate::head::{Names, head};
use crate::rejected::Rejected;
use crate::required::type_name;
use crate::rewrite::is_in_attachment;

/// Layouts of the shapes seen last, each in the line that its shape's number
/// gives it; the last line is for resources of no known shape.
#[derive(Debug, Default)]
pub(crate) struct Layouts(Vec<Layout>);

/// Positions of a resource's values.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    shape: Option<Shape>,
    pub(crate) type_index: usize,
    resource_type: u32,
    id: Option<u32>,
    identifier: Option<u32>,
    /// What the content hash leaves out.
    omitted: Vec<u32>,
    /// Strings that may be references, and whether their name is `url`; not
    /// looked for yet where the resource may be a Bundle that is taken apart.
    references: Vec<(u32, bool)>,
    has_references: bool,
    /// Nothing that is required is missing from any resource like this.
    pub(crate) complete: bool,
}

impl Layouts {
    const LINES: usize = 256;

    /// The layout of a resource, to be given [back](Self::give_back).
    ///
    /// # Errors
    /// Where it is no resource of a type that FHIR knows.
    pub(crate) fn take(&mut self, root: Value<'_>) -> Result<Layout, Rejected> {
        if self.0.is_empty() {
            self.0.resize_with(Self::LINES + 1, Layout::default);
        }
        let mut layout = mem::take(&mut self.0[line(root.document().shape())]);
        if !layout.is_of(root) {
            layout.fill(root)?;
        }
        Ok(layout)
    }

    pub(crate) fn give_back(&mut self, layout: Layout) {
        if let Some(line) = self.0.get_mut(line(layout.shape)) {
            *line = layout;
        }
    }
}

fn line(shape: Option<Shape>) -> usize {
    shape.map_or(Layouts::LINES, |shape| {
        shape.number() as usize % Layouts::LINES
    })
}

impl Layout {
    fn is_of(&self, root: Value<'_>) -> bool {
        let document = root.document();
        self.shape.is_some()
            && self.shape == document.shape()
            && document
                .value_at(self.resource_type)
                .is_some_and(|own| own.is_str(type_name(self.type_index)))
    }

    fn fill(&mut self, root: Value<'_>) -> Result<(), Rejected> {
        let head = head(root)?;
        self.shape = root.document().shape();
        self.type_index = head.names.type_index;
        self.resource_type = head.resource_type.position();
        self.id = head.names.id.map(Value::position);
        self.identifier = head.names.identifier.map(Value::position);
        self.complete = false;
        self.omitted.clear();
        head.each_omitted(|value| self.omitted.push(value.position()));
        self.has_references = false;
        Ok(())
    }

    /// Looks for references, where that was not done yet.
    pub(crate) fn find_references(&mut self, root: Value<'_>) {
        if mem::replace(&mut self.has_references, true) {
            return;
        }
        self.references.clear();
        root.descendants_named(["reference", "url"])
            .filter(|value| value.kind() == Kind::String)
            .for_each(|value| {
                let is_url = value.is_named("url");
                // Worth a look only if the same is not looked at again.
                if !is_url || self.shape.is_none() || is_in_attachment(root, value) {
                    self.references.push((value.position(), is_url));
                }
            });
    }

    /// What the top level of a resource of this layout says.
    pub(crate) fn names<'a>(&self, document: Document<'a>) -> Names<'a> {
        Names {
            type_index: self.type_index,
            id: self.id.and_then(|at| document.value_at(at)),
            identifier: self.identifier.and_then(|at| document.value_at(at)),
        }
    }

    /// Plans what is left out of the hash.
    pub(crate) fn omit(&self, document: Document<'_>, edits: &mut Edits) {
        for &position in &self.omitted {
            if let Some(value) = document.value_at(position) {
                edits.omit(value);
            }
        }
    }

    /// What may be references, once it was looked for, and whether their name
    /// is `url`.
    pub(crate) fn references<'a>(
        &self,
        document: Document<'a>,
    ) -> impl Iterator<Item = (Value<'a>, bool)> {
        self.references
            .iter()
            .filter_map(move |&(position, is_url)| Some((document.value_at(position)?, is_url)))
    }
}
