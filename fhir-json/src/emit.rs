//! Writing: compact text and canonical form.

use crate::edits::{Change, Edits, Operation};
use crate::scan;
use crate::tape::Node;
use crate::text;
use crate::value::{Document, Kind, Value};

/// Where text is written to.
pub trait Sink {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A [`Sink`] that feeds a hash function.
///
/// Digests cost much for each call, so small writes are collected first;
/// the last of them reach the digest with [`finish`](Self::finish).
#[cfg(feature = "digest")]
#[derive(Debug)]
pub struct DigestSink<'d, D: digest::Update> {
    digest: &'d mut D,
    buffer: [u8; 1024],
    used: usize,
}

#[cfg(feature = "digest")]
impl<'d, D: digest::Update> DigestSink<'d, D> {
    /// Writes into `digest`.
    pub const fn new(digest: &'d mut D) -> Self {
        Self {
            digest,
            buffer: [0; 1024],
            used: 0,
        }
    }

    /// Hands over what is still collected.
    pub fn finish(self) {
        self.digest.update(&self.buffer[..self.used]);
    }
}

#[cfg(feature = "digest")]
impl<D: digest::Update> Sink for DigestSink<'_, D> {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(free) = self.buffer[self.used..].get_mut(..bytes.len()) {
            free.copy_from_slice(bytes);
            self.used += bytes.len();
            return;
        }
        self.digest.update(&self.buffer[..self.used]);
        self.used = 0;
        if bytes.len() >= self.buffer.len() {
            self.digest.update(bytes);
        } else {
            self.buffer[..bytes.len()].copy_from_slice(bytes);
            self.used = bytes.len();
        }
    }
}

/// Writes values, with buffers that are reused from value to value.
#[derive(Debug, Default)]
pub struct Emitter {
    slots: Vec<Slot>,
    names: Vec<u8>,
}

/// A member that waits to be written in order.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The first eight bytes of the name, most significant first: it decides
    /// nearly every comparison.
    prefix: u64,
    start: u32,
    end: u32,
    /// What `start..end`, the unescaped name, points into.
    name: NameIn,
    /// The member's node, or the index of the operation that adds it.
    member: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameIn {
    Text,
    /// The name had escapes; it stands unescaped among `Emitter::names`.
    Names,
    /// An added member.
    Edits,
}

struct Job<'a> {
    document: Document<'a>,
    nodes: &'a [Node],
    edits: &'a Edits,
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
        let job = Job {
            document: value.document(),
            nodes: value.document().nodes(),
            edits,
        };
        let operations = job.within(edits.operations(), value.index());
        self.slots.clear();
        self.names.clear();
        self.write_canonical(&job, value.index(), operations, out);
    }

    /// Writes `value` with `edits` without white space, all else as written.
    ///
    /// `edits` have to be changes to the same document.
    pub fn compact<S: Sink + ?Sized>(&mut self, value: Value<'_>, edits: &Edits, out: &mut S) {
        let job = Job {
            document: value.document(),
            nodes: value.document().nodes(),
            edits,
        };
        let operations = job.within(edits.operations(), value.index());
        write_compact(&job, value.index(), operations, out);
    }

    fn write_canonical<S: Sink + ?Sized>(
        &mut self,
        job: &Job<'_>,
        index: u32,
        operations: &[Operation],
        out: &mut S,
    ) {
        let node = &job.nodes[index as usize];
        if operations.is_empty() && node.has(Node::CANONICAL) {
            return out.write(job.document.bytes(node.start, node.end));
        }
        if let Some(json) = job.replacement(index, operations) {
            return out.write(json);
        }
        match node.kind {
            Kind::Object => self.write_sorted(job, index, operations, out),
            Kind::Array => {
                out.write(b"[");
                let mut first = true;
                for element in job.children(index) {
                    let inner = job.within(operations, element);
                    if is_left_out(element, inner) {
                        continue;
                    }
                    if !first {
                        out.write(b",");
                    }
                    first = false;
                    self.write_canonical(job, element, inner, out);
                }
                out.write(b"]");
            }
            Kind::String => {
                text::write_canonical(job.document.bytes(node.start + 1, node.end - 1), out);
            }
            _ => out.write(job.document.bytes(node.start, node.end)),
        }
    }

    fn write_sorted<S: Sink + ?Sized>(
        &mut self,
        job: &Job<'_>,
        object: u32,
        operations: &[Operation],
        out: &mut S,
    ) {
        let base = self.slots.len();
        let names = self.names.len();
        self.collect(job, object, operations);
        self.sort(job, base);
        let mut separator: &[u8] = b"{";
        for slot in base..self.slots.len() {
            let Slot {
                start,
                end,
                name,
                member,
                ..
            } = self.slots[slot];
            out.write(separator);
            separator = b",";
            if name == NameIn::Edits {
                if let Change::Insert { start, end, .. } = operations[member as usize].change {
                    out.write(job.edits.bytes(start, end));
                }
                continue;
            }
            let node = &job.nodes[member as usize];
            let inner = job.within(operations, member);
            if name == NameIn::Text {
                // Name and value stand together in compact text.
                if inner.is_empty() && node.has(Node::CANONICAL) && node.start == end + 2 {
                    out.write(job.document.bytes(start - 1, node.end));
                    continue;
                }
                out.write(job.document.bytes(start - 1, end + 1));
            } else {
                text::write_canonical(job.document.bytes(node.name_start, node.name_end), out);
            }
            out.write(b":");
            self.write_canonical(job, member, inner, out);
        }
        out.write(if separator == b"{" { b"{}" } else { b"}" });
        self.slots.truncate(base);
        self.names.truncate(names);
    }

    /// Puts the members of an object into `slots`.
    fn collect(&mut self, job: &Job<'_>, object: u32, operations: &[Operation]) {
        for (at, operation) in operations.iter().enumerate() {
            let Change::Insert { name, start, .. } = operation.change else {
                continue;
            };
            if operation.node == object {
                let (start, end) = (name, start);
                let prefix = scan::prefix(job.edits.arena(), start, end);
                let member = at as u32;
                self.slots.push(Slot {
                    prefix,
                    start,
                    end,
                    name: NameIn::Edits,
                    member,
                });
            }
        }
        let text = job.document.text().as_bytes();
        for member in job.children(object) {
            if is_left_out(member, job.within(operations, member)) {
                continue;
            }
            let node = &job.nodes[member as usize];
            let slot = if node.has(Node::NAME_ESCAPED) {
                let start = self.names.len();
                let source = job.document.bytes(node.name_start, node.name_end);
                text::unescape_into(source, &mut self.names);
                Slot {
                    prefix: scan::prefix(&self.names, start as u32, self.names.len() as u32),
                    start: start as u32,
                    end: self.names.len() as u32,
                    name: NameIn::Names,
                    member,
                }
            } else {
                Slot {
                    prefix: scan::prefix(text, node.name_start, node.name_end),
                    start: node.name_start,
                    end: node.name_end,
                    name: NameIn::Text,
                    member,
                }
            };
            self.slots.push(slot);
        }
    }

    fn sort(&mut self, job: &Job<'_>, base: usize) {
        let Self { slots, names } = self;
        let name = |slot: &Slot| match slot.name {
            NameIn::Text => job.document.bytes(slot.start, slot.end),
            NameIn::Names => &names[slot.start as usize..slot.end as usize],
            NameIn::Edits => job.edits.bytes(slot.start, slot.end),
        };
        slots[base..]
            .sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| name(a).cmp(name(b))));
    }
}

fn write_compact<S: Sink + ?Sized>(
    job: &Job<'_>,
    index: u32,
    operations: &[Operation],
    out: &mut S,
) {
    let node = &job.nodes[index as usize];
    if operations.is_empty() && (!job.document.has_white_space() || node.has(Node::CANONICAL)) {
        return out.write(job.document.bytes(node.start, node.end));
    }
    if let Some(json) = job.replacement(index, operations) {
        return out.write(json);
    }
    let (open, close): (&[u8], &[u8]) = match node.kind {
        Kind::Object => (b"{", b"}"),
        Kind::Array => (b"[", b"]"),
        _ => return out.write(job.document.bytes(node.start, node.end)),
    };
    out.write(open);
    let mut first = true;
    let mut separate = |out: &mut S| {
        if !std::mem::take(&mut first) {
            out.write(b",");
        }
    };
    for child in job.children(index) {
        let inner = job.within(operations, child);
        if inner
            .iter()
            .any(|own| own.node == child && matches!(own.change, Change::Remove))
        {
            continue;
        }
        separate(out);
        let node = &job.nodes[child as usize];
        if node.name_start != 0 {
            out.write(job.document.bytes(node.name_start - 1, node.name_end + 1));
            out.write(b":");
        }
        write_compact(job, child, inner, out);
    }
    for operation in operations {
        if let Change::Insert { start, end, .. } = operation.change
            && operation.node == index
        {
            separate(out);
            out.write(job.edits.bytes(start, end));
        }
    }
    out.write(close);
}

impl<'a> Job<'a> {
    /// The part of `operations` that concerns a value and what is inside it.
    #[inline]
    fn within<'o>(&self, operations: &'o [Operation], index: u32) -> &'o [Operation] {
        if operations.is_empty() {
            return operations;
        }
        let next = self.nodes[index as usize].next;
        let from = operations.partition_point(|operation| operation.node < index);
        let to = operations.partition_point(|operation| operation.node < next);
        &operations[from..to]
    }

    fn replacement(&self, index: u32, operations: &[Operation]) -> Option<&'a [u8]> {
        operations
            .iter()
            .take_while(|own| own.node == index)
            .find_map(|own| match own.change {
                Change::Replace { start, end } => Some(self.edits.bytes(start, end)),
                _ => None,
            })
    }

    fn children(&self, index: u32) -> impl Iterator<Item = u32> + use<'a> {
        let nodes = self.nodes;
        let end = nodes[index as usize].next;
        let mut at = index + 1;
        std::iter::from_fn(move || {
            let child = (at < end).then_some(at)?;
            at = nodes[child as usize].next;
            Some(child)
        })
    }
}

fn is_left_out(index: u32, operations: &[Operation]) -> bool {
    operations
        .iter()
        .take_while(|own| own.node == index)
        .any(|own| matches!(own.change, Change::Remove | Change::Omit))
}
