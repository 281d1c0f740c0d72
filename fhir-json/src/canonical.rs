//! Canonical form.

use std::borrow::Cow;

use crate::edits::{Change, Operation};
use crate::emit::{Job, own};
use crate::scan;
use crate::sink::Sink;
use crate::tape::Node;
use crate::text;
use crate::value::Kind;

/// A member that waits to be written in order.
///
/// One number, so that it is sorted without going through memory in parts.
/// From its upper end: the first eight bytes of the unescaped name, which
/// decide nearly every comparison; the member's node, or the index of the
/// operation that adds it; the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u128);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Name and value stand in the text as they are to be written.
    Ready,
    /// Name and value stand in the text, but one of them is written otherwise.
    Rewritten,
    /// Operations concern the value.
    Edited,
    /// Not in the text.
    Added,
}

impl Slot {
    #[inline]
    const fn new(prefix: u64, member: u32, state: State) -> Self {
        Self((prefix as u128) << 64 | (member as u128) << 8 | state as u128)
    }

    #[inline]
    const fn prefix(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    const fn member(self) -> u32 {
        (self.0 >> 8) as u32
    }

    #[inline]
    const fn state(self) -> State {
        match self.0 as u8 {
            0 => State::Ready,
            1 => State::Rewritten,
            2 => State::Edited,
            _ => State::Added,
        }
    }
}

/// Writes a value with the `operations` within it; `slots` beyond those it
/// holds are scratch.
pub(crate) fn write_canonical<S: Sink + ?Sized>(
    job: &Job<'_>,
    index: u32,
    operations: &[Operation],
    slots: &mut Vec<Slot>,
    out: &mut S,
) {
    let node = &job.nodes[index as usize];
    if operations.is_empty() && node.has(Node::CANONICAL) {
        return out.write(job.document.source(node));
    }
    if let Some(json) = job.replacement(index, operations) {
        return out.write(json);
    }
    match node.kind {
        Kind::Object if operations.is_empty() && node.has(Node::SORTED) => {
            write_in_order(job, index, slots, out);
        }
        Kind::Object => write_object(job, index, operations, slots, out),
        Kind::Array => write_array(job, index, operations, slots, out),
        Kind::String => {
            let source = job.document.source(node);
            text::write_canonical(&source[1..source.len() - 1], out);
        }
        _ => out.write(job.document.source(node)),
    }
}

fn write_array<S: Sink + ?Sized>(
    job: &Job<'_>,
    array: u32,
    operations: &[Operation],
    slots: &mut Vec<Slot>,
    out: &mut S,
) {
    out.write(b"[");
    if operations.is_empty() {
        write_elements(job, array, slots, out);
        return out.write(b"]");
    }
    let mut first = true;
    for (element, inner) in job.children(array, operations) {
        if is_left_out(element, inner) {
            continue;
        }
        if !first {
            out.write(b",");
        }
        first = false;
        write_canonical(job, element, inner, slots, out);
    }
    out.write(b"]");
}

/// Writes the elements of an array without operations.
fn write_elements<S: Sink + ?Sized>(job: &Job<'_>, array: u32, slots: &mut Vec<Slot>, out: &mut S) {
    let end = job.nodes[array as usize].next;
    let mut element = array + 1;
    while element < end {
        if element > array + 1 {
            out.write(b",");
        }
        write_canonical(job, element, &[], slots, out);
        element = job.nodes[element as usize].next;
    }
}

/// Writes an object without operations whose members are sorted.
fn write_in_order<S: Sink + ?Sized>(
    job: &Job<'_>,
    object: u32,
    slots: &mut Vec<Slot>,
    out: &mut S,
) {
    let end = job.nodes[object as usize].next;
    out.write(b"{");
    let mut member = object + 1;
    while member < end {
        if member > object + 1 {
            out.write(b",");
        }
        let node = &job.nodes[member as usize];
        write_name(job, node, out);
        write_canonical(job, member, &[], slots, out);
        member = node.next;
    }
    out.write(b"}");
}

fn write_object<S: Sink + ?Sized>(
    job: &Job<'_>,
    object: u32,
    operations: &[Operation],
    slots: &mut Vec<Slot>,
    out: &mut S,
) {
    let base = slots.len();
    if operations.is_empty() {
        collect_unchanged(job, object, slots);
    } else {
        collect(job, object, operations, slots);
    }
    sort(job, operations, &mut slots[base..]);
    out.write(b"{");
    let mut at = base;
    while let Some(&slot) = slots.get(at) {
        let member = slot.member();
        if at > base {
            out.write(b",");
        }
        at += 1;
        match slot.state() {
            State::Ready => {
                let first = &job.nodes[member as usize];
                let mut last = first;
                // Neighbours in the text that stay neighbours are one copy.
                while let Some(slot) = slots.get(at)
                    && slot.state() == State::Ready
                    && slot.member() == last.next
                    && job.document.name_start(&job.nodes[last.next as usize])
                        == job.document.end(last) + 2
                {
                    last = &job.nodes[last.next as usize];
                    at += 1;
                }
                let (start, end) = (job.document.name_start(first), job.document.end(last));
                out.write(job.document.bytes(start - 1, end));
            }
            State::Rewritten => {
                write_name(job, &job.nodes[member as usize], out);
                write_canonical(job, member, &[], slots, out);
            }
            State::Edited => {
                write_name(job, &job.nodes[member as usize], out);
                write_canonical(job, member, job.within(operations, member), slots, out);
            }
            State::Added => {
                if let Change::Insert { start, end, .. } = operations[member as usize].change {
                    out.write(job.edits.bytes(start, end));
                }
            }
        }
    }
    out.write(b"}");
    slots.truncate(base);
}

/// Adds the members of an object to `slots`.
fn collect(job: &Job<'_>, object: u32, operations: &[Operation], slots: &mut Vec<Slot>) {
    for (operation, at) in own(operations, object).iter().zip(0..) {
        if let Change::Insert { name, start, .. } = operation.change {
            let prefix = scan::prefix(job.edits.arena(), name, start);
            slots.push(Slot::new(prefix, at, State::Added));
        }
    }
    for (member, inner) in job.children(object, operations) {
        let node = &job.nodes[member as usize];
        if inner.is_empty() {
            slots.push(unchanged(job, member, node));
        } else if !is_left_out(member, inner) {
            slots.push(Slot::new(prefix(job, node), member, State::Edited));
        }
    }
}

/// [`collect`] of an object without operations: nearly all are.
#[inline(always)]
fn collect_unchanged(job: &Job<'_>, object: u32, slots: &mut Vec<Slot>) {
    let nodes = &job.nodes[..job.nodes[object as usize].next as usize];
    let mut member = object + 1;
    while let Some(node) = nodes.get(member as usize) {
        slots.push(unchanged(job, member, node));
        member = node.next;
    }
}

#[inline(always)]
fn unchanged(job: &Job<'_>, member: u32, node: &Node) -> Slot {
    let ready = node.has(Node::CANONICAL | Node::JOINED);
    let state = if ready {
        State::Ready
    } else {
        State::Rewritten
    };
    Slot::new(prefix(job, node), member, state)
}

#[inline(always)]
fn prefix(job: &Job<'_>, node: &Node) -> u64 {
    if node.has(Node::NAME_ESCAPED) {
        return unescaped_prefix(job, node);
    }
    node.name_prefix
}

#[cold]
fn unescaped_prefix(job: &Job<'_>, node: &Node) -> u64 {
    let name = unescaped_name(job, node);
    scan::prefix(&name, 0, name.len() as u32)
}

/// Sorts members by name. Names differ, so this has one result.
#[inline(always)]
fn sort(job: &Job<'_>, operations: &[Operation], slots: &mut [Slot]) {
    let equal_beginnings = if slots.len() > FEW {
        slots.sort_unstable();
        slots
            .windows(2)
            .any(|pair| pair[0].prefix() == pair[1].prefix())
    } else {
        insert_in_order(slots)
    };
    if equal_beginnings {
        sort_by_names(job, operations, slots);
    }
}

/// Most objects have two to four members, for which a call of the library's
/// sort takes longer than to sort them.
const FEW: usize = 20;

/// Sorts few slots, and gives whether some begin equally.
#[inline(always)]
fn insert_in_order(slots: &mut [Slot]) -> bool {
    let mut equal = false;
    for next in 1..slots.len() {
        let (slot, mut at) = (slots[next], next);
        while at > 0 && slots[at - 1].prefix() > slot.prefix() {
            slots[at] = slots[at - 1];
            at -= 1;
        }
        slots[at] = slot;
        equal |= at > 0 && slots[at - 1].prefix() == slot.prefix();
    }
    equal
}

#[cold]
fn sort_by_names(job: &Job<'_>, operations: &[Operation], slots: &mut [Slot]) {
    let name = |slot: Slot| match (slot.state(), slot.member()) {
        (State::Added, at) => match operations[at as usize].change {
            Change::Insert { name, start, .. } => Cow::Borrowed(job.edits.bytes(name, start)),
            _ => Cow::default(),
        },
        (_, member) => unescaped_name(job, &job.nodes[member as usize]),
    };
    for equal in slots.chunk_by_mut(|a, b| a.prefix() == b.prefix()) {
        equal.sort_unstable_by(|&a, &b| name(a).cmp(&name(b)));
    }
}

fn unescaped_name<'a>(job: &Job<'a>, node: &Node) -> Cow<'a, [u8]> {
    let source = job.document.around_name(node, 0, 0);
    text::unescape(source, node.has(Node::NAME_ESCAPED))
}

/// Writes a name in canonical form and the colon.
#[inline]
fn write_name<S: Sink + ?Sized>(job: &Job<'_>, node: &Node, out: &mut S) {
    if node.has(Node::JOINED) {
        return out.write(job.document.around_name(node, 1, 2));
    }
    text::write_canonical(job.document.around_name(node, 0, 0), out);
    out.write(b":");
}

fn is_left_out(index: u32, operations: &[Operation]) -> bool {
    own(operations, index)
        .iter()
        .any(|own| matches!(own.change, Change::Remove | Change::Omit))
}
