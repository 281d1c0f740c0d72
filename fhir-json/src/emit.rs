//! Writing: values with changes, as canonical form or as compact text.

use crate::canonical::{Slot, write_canonical};
use crate::compact::write_compact;
use crate::document::Document;
use crate::edits::{Change, Edits, Operation};
use crate::plan::Plans;
use crate::sink::Sink;
use crate::tape::Node;
use crate::value::Value;

/// Writes values, with buffers that are reused from value to value.
#[derive(Debug, Default)]
pub struct Emitter {
    slots: Vec<Slot>,
    plans: Plans,
}

impl Emitter {
    /// An emitter without buffers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` with `edits` in canonical form: no white space, members
    /// sorted by the UTF-8 bytes of their unescaped names, strings with the
    /// shortest escapes, numbers exactly as written, arrays in order.
    ///
    /// This is RFC 8785 but for the order (UTF-16 there) and for numbers: it
    /// would turn `1.00` into `1`, which is another FHIR decimal.
    ///
    /// `edits` have to be changes to the same document.
    pub fn canonical<S: Sink + ?Sized>(&mut self, value: Value<'_>, edits: &Edits, out: &mut S) {
        let job = Job::new(value.document(), edits);
        let operations = job.all_within(value.position());
        self.slots.clear();
        if value.position() == 0
            && let Some(plan) = self.plans.find(&job, operations, |recorder| {
                write_canonical(&job, 0, operations, &mut self.slots, recorder);
            })
        {
            return plan.write(job.document, edits, operations, out);
        }
        write_canonical(&job, value.position(), operations, &mut self.slots, out);
    }

    /// Writes `value` with `edits` without white space, all else as written.
    ///
    /// `edits` have to be changes to the same document.
    pub fn compact<S: Sink + ?Sized>(&mut self, value: Value<'_>, edits: &Edits, out: &mut S) {
        let job = Job::new(value.document(), edits);
        let operations = job.all_within(value.position());
        write_compact(&job, value.position(), operations, out);
    }
}

/// A document and the changes to write it with.
///
/// Operations stand in text order, so those on a value and on all it holds
/// are neighbours: each value is written with the slice that concerns it.
pub(crate) struct Job<'a> {
    pub(crate) document: Document<'a>,
    pub(crate) nodes: &'a [Node],
    pub(crate) edits: &'a Edits,
}

impl<'a> Job<'a> {
    fn new(document: Document<'a>, edits: &'a Edits) -> Self {
        Self {
            document,
            nodes: document.nodes(),
            edits,
        }
    }

    fn all_within(&self, index: u32) -> &'a [Operation] {
        self.within(self.edits.operations(), index)
    }

    /// The part of `operations` that concerns a value and what is inside it.
    pub(crate) fn within<'o>(&self, operations: &'o [Operation], index: u32) -> &'o [Operation] {
        let next = self.nodes[index as usize].next;
        let from = operations.partition_point(|operation| operation.node < index);
        let to = operations.partition_point(|operation| operation.node < next);
        &operations[from..to]
    }

    /// Members or elements in text order, each with its part of `operations`,
    /// which have to be those within the container.
    pub(crate) fn children<'o>(
        &self,
        container: u32,
        operations: &'o [Operation],
    ) -> impl Iterator<Item = (u32, &'o [Operation])> + use<'a, 'o> {
        let nodes = self.nodes;
        let end = nodes[container as usize].next;
        let mut at = container + 1;
        let own = own(operations, container).len();
        let mut operations = &operations[own..];
        std::iter::from_fn(move || {
            let child = (at < end).then_some(at)?;
            at = nodes[child as usize].next;
            let inside = operations.iter().take_while(|own| own.node < at).count();
            let (inner, later) = operations.split_at(inside);
            operations = later;
            Some((child, inner))
        })
    }

    /// What a value is replaced with.
    pub(crate) fn replacement(&self, index: u32, operations: &[Operation]) -> Option<&'a [u8]> {
        own(operations, index)
            .iter()
            .find_map(|own| match own.change {
                Change::Replace { start, end } => Some(self.edits.bytes(start, end)),
                _ => None,
            })
    }
}

/// The operations on a value itself: the first of those within it.
#[inline]
pub(crate) fn own(operations: &[Operation], index: u32) -> &[Operation] {
    let count = operations
        .iter()
        .take_while(|operation| operation.node == index)
        .count();
    &operations[..count]
}
