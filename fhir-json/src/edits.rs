//! Changes to a document, kept beside it until it is written.

use crate::document::Document;
use crate::emit::Emitter;
use crate::sink::Sink;
use crate::text;
use crate::value::Value;

/// Changes to one document: values replaced, members removed or added.
///
/// The document itself is never touched. [`apply`](Self::apply) writes the
/// changed text by copying every span that has no change in it, and
/// [`Emitter`] writes its canonical form. A set can be [cleared](Self::clear)
/// and used again without allocating.
///
/// Changes inside a value that is itself replaced or removed have no effect.
#[derive(Debug, Default)]
pub struct Edits {
    operations: Vec<Operation>,
    arena: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// The value changed; for an added member, the object it is added to.
    pub(crate) node: u32,
    pub(crate) change: Change,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Replace {
        start: u32,
        end: u32,
    },
    Remove,
    /// Left out of the canonical form only.
    Omit,
    /// `"name":value` in the arena, right after the name as plain text, which
    /// is what members are sorted by.
    Insert {
        name: u32,
        start: u32,
        end: u32,
    },
}

impl Edits {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all changes and keeps the buffers.
    pub fn clear(&mut self) {
        self.operations.clear();
        self.arena.clear();
    }

    /// Whether the text stays as it is. Omissions don't change the text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations
            .iter()
            .all(|operation| matches!(operation.change, Change::Omit))
    }

    /// Puts `json` in the place of a value. It has to be one JSON value in
    /// canonical form; this is not checked.
    pub fn replace(&mut self, value: Value<'_>, json: &[u8]) {
        let start = self.append(json);
        let change = Change::Replace {
            start,
            end: self.position(),
        };
        self.push(value.position(), change);
    }

    /// Puts a string in the place of a value.
    pub fn replace_with_str(&mut self, value: Value<'_>, text: &str) {
        let start = self.position();
        text::write_string(text, &mut self.arena);
        let change = Change::Replace {
            start,
            end: self.position(),
        };
        self.push(value.position(), change);
    }

    /// Takes a member out of its object, or an element out of its array.
    pub fn remove(&mut self, value: Value<'_>) {
        self.push(value.position(), Change::Remove);
    }

    /// Leaves a member or an element out of the canonical form, but not out
    /// of the text.
    pub fn omit(&mut self, value: Value<'_>) {
        self.push(value.position(), Change::Omit);
    }

    /// Adds a member after the last one of `object`, which has to lack it.
    /// `json` has to be one JSON value in canonical form; this is not checked.
    pub fn insert(&mut self, object: Value<'_>, name: &str, json: &[u8]) {
        let (name, start) = self.append_name(name);
        self.append(json);
        let end = self.position();
        self.push(object.position(), Change::Insert { name, start, end });
    }

    /// [`insert`](Self::insert) of a string.
    pub fn insert_str(&mut self, object: Value<'_>, name: &str, text: &str) {
        let (name, start) = self.append_name(name);
        text::write_string(text, &mut self.arena);
        let end = self.position();
        self.push(object.position(), Change::Insert { name, start, end });
    }

    /// Appends the changed text without white space outside of strings; the
    /// order of members, digits of numbers and escapes stay as written.
    pub fn apply<S: Sink + ?Sized>(&self, document: Document<'_>, out: &mut S) {
        Emitter::new().compact(document.root(), self, out);
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub(crate) fn bytes(&self, start: u32, end: u32) -> &[u8] {
        &self.arena[start as usize..end as usize]
    }

    /// What an operation puts in the place of a value.
    #[inline]
    pub(crate) fn replacement(&self, operation: &Operation) -> &[u8] {
        match operation.change {
            Change::Replace { start, end } => self.bytes(start, end),
            _ => &[],
        }
    }

    pub(crate) fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// Keeps operations in text order; those on one object in the order made.
    fn push(&mut self, node: u32, change: Change) {
        let operation = Operation { node, change };
        if self.operations.last().is_none_or(|last| last.node <= node) {
            return self.operations.push(operation);
        }
        let at = self.operations.partition_point(|own| own.node <= node);
        self.operations.insert(at, operation);
    }

    /// Appends `name` as plain text and as `"name":`; the start of each.
    fn append_name(&mut self, name: &str) -> (u32, u32) {
        let plain = self.append(name.as_bytes());
        let start = self.position();
        text::write_string(name, &mut self.arena);
        self.arena.push(b':');
        (plain, start)
    }

    fn append(&mut self, json: &[u8]) -> u32 {
        let start = self.position();
        self.arena.extend_from_slice(json);
        start
    }

    fn position(&self) -> u32 {
        self.arena.len() as u32
    }
}
