//! Canonical form.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::edits::{Change, Operation};
use crate::emit::{Job, own};
use crate::scan;
use crate::sink::Sink;
use crate::tape::Node;
use crate::text;
use crate::value::Kind;

/// A member that waits to be written in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// The first eight bytes of the unescaped name, most significant first:
    /// it decides nearly every comparison.
    prefix: u64,
    /// The member's node, or the index of the operation that adds it.
    member: u32,
    state: State,
}

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
        return out.write(job.document.bytes(node.start, node.end));
    }
    if let Some(json) = job.replacement(index, operations) {
        return out.write(json);
    }
    match node.kind {
        Kind::Object => write_object(job, index, operations, slots, out),
        Kind::Array => write_array(job, index, operations, slots, out),
        Kind::String => {
            text::write_canonical(job.document.bytes(node.start + 1, node.end - 1), out);
        }
        _ => out.write(job.document.bytes(node.start, node.end)),
    }
}

fn write_array<S: Sink + ?Sized>(
    job: &Job<'_>,
    array: u32,
    operations: &[Operation],
    slots: &mut Vec<Slot>,
    out: &mut S,
) {
    let mut separator: &[u8] = b"[";
    for (element, inner) in job.children(array, operations) {
        if is_left_out(element, inner) {
            continue;
        }
        out.write(separator);
        separator = b",";
        write_canonical(job, element, inner, slots, out);
    }
    out.write(if separator == b"[" { b"[]" } else { b"]" });
}

fn write_object<S: Sink + ?Sized>(
    job: &Job<'_>,
    object: u32,
    operations: &[Operation],
    slots: &mut Vec<Slot>,
    out: &mut S,
) {
    let base = slots.len();
    collect(job, object, operations, slots);
    sort(job, operations, &mut slots[base..]);
    let mut separator: &[u8] = b"{";
    let mut at = base;
    while let Some(&Slot { member, state, .. }) = slots.get(at) {
        at += 1;
        out.write(separator);
        separator = b",";
        match state {
            State::Ready => {
                let first = &job.nodes[member as usize];
                let mut last = first;
                // Neighbours in the text that stay neighbours are one copy.
                while let Some(slot) = slots.get(at)
                    && slot.state == State::Ready
                    && slot.member == last.next
                    && job.nodes[slot.member as usize].name_start == last.end + 2
                {
                    last = &job.nodes[slot.member as usize];
                    at += 1;
                }
                out.write(job.document.bytes(first.name_start - 1, last.end));
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
    out.write(if separator == b"{" { b"{}" } else { b"}" });
    slots.truncate(base);
}

/// Adds the members of an object to `slots`.
fn collect(job: &Job<'_>, object: u32, operations: &[Operation], slots: &mut Vec<Slot>) {
    for (operation, at) in own(operations, object).iter().zip(0..) {
        if let Change::Insert { name, start, .. } = operation.change {
            slots.push(Slot {
                prefix: scan::prefix(job.edits.arena(), name, start),
                member: at,
                state: State::Added,
            });
        }
    }
    for (member, inner) in job.children(object, operations) {
        let node = &job.nodes[member as usize];
        let state = if !inner.is_empty() {
            if is_left_out(member, inner) {
                continue;
            }
            State::Edited
        } else if node.has(Node::CANONICAL | Node::JOINED) {
            State::Ready
        } else {
            State::Rewritten
        };
        let prefix = if node.has(Node::NAME_ESCAPED) {
            let name = unescaped_name(job, node);
            scan::prefix(&name, 0, name.len() as u32)
        } else {
            node.name_prefix
        };
        slots.push(Slot {
            prefix,
            member,
            state,
        });
    }
}

/// Sorts members by name. Names differ, so this has one result.
fn sort(job: &Job<'_>, operations: &[Operation], slots: &mut [Slot]) {
    slots.sort_unstable_by(|a, b| match a.prefix.cmp(&b.prefix) {
        Ordering::Equal => compare_names(job, operations, a, b),
        decided => decided,
    });
}

#[cold]
fn compare_names(job: &Job<'_>, operations: &[Operation], a: &Slot, b: &Slot) -> Ordering {
    let name = |slot: &Slot| match slot.state {
        State::Added => match operations[slot.member as usize].change {
            Change::Insert { name, start, .. } => Cow::Borrowed(job.edits.bytes(name, start)),
            _ => Cow::default(),
        },
        _ => unescaped_name(job, &job.nodes[slot.member as usize]),
    };
    name(a).cmp(&name(b))
}

fn unescaped_name<'a>(job: &Job<'a>, node: &Node) -> Cow<'a, [u8]> {
    let source = job.document.bytes(node.name_start, node.name_end);
    text::unescape(source, node.has(Node::NAME_ESCAPED))
}

/// Writes a name in canonical form and the colon.
fn write_name<S: Sink + ?Sized>(job: &Job<'_>, node: &Node, out: &mut S) {
    if node.has(Node::NAME_ESCAPED) {
        text::write_canonical(job.document.bytes(node.name_start, node.name_end), out);
    } else {
        out.write(job.document.bytes(node.name_start - 1, node.name_end + 1));
    }
    out.write(b":");
}

fn is_left_out(index: u32, operations: &[Operation]) -> bool {
    own(operations, index)
        .iter()
        .any(|own| matches!(own.change, Change::Remove | Change::Omit))
}
